#include "training/packed_positions.hpp"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "codec/bytes.hpp"
#include "mlarray/error.hpp"

namespace mlarray::training {
namespace {

constexpr int kMostBits = 32;

[[noreturn]] void throw_damaged(const std::string& how) {
  throw Error(ErrorKind::corruption, "the label index is damaged: " + how);
}

}  // namespace

int PackedPositions::bits(std::int64_t voxels) {
  const auto last = static_cast<std::uint64_t>(std::max<std::int64_t>(voxels, 1) - 1);
  return std::clamp(static_cast<int>(std::bit_width(last)), 1, kMostBits);
}

std::uint64_t PackedPositions::packed_bytes(std::int64_t size, std::int64_t voxels) {
  // At most 2^63 numbers of 32 bits: by bytes first.
  const auto n = static_cast<std::uint64_t>(size);
  const auto width = static_cast<std::uint64_t>(bits(voxels));
  return n / 8 * width + (n % 8 * width + 7) / 8;
}

PackedPositions::PackedPositions(std::span<const std::int64_t> numbers, std::int64_t voxels)
    : size_(static_cast<std::int64_t>(numbers.size())),
      bits_(bits(voxels)),
      bytes_(static_cast<std::size_t>(packed_bytes(size_, voxels)) + kBehind) {
  const bool in_parts = voxels > std::int64_t{1} << kMostBits;
  std::size_t at = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i, at += static_cast<std::size_t>(bits_)) {
    const auto number = static_cast<std::uint64_t>(numbers[i]);
    const auto upper = static_cast<std::uint32_t>(number >> kMostBits);
    if (in_parts && (parts_.empty() || parts_.back().upper != upper)) {
      parts_.push_back({upper, i});
    }
    const std::uint64_t low = (number & 0xffffffff) << (at % 8);
    std::uint64_t there = codec::load_u64(bytes_.data() + at / 8);
    codec::store_u64(bytes_, at / 8, there | low);
  }
}

PackedPositions::PackedPositions(std::int64_t size, std::int64_t voxels,
                                 std::span<const std::byte> packed, std::vector<Part> parts)
    : size_(size), bits_(bits(voxels)), parts_(std::move(parts)) {
  if (packed.size() != packed_bytes(size, voxels)) throw_damaged("positions are missing");
  bytes_.reserve(packed.size() + kBehind);
  bytes_.assign(packed.begin(), packed.end());
  bytes_.resize(packed.size() + kBehind);
  const bool in_parts = size > 0 && voxels > std::int64_t{1} << kMostBits;
  if (in_parts ? parts_.empty() || parts_[0].first != 0 : !parts_.empty()) {
    throw_damaged("the parts of its positions do not fit the array");
  }
  for (std::size_t i = 1; i < parts_.size(); ++i) {
    if (parts_[i].upper <= parts_[i - 1].upper || parts_[i].first <= parts_[i - 1].first ||
        parts_[i].first >= static_cast<std::uint64_t>(size)) {
      throw_damaged("the parts of its positions do not ascend");
    }
  }
  std::int64_t last = -1;
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t number = at(i);
    if (number <= last || number >= voxels) {
      throw_damaged("its position " + std::to_string(i) + " of a class is voxel " +
                    std::to_string(number) + " of " + std::to_string(voxels) + ", after " +
                    std::to_string(last));
    }
    last = number;
  }
}

std::int64_t PackedPositions::at(std::int64_t i) const {
  const auto n = static_cast<std::uint64_t>(i);
  const auto width = static_cast<std::uint64_t>(bits_);
  const auto byte = static_cast<std::size_t>(n / 8 * width + n % 8 * width / 8);
  const std::uint64_t low = codec::load_u64(bytes_.data() + byte) >> (n % 8 * width % 8) &
                            ((std::uint64_t{1} << width) - 1);
  if (parts_.empty()) return static_cast<std::int64_t>(low);
  const auto part = std::upper_bound(
      parts_.begin(), parts_.end(), n,
      [](std::uint64_t number, const Part& entry) { return number < entry.first; });
  return static_cast<std::int64_t>(std::uint64_t{std::prev(part)->upper} << kMostBits | low);
}

std::span<const std::byte> PackedPositions::packed() const {
  if (bytes_.empty()) return {};
  return std::span(bytes_).first(bytes_.size() - kBehind);
}

}  // namespace mlarray::training
