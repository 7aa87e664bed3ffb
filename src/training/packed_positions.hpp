// Many voxel numbers in few bytes, any of which is found in O(1): what a label index keeps of
// its classes. Byte level: docs/format.md, "Label index".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlarray::training {

// Ascending voxel numbers of one array, each with as many bits as the greatest of all needs,
// but at most 32. Of arrays with more voxels, the upper bits are in a short list: which
// numbers are in which 2^32. A value.
class PackedPositions {
 public:
  // The first of those numbers that have these upper bits.
  struct Part {
    std::uint32_t upper = 0;
    std::uint64_t first = 0;
    friend bool operator==(const Part&, const Part&) = default;
  };

  PackedPositions() = default;
  // `numbers` ascending, each below `voxels`.
  PackedPositions(std::span<const std::int64_t> numbers, std::int64_t voxels);

  std::int64_t size() const { return size_; }
  std::int64_t at(std::int64_t i) const;  // i in [0, size())
  std::size_t memory() const { return bytes_.size() + parts_.size() * sizeof(Part); }

  // As they are stored, one number after the other, lowest bit first.
  static int bits(std::int64_t voxels);
  static std::uint64_t packed_bytes(std::int64_t size, std::int64_t voxels);
  std::span<const std::byte> packed() const;
  std::span<const Part> parts() const { return parts_; }
  // From there. `packed` has packed_bytes(). Errors: corruption for numbers that do not ascend
  // or are no voxels, and for parts that do not fit them.
  PackedPositions(std::int64_t size, std::int64_t voxels, std::span<const std::byte> packed,
                  std::vector<Part> parts);

 private:
  // What at() may load behind the last number.
  static constexpr std::size_t kBehind = 8;

  std::int64_t size_ = 0;
  int bits_ = 0;
  std::vector<std::byte> bytes_;  // and kBehind zeros
  std::vector<Part> parts_;       // ascending; of arrays of at most 2^32 voxels: none
};

}  // namespace mlarray::training
