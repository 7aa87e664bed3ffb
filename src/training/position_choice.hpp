// Which voxels of a class a label index keeps: those whose numbers have the smallest hashes.
// The choice is uniform and depends on the map alone: not on threads, chunks or the order of
// reading. On disk: do not change (docs/format.md, "Label index").
#pragma once

#include <cstdint>
#include <vector>

namespace mlarray::training {

// The key of voxel n: above, a hash of n of 32 bits; below, the upper half of n. Different
// voxels have different keys, and n is found again from its key. The hash is the finalizer of
// MurmurHash3 (Appleby 2008), which is one to one.
class PositionKey {
 public:
  static constexpr std::uint32_t hash(std::uint32_t lower, std::uint32_t salt) {
    return mix(lower ^ salt);
  }
  static constexpr std::uint32_t salt(std::uint32_t upper) { return mix(upper) ^ kSalt; }

  static constexpr std::uint64_t of(std::uint64_t number) {
    const auto upper = static_cast<std::uint32_t>(number >> 32);
    return std::uint64_t{hash(static_cast<std::uint32_t>(number), salt(upper))} << 32 | upper;
  }
  static constexpr std::int64_t number(std::uint64_t key) {
    const auto upper = static_cast<std::uint32_t>(key);
    const std::uint32_t lower = unmix(static_cast<std::uint32_t>(key >> 32)) ^ salt(upper);
    return static_cast<std::int64_t>(std::uint64_t{upper} << 32 | lower);
  }

 private:
  static constexpr std::uint32_t kSalt = 0x9e3779b9;
  static constexpr std::uint32_t mix(std::uint32_t x) {
    x = (x ^ (x >> 16)) * 0x85ebca6b;
    x = (x ^ (x >> 13)) * 0xc2b2ae35;
    return x ^ (x >> 16);
  }
  static constexpr std::uint32_t unmix(std::uint32_t x) {
    x = (x ^ (x >> 16)) * 0x7ed1b41d;
    x ^= x >> 13 ^ x >> 26;
    x *= 0xa5cb9243;
    return x ^ (x >> 16);
  }
};
static_assert(PositionKey::number(PositionKey::of(0x123456789abcdef)) == 0x123456789abcdef);

// The smallest keys of one class, of those that were offered. Not synchronised.
class PositionChoice {
 public:
  // Voxels first ... first + count - 1. At least the `most` smallest keys of all stay.
  void offer(std::uint64_t first, std::uint64_t count, std::size_t most);
  void take(const PositionChoice& other) {
    keys_.insert(keys_.end(), other.keys_.begin(), other.keys_.end());
  }
  // Forgets all but the `most` smallest.
  void shrink(std::size_t most);
  // The voxels of all keys that are left, ascending.
  std::vector<std::int64_t> numbers() const;

 private:
  void offer_part(std::uint64_t first, std::uint32_t count, std::size_t most);

  std::vector<std::uint64_t> keys_;
  std::uint32_t bound_ = ~std::uint32_t{0};  // hashes above it are not wanted any more
};

}  // namespace mlarray::training
