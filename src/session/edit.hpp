// Edits of voxels: the state that follows from a state.
#pragma once

#include <functional>
#include <memory>

#include "mlarray/options.hpp"
#include "mlarray/types.hpp"
#include "pipeline/encode_chunks.hpp"
#include "session/snapshot.hpp"

namespace mlarray::session {

// Puts an encoded chunk where it is to be found, and into `chunks`. One call at a time.
using PutChunk = std::function<void(store::ChunkStore& chunks, pipeline::EncodedChunk&& chunk)>;

// `now` with other voxels in `box` (inside the array, not empty). Only blocks that the box
// meets are encoded, where a chunk allows it (pipeline/splice.hpp). What is kept of a chunk is
// verified, whatever OpenOptions::verify says: its blocks get new sums, which would make damage
// look right.
// Errors: corruption; what `put` throws. Nothing of `now` changes.
std::shared_ptr<const Snapshot> with_voxels(const Snapshot& now, const Box& box,
                                            const ConstArrayView& voxels,
                                            const CodecParams& codec, int threads,
                                            const PutChunk& put);

// `now` with other metadata. Errors: what the metadata's check gives.
std::shared_ptr<const Snapshot> with_metadata(const Snapshot& now, const Metadata& metadata);

}  // namespace mlarray::session
