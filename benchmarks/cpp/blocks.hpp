// The blocks that a box meets, for programs that decode these and nothing else.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "codec/decoder.hpp"
#include "grid/geometry.hpp"
#include "session/snapshot.hpp"
#include "store/block_check.hpp"

namespace mlarray::benchmarks {

// One block that a patch meets.
struct Block {
  std::int64_t chunk = 0;
  std::int32_t number = 0;
  store::ChunkRef ref;
  codec::ChunkHeader header;
};

inline std::vector<Block> blocks_of(const session::Snapshot& state, const Box& box) {
  const grid::Geometry& geometry = state.geometry();
  std::vector<Block> blocks;
  const Box cells = grid::Geometry::cells(box, geometry.chunk());
  const Shape grid = cells.shape();
  for (std::int64_t i = 0; i < element_count(grid); ++i) {
    Shape position = grid::Geometry::unravel(i, grid);
    Box part = box;
    for (std::size_t a = 0; a < position.size(); ++a) {
      position[a] += cells.start[a];
      const std::int64_t corner = position[a] * geometry.chunk()[a];
      part.start[a] = std::max(box.start[a] - corner, std::int64_t{0});
      part.stop[a] = std::min(box.stop[a] - corner, geometry.chunk()[a]);
    }
    const std::int64_t number = grid::Geometry::ravel(position, geometry.chunk_grid());
    const store::ChunkRef ref = state.chunks->get(number);
    if (ref.special != codec::Special::none) continue;
    const codec::ChunkHeader header = store::checked_header(ref, geometry, number);
    if (header.special != codec::Special::none || header.whole_only()) continue;
    const Box met = grid::Geometry::cells(part, geometry.block());
    const Shape met_grid = met.shape();
    for (std::int64_t j = 0; j < element_count(met_grid); ++j) {
      Shape block = grid::Geometry::unravel(j, met_grid);
      for (std::size_t a = 0; a < block.size(); ++a) block[a] += met.start[a];
      const auto in_chunk = grid::Geometry::ravel(block, geometry.block_grid());
      blocks.push_back({number, static_cast<std::int32_t>(in_chunk), ref, header});
    }
  }
  return blocks;
}

}  // namespace mlarray::benchmarks
