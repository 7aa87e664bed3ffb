#include "io/byte_source.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "base/spin_lock.hpp"
#include "io/coalesce.hpp"
#include "io/map_guard.hpp"
#include "io/system.hpp"
#include "mlarray/error.hpp"

namespace mlarray::io {
namespace {

// Filling a gap costs less than one more request, up to about here. One hint makes Linux read
// no more than its read-ahead window ahead, which is 128 KiB where nobody changed it.
constexpr std::uint64_t kPrefetchGap = std::uint64_t{64} << 10;
constexpr std::uint64_t kPrefetchPiece = std::uint64_t{128} << 10;

void check_range(Range range, std::uint64_t size, const std::string& name) {
  if (range.offset > size || range.length > size - range.offset) {
    throw Error(ErrorKind::corruption,
                "'" + name + "' ends too early: " + std::to_string(range.length) +
                    " bytes are needed at offset " + std::to_string(range.offset) +
                    ", but it has " + std::to_string(size) +
                    " bytes; it was truncated or is damaged, copy or write it again",
                name);
  }
}

bool offsets_cached(int fd, std::span<const std::uint64_t> offsets) noexcept {
  return std::all_of(offsets.begin(), offsets.end(),
                     [&](std::uint64_t offset) { return system::is_cached(fd, offset); });
}

// Calls hint for what is not in memory. To look at the first byte of a piece takes a quarter of
// the time of a hint that changes nothing.
template <typename Hint>
void hint_ranges(int fd, std::span<const Range> ranges, std::uint64_t size,
                 Hint hint) noexcept {
  try {
    for (const Range& range :
         coalesce(ranges, size, system::page_size(), kPrefetchGap, kPrefetchPiece)) {
      if (!system::is_cached(fd, range.offset)) hint(range);
    }
  } catch (...) {
    // Out of memory for the list: a hint is not worth an error.
  }
}

// A map whose missing pages become zeros, and `fault` true.
class GuardedMap {
 public:
  GuardedMap(int fd, std::uint64_t size, const std::string& name,
             std::shared_ptr<std::atomic<bool>> fault)
      : map_(fd, size, name), fault_(std::move(fault)), guard_(map_.bytes(), *fault_) {}
  const system::Map& map() const noexcept { return map_; }
  std::span<const std::byte> bytes() const noexcept { return map_.bytes(); }

 private:
  system::Map map_;
  std::shared_ptr<std::atomic<bool>> fault_;
  system::MapGuard guard_;  // goes first
};

// So that what was read before is not read after it (the compiler of the thread sanitizer,
// which sees the load itself, knows no fences).
void fence() noexcept {
#ifndef __SANITIZE_THREAD__
  std::atomic_thread_fence(std::memory_order_acquire);
#endif
}

class MappedSource final : public ByteSource {
 public:
  MappedSource(const std::filesystem::path& path, std::string name)
      : name_(std::move(name)), file_(system::open_to_read(path)) {
    refresh();
  }

  std::uint64_t size() const override { return size_.load(std::memory_order_acquire); }

  Bytes get(Range range) const override {
    std::shared_ptr<const GuardedMap> map = current();
    check_range(range, map->bytes().size(), name_);
    const auto view = map->bytes().subspan(static_cast<std::size_t>(range.offset),
                                           static_cast<std::size_t>(range.length));
    return {view, std::move(map)};
  }

  bool copy(Range range, std::span<std::byte> to) const noexcept override {
    if (!prefers_copies()) return false;
    copied_.fetch_add(range.length, std::memory_order_relaxed);
    return system::try_read_at(file_.get(), range.offset, to);
  }

  // To map a page, and to unmap it, takes three times as long as to copy its bytes, so a map is
  // for bytes that are read again. Who has read as much as the file holds reads parts again.
  bool prefers_copies() const noexcept override {
    return copied_.load(std::memory_order_relaxed) < size();
  }

  bool are_cached(std::span<const std::uint64_t> offsets) const override {
    return offsets_cached(file_.get(), offsets);
  }

  void prefetch(std::span<const Range> ranges) const override {
    const std::shared_ptr<const GuardedMap> map = current();
    hint_ranges(file_.get(), ranges, map->bytes().size(),
                [&](Range range) { system::will_need(map->map(), range); });
  }

  void refresh() override {
    const std::scoped_lock one_at_a_time(refresh_mutex_);
    const std::uint64_t size = system::status(file_.get(), name_).size;
    if (map_ && size == map_->bytes().size()) return;
    auto map = std::make_shared<const GuardedMap>(file_.get(), size, name_, fault_);
    {
      const std::scoped_lock lock(map_lock_);
      map_.swap(map);
    }
    size_.store(size, std::memory_order_release);
  }

  void watch() const noexcept override { system::keep_fault_handler(); }

