// How an array is cut into chunks (the unit of storage) and blocks (the unit of decoding).
// Pure functions; no state, safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "mlarray/export.hpp"
#include "mlarray/types.hpp"

namespace mlarray {

// Side, in voxels, of the patches that DefaultPatch stands for.
inline constexpr std::int64_t kDefaultPatchSize = 192;

// 1 <= block[i] <= chunk[i] always. Chosen layouts keep to chunk[i] <= max(shape[i], 1) as
// well; sizes that a caller asks for may reach past the array, as in every Blosc2 writer.
struct Layout {
  Shape chunk;
  Shape block;
  // The patch this layout was made for, one length per spatial axis; empty if none.
  std::vector<std::int64_t> patch;
  friend bool operator==(const Layout&, const Layout&) = default;
};

// What the caller asks for, lengths in voxels. Exactly one way: a patch (default_patch, one
// length for all spatial axes, or one length each), explicit chunk and block sizes, or
// automatic.
//   request.patch = 64;               patches of 64 voxels along each axis of space
//   request.patch = Shape{1, 256, 256};
struct DefaultPatch {};     // kDefaultPatchSize
struct AutomaticLayout {};  // no patch: in memory order, or chunk and block as given
struct LayoutRequest {
  std::variant<DefaultPatch, AutomaticLayout, std::int64_t, std::vector<std::int64_t>> patch =
      DefaultPatch{};
  std::optional<Shape> chunk = {};
  std::optional<Shape> block = {};
  // True for an axis of space, false for channels, time and the like. Empty: what the
  // metadata's axis_labels say where a file is written, and otherwise all spatial.
  std::vector<bool> spatial_axes = {};
};

// Chooses chunk and block shapes: for the patch where there is one and at least one spatial
// axis, as asked where sizes are given, and otherwise in memory order, with blocks of up to
// 128 KiB and chunks of up to 4 MiB, whatever the machine.
//
// For a patch, the spatial axes are cut by this rule; the others have length 1.
//   Block  Its rows, along the last spatial axis, have 32 voxels, though at most 128 bytes, and
//          16 or fewer where the patch is that short and twice as long along another axis; an
//          axis up to half as long again is one row. Then the axis of the block that is
//          shortest, counted in patches, is doubled, among equals the last, as long as the
//          block has at most 32 KiB and the array goes on. Where more than a fifth of an axis'
//          blocks would lie beyond the array, the axis is cut into as many equal parts, rows
//          of a multiple of 8. Where the patch is nowhere longer than 32 and voxels have 2 to 4
//          bytes, the limits are 16 KiB and 64 bytes.
//   Chunk  The block, grown likewise to at most 1 MiB, and made even likewise. Where blocks cut
//          a middle axis and none behind it, which a chunk would hold whole, chunks have half
//          of that axis: python-blosc2 3.3.4 misreads the others.
// So (448, 512, 448) voxels of 2 bytes and a patch of 64 give blocks of 16 x 32 x 32 in chunks
// of 64 x 64 x 128, as does any longer patch of equal sides. Voxels of more than 8 bytes are
// cut by layout_for_patch_nd: for them no other shape was quicker.
//   shape     lengths of the axes in voxels, 0 to 16 axes; an empty axis counts as one voxel
//   itemsize  bytes per voxel, > 0; a voxel larger than a cache makes a block of its own
// Errors: layout for an explicit patch length together with chunk or block, for one of chunk
// and block without the other, for wrong numbers of lengths, non-positive sizes and
// block > chunk; invalid_value for a negative length of the array; unsupported for a chunk
// (rounded up to whole blocks) beyond 2^31 - 33 bytes, a block beyond 536866816 bytes, and more
// than 16 axes.
MLARRAY_EXPORT Layout choose_layout(const Shape& shape, std::int64_t itemsize,
                                    const LayoutRequest& request);

// Cache sizes that the heuristics aim for: blocks fit the first, chunks the last level.
// Both >= 1, and the share of them to use in (0, 1].
struct CacheSizes {
  std::int64_t l1_bytes = 32768;
  std::int64_t l3_bytes = 1441792;
  double safety_factor = 0.8;
};

// The heuristics of both generations of the format, for tools that call them by name.
// `patch` has one length per spatial axis. Errors as choose_layout.
//
// 0.0.28 to 0.0.33: 2 or 3 spatial axes and at most one other, which blocks keep whole as
// long as the last cache holds it. Two lengths for three spatial axes are a patch of slices;
// four axes, three lengths and no mask are channels first.
MLARRAY_EXPORT Layout layout_for_patch_2d3d(const Shape& shape,
                                            const std::vector<std::int64_t>& patch,
                                            const std::vector<bool>& spatial_axes,
                                            std::int64_t itemsize, const CacheSizes& caches);
// 0.0.54: any number of axes; those that are not spatial have length 1 in chunks and blocks.
MLARRAY_EXPORT Layout layout_for_patch_nd(const Shape& shape,
                                          const std::vector<std::int64_t>& patch,
                                          const std::vector<bool>& spatial_axes,
                                          std::int64_t itemsize, const CacheSizes& caches);

}  // namespace mlarray
