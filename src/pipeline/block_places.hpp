// Where the blocks of a chunk are stored, for who reads some of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codec/chunk.hpp"

namespace mlarray::pipeline {

// Most writers store blocks in order, and c-blosc2 with several threads as they get ready.
class BlockPlaces {
 public:
  BlockPlaces() = default;
  // `head` and `header`: as for codec::likely_block_place(), of a chunk that is not special.
  BlockPlaces(std::span<const std::byte> head, const codec::ChunkHeader& header);

  // Up to the start of the next one that is stored, so that it may hold less than the block
  // only where blocks share bytes. The arguments as before.
  codec::Place of(std::span<const std::byte> head, const codec::ChunkHeader& header,
                  std::int32_t block) const;

 private:
  std::vector<std::uint32_t> starts_;  // ascending; empty where they are stored in order
};

}  // namespace mlarray::pipeline
