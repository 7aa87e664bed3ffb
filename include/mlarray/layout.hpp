// How an array is cut into chunks (the unit of storage) and blocks (the unit of decoding).
// Pure functions; no state, safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "mlarray/types.hpp"

namespace mlarray {

// Side, in voxels, of the patches that patch_size='default' prepares for.
inline constexpr std::int64_t kDefaultPatchSize = 192;

struct Layout {
  Shape chunk;  // 1 <= chunk[i] <= max(shape[i], 1)
  Shape block;  // 1 <= block[i] <= chunk[i]
  // The patch this layout was made for, one length per spatial axis; empty if none.
  std::vector<std::int64_t> patch;
  friend bool operator==(const Layout&, const Layout&) = default;
};

// What the caller asks for. Exactly one way: a patch (default_patch, one length for all
// spatial axes, or one length each), explicit chunk and block sizes, or automatic.
struct DefaultPatch {};
struct AutomaticLayout {};
struct LayoutRequest {
  std::variant<DefaultPatch, AutomaticLayout, std::int64_t, std::vector<std::int64_t>> patch =
      DefaultPatch{};
  std::optional<Shape> chunk;
  std::optional<Shape> block;
  // True for an axis of space, false for channels, time and the like; empty: all spatial.
  std::vector<bool> spatial_axes;
  // Was `patch` given by the caller (and not just left at its default)?
  bool patch_is_explicit = false;
};

// Chooses chunk and block shapes.
//   shape     lengths of the axes in voxels, 0 to 16 axes, lengths may be 0
//   itemsize  bytes per voxel, > 0
// Errors: invalid_use for a patch together with chunk or block, and for a chunk without a
// block; invalid_value for wrong lengths, non-positive sizes and block > chunk;
// unsupported for a chunk (rounded up to whole blocks) beyond 2^31 - 33 bytes.
Layout choose_layout(const Shape& shape, std::int64_t itemsize, const LayoutRequest& request);

// Cache sizes that the heuristics aim for.
struct CacheSizes {
  std::int64_t l1_bytes = 32768;
  std::int64_t l3_bytes = 1441792;
  double safety_factor = 0.8;
};

// The heuristics of both generations of the format, for tools that call them by name.
// `patch` has one length per spatial axis. Errors as choose_layout.
Layout layout_for_patch_2d3d(const Shape& shape, const std::vector<std::int64_t>& patch,
                             const std::vector<bool>& spatial_axes, std::int64_t itemsize,
                             const CacheSizes& caches);
Layout layout_for_patch_nd(const Shape& shape, const std::vector<std::int64_t>& patch,
                           const std::vector<bool>& spatial_axes, std::int64_t itemsize,
                           const CacheSizes& caches);

}  // namespace mlarray
