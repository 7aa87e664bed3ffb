// The metalayer with shape, chunks, blocks and element type.
#include "codec/chunk.hpp"
#include "fuzz.hpp"
#include "grid/geometry.hpp"
#include "store/b2nd.hpp"

using namespace mlarray;

void fuzz_input(fuzz::Input input) {
  fuzz::Choices choices(input);
  const auto typesize = static_cast<std::int64_t>(choices.bits(2));
  store::B2nd value;
  if (!fuzz::accepts([&] { value = store::parse_b2nd(choices.rest(), typesize); })) return;

  fuzz::require(value.dtype.itemsize() == typesize, "the dtype has the frame's element size");
  const store::B2nd again = store::parse_b2nd(store::build_b2nd(value), typesize);
  fuzz::require(again.shape == value.shape && again.chunk == value.chunk &&
                    again.block == value.block && again.dtype == value.dtype,
                "what was read can be written and is the same");

  grid::Geometry geometry;
  if (!fuzz::accepts([&] {
        geometry = grid::Geometry(value.shape, value.chunk, value.block, typesize);
      })) {
    return;
  }
  if (geometry.chunk_count() == 0) return;
  fuzz::require(geometry.chunk_bytes() <= codec::kMaxChunkBytes, "chunks fit the format");
  fuzz::require(geometry.block_bytes() > 0 && geometry.block_bytes() <= geometry.chunk_bytes(),
                "a block is a part of its chunk");
  fuzz::require(geometry.block_bytes() * geometry.block_count() == geometry.chunk_bytes(),
                "blocks fill their chunk");
  const Box last = geometry.chunk_box(geometry.chunk_count() - 1);
  for (std::size_t axis = 0; axis < geometry.ndim(); ++axis) {
    fuzz::require(last.start[axis] < last.stop[axis] && last.stop[axis] == value.shape[axis],
                  "the last chunk ends where the array does");
  }
}
