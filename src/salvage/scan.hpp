// What can be found in the bytes of a damaged file without believing any of its lengths.
#pragma once

#include <atomic>
#include <cstdint>
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

// The bytes of a file, as far as its disk delivers them. Thread safe.
class DamagedFile {
 public:
  explicit DamagedFile(std::unique_ptr<io::ByteSource> source);

  std::uint64_t size() const { return size_; }
  const io::ByteSource& source() const { return *source_; }
  // `length` bytes from `offset` on, fewer where the file ends before. What cannot be read is
  // 0.
  io::Bytes get(std::uint64_t offset, std::uint64_t length) const;
  std::vector<std::byte> copy(const Extent& extent) const;  // the same, to be changed
  // Was there something that could not be read?
  bool unreadable() const { return unreadable_; }

 private:
  std::unique_ptr<io::ByteSource> source_;
  std::uint64_t size_;
  mutable std::atomic<bool> unreadable_{false};
};

// Bounds the work on a file that was made to keep us busy. Whoever spends more than there is
// stops, and the report says so.
class WorkBudget {
 public:
  explicit WorkBudget(std::uint64_t bytes) : left_(bytes) {}
  bool spend(std::uint64_t bytes) {
    exhausted_ = exhausted_ || bytes > left_;
    if (!exhausted_) left_ -= bytes;
    return !exhausted_;
  }
  std::uint64_t left() const { return exhausted_ ? 0 : left_; }
  bool exhausted() const { return exhausted_; }

 private:
  std::uint64_t left_;
  bool exhausted_ = false;
};

// By what they look like; each in the order of the file, the last 65536 of them.
struct Landmarks {
  std::vector<Extent> trailers;  // both ends fit each other
  std::vector<Extent> indexes;   // chunks that hold the index of an array of `chunk_count`
  std::vector<Extent> layers;    // chunks that hold a metalayer of a trailer
};
// `index_bytes`: the uncompressed size of an index, or any of them.
Landmarks find_landmarks(const DamagedFile& file, const std::vector<std::int64_t>& index_bytes);

// Chunks of the array, by their headers, whose block starts are possible; they do not begin in
// each other's headers.
std::vector<Extent> find_chunks(const DamagedFile& file, const grid::Geometry& geometry,
                                WorkBudget& budget);

}  // namespace mlarray::salvaging
