// What can be found in the bytes of a damaged file without believing any of its lengths.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grid/geometry.hpp"
#include "io/byte_source.hpp"

namespace mlarray::salvaging {

struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;

  std::uint64_t end() const { return offset + length; }
  bool empty() const { return length == 0; }
  bool holds(const Extent& other) const {
    return offset <= other.offset && other.end() <= end();
  }
  friend bool operator==(const Extent&, const Extent&) = default;
};

// Bounds the work on a file that was made to keep us busy, in bytes that are read or hashed.
// Who asks for more than there is gets nothing from then on, and the report says so. Thread
// safe.
class WorkBudget {
 public:
  // What is spent of it is spent of `whole`, too.
  explicit WorkBudget(std::uint64_t bytes, WorkBudget* whole = nullptr)
      : left_(bytes), whole_(whole) {}
  WorkBudget(const WorkBudget&) = delete;
  WorkBudget& operator=(const WorkBudget&) = delete;

  bool spend(std::uint64_t bytes) noexcept;
  std::uint64_t left() const noexcept;
  bool exhausted() const noexcept { return exhausted_; }

 private:
  std::atomic<std::uint64_t> left_;
  std::atomic<bool> exhausted_{false};
  WorkBudget* whole_;
};

// The bytes of a file, as far as its disk delivers them, and what may be spent on them. Thread
// safe, but for what `go_on` is.
class DamagedFile {
 public:
  // `go_on` is called now and then while the file is searched; what it throws ends that.
  explicit DamagedFile(std::unique_ptr<io::ByteSource> source,
                       std::function<void()> go_on = {});

  // For everything that is done with the file.
  WorkBudget& work() const { return work_; }
  void go_on() const {
    if (go_on_) go_on_();
  }

  std::uint64_t size() const { return size_; }
  const io::ByteSource& source() const { return *source_; }
  const std::shared_ptr<io::ByteSource>& shared_source() const { return source_; }
  // `length` bytes from `offset` on, fewer where the file ends before. What cannot be read is
  // 0.
  io::Bytes get(std::uint64_t offset, std::uint64_t length) const;
  std::vector<std::byte> copy(const Extent& extent) const;  // the same, to be changed
  // Was there something that could not be read?
  bool unreadable() const { return unreadable_; }

 private:
  std::shared_ptr<io::ByteSource> source_;
  std::uint64_t size_;
  std::function<void()> go_on_;
  mutable WorkBudget work_;
  mutable std::atomic<bool> unreadable_{false};
};

// What one search of the file may cost.
inline std::uint64_t search_work(const DamagedFile& file) {
  return 64 * file.size() + (std::uint64_t{1} << 30);
}

// No metadata has more, compressed or not (docs/format.md, "Limits").
inline constexpr std::uint64_t kMostMetadata = std::uint64_t{256} << 20;

// By what they look like; each in the order of the file, the last 65536 of them.
struct Landmarks {
  std::vector<Extent> trailers;  // both ends fit each other
  std::vector<Extent> indexes;   // chunks that hold the index of an array of `chunk_count`
  std::vector<Extent> layers;    // chunks that hold a metalayer of a trailer
};
// `arrays`: those that the file may hold.
Landmarks find_landmarks(const DamagedFile& file, const std::vector<grid::Geometry>& arrays);

// What the end of a state of one of these arrays can have: the stored bytes of its index, of
// one metalayer, of its trailer. A file may claim any amount.
struct TailLimits {
  explicit TailLimits(const std::vector<grid::Geometry>& arrays);
  std::uint64_t index = 0;
  std::uint64_t layer = 0;
  std::uint64_t trailer = 0;
};

// Chunks of the array, by their headers, whose block starts are possible; they do not begin in
// each other's headers.
std::vector<Extent> find_chunks(const DamagedFile& file, const grid::Geometry& geometry,
                                WorkBudget& budget);

}  // namespace mlarray::salvaging