  void check() const override {
    fence();
    if (!fault_->load(std::memory_order_acquire)) return;
    const std::uint64_t mapped = current()->bytes().size();
    const std::uint64_t left = system::status(file_.get(), name_).size;
    if (left != mapped) throw_changed(name_, mapped, left);
    // Cut and written anew since, or a disk that failed: the system does not tell which.
    throw Error(ErrorKind::corruption,
                "'" + name_ +
                    "' lost bytes while it was open: it was overwritten, or its disk or its "
                    "network failed; open it again, refresh() it, or restore it",
                name_);
  }

  const std::string& name() const override { return name_; }

 private:
  std::shared_ptr<const GuardedMap> current() const {
    const std::scoped_lock lock(map_lock_);
    return map_;
  }

  std::string name_;
  system::Descriptor file_;
  std::mutex refresh_mutex_;  // writers of map_, which is read under map_lock_
  mutable base::SpinLock map_lock_;
  std::shared_ptr<const GuardedMap> map_;
  // Of all maps of this source: once set, nothing is believed any more.
  std::shared_ptr<std::atomic<bool>> fault_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<std::uint64_t> size_ = 0;
  mutable std::atomic<std::uint64_t> copied_ = 0;
};

class BufferedSource final : public ByteSource {
 public:
  BufferedSource(const std::filesystem::path& path, std::string name)
      : name_(std::move(name)), file_(system::open_to_read(path)) {
    refresh();
  }

  std::uint64_t size() const override { return size_.load(std::memory_order_acquire); }

  Bytes get(Range range) const override {
    check_range(range, size(), name_);
    const auto length = static_cast<std::size_t>(range.length);
    auto buffer = allocate(length);
    const std::span<std::byte> bytes(buffer.get(), length);
    system::read_at(file_.get(), range.offset, bytes, name_);
    return {bytes, std::move(buffer)};
  }

  void read(Range range, std::span<std::byte> to) const override {
    check_range(range, size(), name_);
    system::read_at(file_.get(), range.offset, to, name_);
  }

  bool are_cached(std::span<const std::uint64_t> offsets) const override {
    return offsets_cached(file_.get(), offsets);
  }

  void prefetch(std::span<const Range> ranges) const override {
    hint_ranges(file_.get(), ranges, size(),
                [&](Range range) { system::will_need(file_.get(), range); });
  }

  void refresh() override {
    size_.store(system::status(file_.get(), name_).size, std::memory_order_release);
  }

  const std::string& name() const override { return name_; }

 private:
  std::string name_;
  system::Descriptor file_;
  std::atomic<std::uint64_t> size_ = 0;
};

class MemorySource final : public ByteSource {
 public:
  MemorySource(Bytes bytes, std::string name)
      : name_(std::move(name)), bytes_(std::move(bytes)) {}

  std::uint64_t size() const override { return bytes_.data.size(); }

  Bytes get(Range range) const override {
    check_range(range, size(), name_);
    return {bytes_.data.subspan(static_cast<std::size_t>(range.offset),
                                static_cast<std::size_t>(range.length)),
            bytes_.owner};
  }

  bool are_cached(std::span<const std::uint64_t>) const override { return true; }
  void prefetch(std::span<const Range>) const override {}
  void refresh() override {}
  bool is_fixed() const override { return true; }
  const std::string& name() const override { return name_; }

 private:
  std::string name_;
  Bytes bytes_;
};

}  // namespace

void ByteSource::read(Range range, std::span<std::byte> to) const {
  const Bytes bytes = get(range);
  std::copy(bytes.data.begin(), bytes.data.end(), to.begin());
}

void throw_changed(const std::string& name, std::uint64_t had, std::uint64_t left) {
  const std::string what =
      left < had ? "' was cut short while it was open: " + std::to_string(left) + " of " +
                       std::to_string(had) + " bytes are left"
                 : "' was overwritten while it was open: it had " + std::to_string(had) +
                       " bytes and has " + std::to_string(left);
  throw Error(ErrorKind::corruption,
              "'" + name + what +
                  "; open it again, refresh() it, or restore it. To replace a file that others "
                  "read, write a new one and rename it over the old one, as save() does",
              name);
}

std::shared_ptr<std::byte[]> allocate(std::size_t size) { return system::allocate(size); }

std::unique_ptr<ByteSource> open_mapped(const std::filesystem::path& path) {
  return open_file(path, Access::mapped, system::display_name(path));
}

std::unique_ptr<ByteSource> open_buffered(const std::filesystem::path& path) {
  return open_file(path, Access::buffered, system::display_name(path));
}

std::unique_ptr<ByteSource> open_file(const std::filesystem::path& path, Access access,
                                      std::string name) {
  if (access == Access::mapped) {
    return std::make_unique<MappedSource>(path, std::move(name));
  }
  return std::make_unique<BufferedSource>(path, std::move(name));
}

std::unique_ptr<ByteSource> from_memory(Bytes bytes, std::string name) {
  return std::make_unique<MemorySource>(std::move(bytes), std::move(name));
}

std::unique_ptr<ByteSource> from_memory(std::vector<std::byte> bytes, std::string name) {
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return from_memory(Bytes{*owner, owner}, std::move(name));
}

}  // namespace mlarray::io
