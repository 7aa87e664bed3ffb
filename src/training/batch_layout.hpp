// Where the fields of a batch lie in its memory. Plain values. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mlarray/training/loader.hpp"
#include "training/convert.hpp"
#include "training/open_cases.hpp"

namespace mlarray::training {

struct FieldLayout {
  std::string name;
  DType dtype;
  Kind kind = Kind::other;
  bool is_stored = false;  // every file must have this type
  std::int64_t channels = 1;
  std::int64_t voxel_bytes = 1;
  std::int64_t item_bytes = 0;  // of one sample
  std::int64_t offset = 0;      // of the first, from the start of the batch
  Shape shape = {};             // spatial; empty: the patch
};

struct BatchLayout {
  Shape patch;
  std::int64_t voxels = 0;  // of a patch
  std::int64_t batch = 1;
  std::int64_t bytes = 0;
  std::vector<FieldLayout> fields;
  int label = -1;        // in `fields`; -1: there is none
  int first_extra = -1;  // the others follow
  int inside = -1;
};

// What batches of these options are, for cases that are as `first` is. Errors: invalid_type for
// elements that are no numbers where they are to become some; invalid_value for fill values
// that do not fit, and a batch of more than 2^62 bytes.
BatchLayout layout_of(const OpenCase& first, const std::vector<std::string>& extras,
                      const LoaderOptions& options);
BatchLayout with_batch(BatchLayout layout, std::int64_t batch);
const Shape& shape_of(const BatchLayout& layout, const FieldLayout& field);

}  // namespace mlarray::training
