#include "io/map_guard.hpp"

#ifdef _WIN32

namespace mlarray::io::system {

// Windows does not let anybody cut off a file that is mapped.
MapGuard::MapGuard(std::span<const std::byte>, std::atomic<bool>&) {}
MapGuard::~MapGuard() = default;
void keep_fault_handler() noexcept {}

}  // namespace mlarray::io::system

#else

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <memory>

#include "io/system.hpp"

#ifdef __linux__
#include <sys/syscall.h>
#endif

namespace mlarray::io::system {
namespace {

// --- the maps ------------------------------------------------------------------------------
// A handler may call nothing that allocates or locks, and may run while other threads add and
// remove maps. So the list consists of slots that are never freed, and are read without locks.

constexpr std::uintptr_t kFree = 0;
constexpr std::uintptr_t kReserved = 1;  // being filled

struct Slot {
  std::atomic<std::uintptr_t> begin = kFree;
  std::atomic<std::uintptr_t> end = 0;
  std::atomic<std::atomic<bool>*> fault = nullptr;
};

constexpr std::size_t kBlockSlots = 1024;
constexpr std::size_t kMaxBlocks = 1024;  // more maps than a Linux process may have
using Block = std::array<Slot, kBlockSlots>;

constinit std::array<std::atomic<Block*>, kMaxBlocks> blocks{};
constinit std::atomic<std::size_t> next_slot = 0;  // where to look for a free one first

bool reserve(Slot& slot) noexcept {
  std::uintptr_t expected = kFree;
  return slot.begin.load(std::memory_order_relaxed) == kFree &&
         slot.begin.compare_exchange_strong(expected, kReserved);
}

// Nothing where there are more maps than slots, which are then not guarded.
Slot* reserve_slot() {
  std::size_t count = 0;
  while (count < kMaxBlocks && blocks[count].load() != nullptr) ++count;
  const std::size_t slots = count * kBlockSlots;
  const std::size_t first = next_slot.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < slots; ++i) {
    const std::size_t at = (first + i) % slots;
    Slot& slot = (*blocks[at / kBlockSlots].load())[at % kBlockSlots];
    if (reserve(slot)) {
      next_slot.store(at + 1, std::memory_order_relaxed);
      return &slot;
    }
  }
  for (; count < kMaxBlocks; ++count) {
    auto fresh = std::make_unique<Block>();
    Block* expected = nullptr;
    // Another thread may have put one there: then there is one more to look into.
    if (blocks[count].compare_exchange_strong(expected, fresh.get()))
      expected = fresh.release();
    for (Slot& slot : *expected) {
      if (reserve(slot)) return &slot;
    }
  }
  return nullptr;
}

// --- the handler ---------------------------------------------------------------------------

void* map_zeros(std::uintptr_t begin, std::size_t length) noexcept {
  void* const at = reinterpret_cast<void*>(begin);  // NOLINT(performance-no-int-to-ptr)
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
#ifdef __linux__
  // Not by mmap(), which sanitizers replace by what is not made for handlers.
  const long got = ::syscall(SYS_mmap, at, length, PROT_READ, kFlags, -1, 0);
  return reinterpret_cast<void*>(got);  // NOLINT(performance-no-int-to-ptr)
#else
  return ::mmap(at, length, PROT_READ, kFlags, -1, 0);
#endif
}

// Whoever has touched the page holds its map, so that it is not unmapped meanwhile.
bool replace_pages(const void* touched) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(touched);
  for (const std::atomic<Block*>& entry : blocks) {
    const Block* block = entry.load(std::memory_order_acquire);
    if (block == nullptr) break;
    for (const Slot& slot : *block) {
      const std::uintptr_t begin = slot.begin.load(std::memory_order_acquire);
      if (begin <= kReserved || address < begin) continue;
      const std::uintptr_t end = slot.end.load(std::memory_order_acquire);
      std::atomic<bool>* const fault = slot.fault.load(std::memory_order_acquire);
      if (address >= end || slot.begin.load() != begin) continue;
      // Marked first: who sees the zeros sees the mark. All that follows is replaced as well,
      // since nothing of a marked map is believed.
      fault->store(true);
      const std::uintptr_t page = address - address % static_cast<std::uintptr_t>(page_size());
      return map_zeros(page, static_cast<std::size_t>(end - page)) != MAP_FAILED;
    }
  }
  return false;
}

