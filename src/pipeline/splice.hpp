// Edits by block: of a chunk that an edit meets in part, the blocks that it does not meet stay
// as they are stored, and only the others are encoded.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "grid/geometry.hpp"
#include "mlarray/options.hpp"
#include "mlarray/types.hpp"
#include "pipeline/encode_chunks.hpp"
#include "store/chunk_store.hpp"

namespace mlarray::pipeline {

// New voxels in a box inside the array, not empty.
struct BoxEdit {
  const Box& box;
  const ConstArrayView& voxels;
};

// Edits those of the chunks `numbers` (ascending) for which this is quicker and possible, and
// hands them over in their order. Returns the others, which are to be encoded as a whole: what
// the edit meets in most of their blocks, holds no blocks that stand for themselves (special,
// stored, DELTA, a dictionary), has other parameters than `codec`, or would not shrink.
//
// A chunk that is taken has the old one's header but for its length, and its blocks one behind
// another in their order, so that no two share bytes. Its sums are new, since the length is
// part of each. What is kept is verified, whatever was found before or is asked of reads: the
// copied bytes against the recorded sum; without one a block has to decode.
// Errors: corruption naming chunk and block; io; what `take` throws.
std::vector<std::int64_t> splice_chunks(const store::ChunkStore& store,
                                        const grid::Geometry& geometry, const BoxEdit& edit,
                                        std::span<const std::int64_t> numbers,
                                        const CodecParams& codec, int threads,
                                        const TakeChunk& take);

}  // namespace mlarray::pipeline
