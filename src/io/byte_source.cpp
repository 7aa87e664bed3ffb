#include "io/byte_source.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <optional>
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

bool is_inside(Range range, std::uint64_t size) noexcept {
  return range.offset <= size && range.length <= size - range.offset;
}

void check_range(Range range, std::uint64_t size, const std::string& name) {
  if (!is_inside(range, size)) {
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

// Maps the file when somebody first looks into it: who copies what he needs of it (copy(),
// read_many()) and closes it again goes without. Where the system refuses to map, all is read.
// Where descriptors run out, the file is mapped at once, and the descriptor goes.
class MappedSource final : public ByteSource {
 public:
  MappedSource(const std::filesystem::path& path, std::string name, bool may_go_without)
      : name_(std::move(name)) {
    std::uint64_t size = 0;
    file_ = system::open_to_read(path, &size);
    size_.store(size, std::memory_order_release);
    if (!may_go_without || system::descriptors_suffice(file_.get())) return;
    map_file(size, file_.get());
    if (!map_) return;  // nothing else leads to the bytes
    path_ = std::filesystem::absolute(path);
    id_ = system::status(file_.get(), name_).id;
    file_.reset();
  }

  std::uint64_t size() const override { return size_.load(std::memory_order_acquire); }

  void read_many(std::span<const Read> reads) const override {
    for (const Read& read : reads) {
      check_inside({read.offset, read.to.size()});
      if (has_file() && system::try_read_at(file_.get(), read.offset, read.to)) continue;
      if (const auto map = current()) {
        // The end of the file is gone, or its disk: check() will say it.
        check_range({read.offset, read.to.size()}, map->bytes().size(), name_);
        const auto from = map->bytes().subspan(static_cast<std::size_t>(read.offset));
        std::copy_n(from.begin(), read.to.size(), read.to.begin());
      } else {
        system::read_at(file_.get(), read.offset, read.to, name_);
      }
    }
  }

  bool has_views() const noexcept override { return !refused_.load(std::memory_order_relaxed); }

  Bytes get(Range range) const override {
    check_inside(range);
    std::shared_ptr<const GuardedMap> map = current();
    if (!map) return ByteSource::get(range);
    check_range(range, map->bytes().size(), name_);  // cut short in between, it is another one
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
    return has_file() && (copied_.load(std::memory_order_relaxed) < size() || !has_views());
  }

  bool are_cached(std::span<const std::uint64_t> offsets) const override {
    return offsets_cached(file_.get(), offsets);
  }

  void prefetch(std::span<const Range> ranges) const override {
    const std::shared_ptr<const GuardedMap> map = mapped();
    hint_ranges(file_.get(), ranges, map ? map->bytes().size() : size(), [&](Range range) {
      map ? system::will_need(map->map(), range) : system::will_need(file_.get(), range);
    });
  }

  void refresh() override {
    const std::scoped_lock one_at_a_time(map_mutex_);
    const std::optional<Found> file = find_file();
    if (!file || file->status.size == this->size()) return;
    const std::uint64_t size = file->status.size;
    if (map_) map_file(size, file->fd);
    size_.store(size, std::memory_order_release);
  }

  void watch() const noexcept override {
    if (is_mapped_.load(std::memory_order_acquire)) system::keep_fault_handler();
  }

  void check() const override {
    fence();
    if (!fault_->load(std::memory_order_acquire)) return;
    const std::uint64_t mapped = size();
    const std::optional<Found> file = find_file();
    if (file && file->status.size != mapped) throw_changed(name_, mapped, file->status.size);
    // Cut and written anew since, or a disk that failed: the system does not tell which.
    throw Error(ErrorKind::corruption,
                "'" + name_ +
                    "' lost bytes while it was open: it was overwritten, or its disk or its "
                    "network failed; open it again, refresh() it, or restore it",
                name_);
  }

  const std::string& name() const override { return name_; }

 private:
  std::shared_ptr<const GuardedMap> mapped() const {
    const std::scoped_lock lock(map_lock_);
    return map_;
  }

  // As long as size(), unless somebody refreshes at the same time; nothing where the system
  // refuses.
  std::shared_ptr<const GuardedMap> current() const {
    if (auto map = mapped()) return map;
    if (!has_views()) return nullptr;
    const std::scoped_lock one_at_a_time(map_mutex_);
    if (!map_) map_file(size(), file_.get());
    return map_;
  }

  bool has_file() const noexcept { return file_.get() >= 0; }

  // The file; without a descriptor, what the path leads to, if that is still the file.
  struct Found {
    system::Descriptor opened;
    int fd = -1;
    system::Status status;
  };
  std::optional<Found> find_file() const {
    Found found;
    found.fd = file_.get();
    if (!has_file()) {
      try {
        found.opened = system::open_to_read(path_);
      } catch (const Error&) {
        return {};
      }
      found.fd = found.opened.get();
    }
    found.status = system::status(found.fd, name_);
    if (!has_file() && found.status.id != id_) return {};
    return found;
  }

  // Under map_mutex_.
  void map_file(std::uint64_t size, int fd) const {
    std::shared_ptr<const GuardedMap> map;
    try {
      map = std::make_shared<const GuardedMap>(fd, size, name_, fault_);
      is_mapped_.store(true, std::memory_order_release);
    } catch (const Error&) {
      refused_.store(true, std::memory_order_relaxed);
    }
    const std::scoped_lock lock(map_lock_);
    map_.swap(map);
  }

  std::string name_;
  system::Descriptor file_;     // none where descriptors run out, and the map is all it needs
  std::filesystem::path path_;  // and id_: only then
  FileId id_;
  mutable std::mutex map_mutex_;  // writers of map_, which is read under map_lock_
  mutable base::SpinLock map_lock_;
  mutable std::shared_ptr<const GuardedMap> map_;
  mutable std::atomic<bool> is_mapped_ = false;
  mutable std::atomic<bool> refused_ = false;
  // Of all maps of this source: once set, nothing is believed any more.
  std::shared_ptr<std::atomic<bool>> fault_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<std::uint64_t> size_ = 0;
  mutable std::atomic<std::uint64_t> copied_ = 0;
};

class BufferedSource final : public ByteSource {
 public:
  BufferedSource(const std::filesystem::path& path, std::string name) : name_(std::move(name)) {
    std::uint64_t size = 0;
    file_ = system::open_to_read(path, &size);
    size_.store(size, std::memory_order_release);
  }

  std::uint64_t size() const override { return size_.load(std::memory_order_acquire); }

  void read_many(std::span<const Read> reads) const override {
    for (const Read& read : reads) {
      check_inside({read.offset, read.to.size()});
      system::read_at(file_.get(), read.offset, read.to, name_);
    }
  }

  bool copy(Range range, std::span<std::byte> to) const noexcept override {
    return is_inside(range, size()) && system::try_read_at(file_.get(), range.offset, to);
  }
  bool prefers_copies() const noexcept override { return true; }

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

  void read_many(std::span<const Read> reads) const override {
    for (const Read& read : reads) {
      const Bytes bytes = get({read.offset, read.to.size()});
      std::copy(bytes.data.begin(), bytes.data.end(), read.to.begin());
    }
  }

  bool has_views() const noexcept override { return true; }

  Bytes get(Range range) const override {
    check_inside(range);
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

// Bytes that the caller of the library provides.
class GivenSource final : public ByteSource {
 public:
  explicit GivenSource(std::shared_ptr<const mlarray::ByteSource> source)
      : source_(std::move(source)), name_(source_->name()), size_(source_->size()) {
    // So that no sum of two ranges inside passes what 64 bits hold, whatever a server claims.
    constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
    if (size_ > kMost) {
      throw Error(ErrorKind::corruption,
                  "'" + name_ + "' claims to have " + std::to_string(size_) +
                      " bytes; at most " + std::to_string(kMost) + " are possible",
                  name_);
    }
  }

  std::uint64_t size() const override { return size_; }

  void read_many(std::span<const Read> reads) const override {
    for (const Read& read : reads) check_inside({read.offset, read.to.size()});
    if (!reads.empty()) source_->read_many(reads);
  }

  bool is_remote() const noexcept override { return true; }
  // Nothing else would be quicker.
  bool are_cached(std::span<const std::uint64_t>) const override { return true; }
  void prefetch(std::span<const Range>) const override {}
  void refresh() override {}
  bool is_fixed() const override { return true; }
  const std::string& name() const override { return name_; }

 private:
  std::shared_ptr<const mlarray::ByteSource> source_;
  std::string name_;
  std::uint64_t size_;
};

}  // namespace

void ByteSource::read(Range range, std::span<std::byte> to) const {
  const Read read{range.offset, to};
  read_many(std::span(&read, 1));
}

Bytes ByteSource::get(Range range) const {
  check_inside(range);  // before memory is taken for it
  const auto length = static_cast<std::size_t>(range.length);
  auto buffer = allocate(length);
  const std::span<std::byte> bytes(buffer.get(), length);
  read(range, bytes);
  return {bytes, std::move(buffer)};
}

void ByteSource::check_inside(Range range) const { check_range(range, size(), name()); }

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
  if (access == Access::buffered)
    return std::make_unique<BufferedSource>(path, std::move(name));
  return std::make_unique<MappedSource>(path, std::move(name), false);
}

std::unique_ptr<ByteSource> open_file_to_read(const std::filesystem::path& path, Access access,
                                              std::string name) {
  if (access == Access::buffered)
    return std::make_unique<BufferedSource>(path, std::move(name));
  return std::make_unique<MappedSource>(path, std::move(name), true);
}

std::unique_ptr<ByteSource> from_memory(Bytes bytes, std::string name) {
  return std::make_unique<MemorySource>(std::move(bytes), std::move(name));
}

std::unique_ptr<ByteSource> from_memory(std::vector<std::byte> bytes, std::string name) {
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return from_memory(Bytes{*owner, owner}, std::move(name));
}

std::unique_ptr<ByteSource> from_source(std::shared_ptr<const mlarray::ByteSource> source) {
  return std::make_unique<GivenSource>(std::move(source));
}

}  // namespace mlarray::io
