// A file of metadata without voxels: for boxes, labels or statistics of an image that lies
// elsewhere. Array::open opens it as an empty array; Metadata::has_array() tells it from
// others.
#pragma once

#include <filesystem>

#include "mlarray/export.hpp"
#include "mlarray/metadata.hpp"
#include "mlarray/options.hpp"

namespace mlarray {

// Of `options`, what says how voxels are cut and compressed has no effect. The lengths of
// fields are compared with each other, since there is no array. Errors: as Array::save_voxels.
MLARRAY_EXPORT void save_metadata(const std::filesystem::path& path, const Metadata& metadata,
                                  const SaveOptions& options = {});

}  // namespace mlarray
