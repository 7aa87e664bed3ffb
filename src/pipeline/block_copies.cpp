#include "pipeline/block_copies.hpp"

#include "codec/decoder.hpp"

namespace mlarray::pipeline {

bool BlockCopies::fetch(const store::ChunkStore& store, const DecodeJob& chunk,
                        const BlockPlaces& places, std::span<const std::int32_t> blocks) {
  constexpr std::size_t kMostBytes = std::size_t{1} << 20;  // what stays in a cache
  const store::ChunkRef& ref = chunk.ref();
  if (blocks.size() > kMost || ref.offset == store::ChunkRef::kInMemory ||
      !store.prefers_copies() || !codec::blocks_stand_alone(chunk.header())) {
    return false;
  }
  std::array<codec::Place, kMost> found;
  std::size_t total = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    found[i] = places.of(ref.head.data, chunk.header(), blocks[i]);
    total += found[i].length;
    if (store.has_views() && total > kMostBytes) return false;
  }
  std::span<std::byte> rest = place_.get(total);
  for (std::size_t first = 0; first < blocks.size();) {
    // Neighbours in the file are copied at once.
    std::size_t last = first;
    std::size_t end = found[first].offset + found[first].length;
    while (last + 1 < blocks.size() && found[last + 1].offset == end) {
      end += found[++last].length;
    }
    const std::size_t length = end - found[first].offset;
    if (!store.copy({ref.offset + found[first].offset, length}, rest.first(length))) {
      return false;
    }
    for (; first <= last; ++first) {
      stored_[first] = rest.first(found[first].length);
      rest = rest.subspan(found[first].length);
    }
  }
  return true;
}

}  // namespace mlarray::pipeline
