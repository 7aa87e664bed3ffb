#include "pipeline/block_places.hpp"

#include <algorithm>

#include "codec/bytes.hpp"

namespace mlarray::pipeline {

BlockPlaces::BlockPlaces(std::span<const std::byte> head, const codec::ChunkHeader& header) {
  if (header.memcpyed) return;
  const auto count = static_cast<std::size_t>(header.block_count());
  const auto start = [&](std::size_t block) {
    return codec::load_i32(head, codec::kChunkHeaderBytes + 4 * block);
  };
  std::size_t in_order = 1;
  while (in_order < count && start(in_order - 1) < start(in_order)) ++in_order;
  if (in_order >= count) return;
  starts_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    starts_.push_back(static_cast<std::uint32_t>(start(i)));
  }
  std::sort(starts_.begin(), starts_.end());
}

codec::Place BlockPlaces::of(std::span<const std::byte> head, const codec::ChunkHeader& header,
                             std::int32_t block) const {
  codec::Place place = codec::likely_block_place(head, header, block);
  if (starts_.empty()) return place;
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), place.offset);
  const std::size_t end =
      next != starts_.end() ? *next : static_cast<std::size_t>(header.cbytes);
  place.length = end - place.offset;
  return place;
}

}  // namespace mlarray::pipeline