// A handler that was installed over ours may call ours for what it does not know, so ours
// cannot just be installed again over it, to call it in turn. There are several of ours, each
// of which knows the one that it was installed over.
constexpr std::size_t kLevels = 4;
constinit std::array<struct sigaction, kLevels> before{};  // under changing, up to `levels`
constinit std::size_t levels = 0;                          // under changing
constinit std::atomic_flag changing;

void pass_on(const struct sigaction& next, int signal, siginfo_t* info,
             void* context) noexcept {
  const bool is_fault = info->si_code > 0;  // else sent by somebody
  if ((next.sa_flags & SA_SIGINFO) != 0) {
    next.sa_sigaction(signal, info, context);
  } else if (next.sa_handler != SIG_DFL && next.sa_handler != SIG_IGN) {
    next.sa_handler(signal);
  } else if (is_fault || next.sa_handler == SIG_DFL) {
    // A fault happens again when this returns, and then ends the process.
    struct sigaction plain = {};
    plain.sa_handler = SIG_DFL;
    ::sigaction(signal, &plain, nullptr);
    if (!is_fault) ::raise(signal);
  }
}

template <std::size_t level>
void handle(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  if (info->si_code <= 0 || !replace_pages(info->si_addr)) {
    pass_on(before[level], signal, info, context);
  }
  errno = saved;
}

using Handler = void (*)(int, siginfo_t*, void*);
constexpr std::array<Handler, kLevels> kHandlers = {&handle<0>, &handle<1>, &handle<2>,
                                                    &handle<3>};

bool same(const struct sigaction& a, const struct sigaction& b) noexcept {
  if ((a.sa_flags & SA_SIGINFO) != (b.sa_flags & SA_SIGINFO)) return false;
  return (a.sa_flags & SA_SIGINFO) != 0 ? a.sa_sigaction == b.sa_sigaction
                                        : a.sa_handler == b.sa_handler;
}

// The handler that is installed, if it is none of ours.
bool is_replaced(struct sigaction& now) noexcept {
  if (::sigaction(SIGBUS, nullptr, &now) != 0) return false;
  if ((now.sa_flags & SA_SIGINFO) == 0) return true;
  for (const Handler handler : kHandlers) {
    if (now.sa_sigaction == handler) return false;
  }
  return true;
}

}  // namespace

MapGuard::MapGuard(std::span<const std::byte> map, std::atomic<bool>& fault) {
  keep_fault_handler();
  Slot* const slot = map.empty() ? nullptr : reserve_slot();
  if (slot == nullptr) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(map.data());
  const auto page = static_cast<std::uintptr_t>(page_size());
  slot->end.store(begin + (map.size() + page - 1) / page * page);
  slot->fault.store(&fault);
  slot->begin.store(begin, std::memory_order_release);
  slot_ = slot;
}

MapGuard::~MapGuard() {
  if (slot_ != nullptr) static_cast<Slot*>(slot_)->begin.store(kFree);
}

void keep_fault_handler() noexcept {
  struct sigaction now;
  if (!is_replaced(now)) return;
  while (changing.test_and_set(std::memory_order_acquire)) {
  }
  if (is_replaced(now)) {
    std::size_t level = 0;
    while (level < levels && !same(before[level], now)) ++level;
    if (level == levels && levels < kLevels) before[levels++] = now;
    if (level < levels) {
      struct sigaction ours = {};
      ours.sa_sigaction = kHandlers[level];
      ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
      ::sigemptyset(&ours.sa_mask);
      ::sigaction(SIGBUS, &ours, nullptr);
    }
  }
  changing.clear(std::memory_order_release);
}

}  // namespace mlarray::io::system

#endif  // !_WIN32
