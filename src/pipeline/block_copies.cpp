#include "pipeline/block_copies.hpp"

#include "codec/decoder.hpp"

namespace mlarray::pipeline {

bool BlockCopies::fetch(const store::ChunkStore& store, const store::ChunkRef& chunk,
                        const codec::ChunkHeader& header,
                        std::span<const std::int32_t> blocks) {
  constexpr std::size_t kMostBytes = std::size_t{1} << 20;  // what stays in a cache
  if (blocks.size() > kMost || chunk.offset == store::ChunkRef::kInMemory ||
      !store.prefers_copies() || !codec::blocks_stand_alone(header)) {
    return false;
  }
  std::array<codec::Place, kMost> places;
  std::size_t total = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    places[i] = codec::likely_block_place(chunk.head.data, header, blocks[i]);
    total += places[i].length;
    if (places[i].length == 0 || total > kMostBytes) return false;
  }
  std::span<std::byte> rest = place_.get(total);
  for (std::size_t first = 0; first < blocks.size();) {
    // Neighbours in the file are copied at once.
    std::size_t last = first;
    std::size_t end = places[first].offset + places[first].length;
    while (last + 1 < blocks.size() && places[last + 1].offset == end) {
      end += places[++last].length;
    }
    const std::size_t length = end - places[first].offset;
    if (!store.copy({chunk.offset + places[first].offset, length}, rest.first(length))) {
      return false;
    }
    for (; first <= last; ++first) {
      stored_[first] = rest.first(places[first].length);
      rest = rest.subspan(places[first].length);
    }
  }
  return true;
}

}  // namespace mlarray::pipeline
