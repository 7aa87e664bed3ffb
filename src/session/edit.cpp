#include "session/edit.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/mutants.hpp"
#include "grid/gather.hpp"
#include "mlarray/error.hpp"
#include "pipeline/read_box.hpp"
#include "pipeline/splice.hpp"

namespace mlarray::session {
namespace {

std::vector<std::int64_t> chunks_in(const grid::Geometry& geometry, const Box& box) {
  return grid::Geometry::numbers(grid::Geometry::cells(box, geometry.chunk()),
                                 geometry.chunk_grid());
}

}  // namespace

std::shared_ptr<const Snapshot> with_voxels(const Snapshot& now, const Box& box,
                                            const ConstArrayView& voxels,
                                            const CodecParams& codec, int threads,
                                            const PutChunk& put) {
  const grid::Geometry& geometry = now.geometry();
  const auto fill = [&](std::int64_t number, std::span<std::byte> chunk) {
    const Box whole = geometry.chunk_box(number);
    const Box part = grid::intersect(whole, box);
    if (part.start == whole.start && part.stop == whole.stop) {
      if (!grid::fills_padding(geometry, part)) {
        std::fill(chunk.begin(), chunk.end(), std::byte{0});
      }
    } else {
      io::checked(*now.chunks, [&] {
        const bool verify = !base::mutant("unverified_sums");
        pipeline::read_chunk(*now.chunks, geometry, number, chunk, verify);
      });
    }
    grid::gather(geometry, number, part, voxels, box.start, chunk);
  };
  store::ChunkStore chunks = *now.chunks;
  const pipeline::TakeChunk take = [&](pipeline::EncodedChunk&& chunk) {
    put(chunks, std::move(chunk));
  };
  const std::vector<std::int64_t> whole = io::checked(*now.chunks, [&] {
    return pipeline::splice_chunks(*now.chunks, geometry, {box, voxels},
                                   chunks_in(geometry, box), codec, threads, take);
  });
  pipeline::encode_chunks(whole, geometry, codec, threads, fill, take);
  auto next = std::make_shared<Snapshot>(now);
  next->chunks = std::make_shared<const store::ChunkStore>(std::move(chunks));
  ++next->voxel_edits;
  if (!base::mutant("records_kept")) next->records.reset();  // they were of other voxels
  return next;
}

std::shared_ptr<const Snapshot> with_metadata(const Snapshot& now, const Metadata& metadata) {
  const auto options = io::checked(*now.chunks, [&] {
    return store::MetadataLayerOptions{
        {}, now.has_array(), MetadataEncoding::current, now.layers->stored_metadata()};
  });
  store::StoredLayers layers = *now.layers;
  layers.set(store::kMetadataLayer, store::build_metadata_layer(metadata, *now.array, options));
  auto next = std::make_shared<Snapshot>(now);
  next->layers = std::make_shared<const store::StoredLayers>(std::move(layers));
  return next;
}

}  // namespace mlarray::session
