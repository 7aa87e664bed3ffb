// A buffer that ends where readable memory ends, so that one byte too far is a crash: also in
// code that no sanitizer sees (LZ4, ZSTD and c-blosc2 come compiled).
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <new>
#include <span>

namespace mlarray::codec::test {

class GuardedBuffer {
 public:
  explicit GuardedBuffer(std::size_t capacity) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    usable_ = (capacity / page + 1) * page;
    mapped_ = usable_ + page;
    void* memory =
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    base_ = static_cast<std::byte*>(memory);
    mprotect(base_ + usable_, page, PROT_NONE);
  }
  ~GuardedBuffer() { munmap(base_, mapped_); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  // The last `size` bytes; the kCanary bytes before them are set to a pattern.
  std::span<std::byte> last(std::size_t size) {
    std::byte* start = base_ + usable_ - size;
    std::memset(start - kCanary, kPattern, kCanary);
    return {start, size};
  }
  // Has nothing been written before the span that last() gave?
  bool intact(std::span<const std::byte> span) const {
    const std::byte* canary = span.data() - kCanary;
    for (std::size_t i = 0; i < kCanary; ++i) {
      if (canary[i] != std::byte{kPattern}) return false;
    }
    return true;
  }

  static constexpr std::size_t kCanary = 256;

 private:
  static constexpr unsigned char kPattern = 0xc3;
  std::byte* base_ = nullptr;
  std::size_t usable_ = 0;
  std::size_t mapped_ = 0;
};

}  // namespace mlarray::codec::test
