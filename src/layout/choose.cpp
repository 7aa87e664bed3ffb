// Which of the ways to cut an array the caller asked for.
#include <algorithm>
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "layout/limits.hpp"
#include "mlarray/error.hpp"

namespace mlarray {
namespace {

Layout explicit_layout(const Shape& shape, std::int64_t itemsize, const Shape& chunk,
                       const Shape& block) {
  Layout result{chunk, block, {}};
  const auto check = [&](const char* name, Shape& sizes) {
    if (sizes.size() != shape.size()) {
      throw Error(ErrorKind::layout,
                  std::string(name) + " " + to_string(sizes) + " has " +
                      std::to_string(sizes.size()) + " lengths, but the array has " +
                      std::to_string(shape.size()) + " axes; give one length for each");
    }
    for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
      // Files of other writers cut an empty axis into chunks of length 0; saving such an array
      // again must not fail.
      if (sizes[axis] == 0 && shape[axis] == 0) sizes[axis] = 1;
      if (sizes[axis] < 1) {
        throw Error(ErrorKind::layout, std::string(name) + " " + to_string(sizes) +
                                           " has a length below 1; use 1 or more");
      }
    }
  };
  check("chunk_size", result.chunk);
  check("block_size", result.block);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (result.block[axis] > result.chunk[axis]) {
      throw Error(ErrorKind::layout, "block_size " + to_string(block) +
                                         " is larger than chunk_size " + to_string(chunk) +
                                         " on axis " + std::to_string(axis) +
                                         "; a chunk is made of whole blocks");
    }
  }
  layout::check_sizes(result, itemsize);
  return result;
}

}  // namespace

Layout choose_layout(const Shape& shape, std::int64_t itemsize, const LayoutRequest& request) {
  layout::check_array(shape, itemsize);
  const auto* one_length = std::get_if<std::int64_t>(&request.patch);
  const auto* lengths = std::get_if<std::vector<std::int64_t>>(&request.patch);

  if (request.chunk || request.block) {
    if (one_length != nullptr || lengths != nullptr) {
      throw Error(ErrorKind::layout,
                  "patch_size cannot be given together with chunk_size and block_size; "
                  "give either the patch or the sizes");
    }
    if (!request.chunk || !request.block) {
      throw Error(ErrorKind::layout, std::string(request.chunk ? "chunk_size" : "block_size") +
                                         " was given without " +
                                         (request.chunk ? "block_size" : "chunk_size") +
                                         "; give both or neither");
    }
    return explicit_layout(shape, itemsize, *request.chunk, *request.block);
  }

  const std::vector<bool> spatial = layout::complete_mask(shape, request.spatial_axes);
  const auto spatial_ndim =
      static_cast<std::size_t>(std::count(spatial.begin(), spatial.end(), true));
  std::vector<std::int64_t> patch;
  if (!std::holds_alternative<AutomaticLayout>(request.patch)) {
    if (lengths != nullptr) {
      patch = *lengths;
    } else if (one_length != nullptr) {
      layout::check_patch({*one_length}, 1);
      patch.assign(spatial_ndim, *one_length);
    } else {
      patch.assign(spatial_ndim, kDefaultPatchSize);
    }
    layout::check_patch(patch, spatial_ndim);
  }
  // A patch is a piece of space: where the array has none of it, there is nothing to prepare
  // for, and blocks of one voxel would be the result.
  if (patch.empty()) return layout::automatic_layout(shape, itemsize);
  if (itemsize <= layout::kMostRowsItemsize) {
    return layout::rows_layout(shape, patch, spatial, itemsize);
  }
  return layout_for_patch_nd(shape, patch, spatial, itemsize, CacheSizes{});
}

}  // namespace mlarray
