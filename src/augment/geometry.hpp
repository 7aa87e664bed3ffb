// Sizes and places inside apply(): always three axes, of which the first has length 1 where an
// image has two. Internal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "mlarray/augment/pipeline.hpp"

namespace mlarray::augment {

using Size = std::array<std::int64_t, 3>;

inline Size lift(const Shape& shape, std::int64_t fill = 1) {
  Size size = {fill, fill, fill};
  const std::size_t skipped = size.size() - shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i) size[skipped + i] = shape[i];
  return size;
}

inline std::int64_t volume(const Size& size) { return size[0] * size[1] * size[2]; }

// Voxels of the source. `origin`: where the first one is in the initial patch.
template <class T>
struct Volume {
  const T* data = nullptr;
  Size size = {};
  std::int64_t step_z = 0, step_y = 0;  // in elements
  Size origin = {};
};

// Voxel o of the patch is at matrix * o + start of the initial patch; flips are in it.
struct Warp {
  std::array<double, 9> matrix = {};
  std::array<double, 3> start = {};
  bool planar = false;  // o[0] stays as it is
};

// Of the pipeline: what its `drawn` says.
Warp warp_of(const Pipeline& pipeline, const Drawn& drawn);
std::array<bool, 3> flips_of(const Pipeline& pipeline, const Drawn& drawn);
// First voxel of the copy that is made where nothing is warped.
Size copy_start(const Pipeline& pipeline);

// Memory that grows and is not set to anything.
template <class T>
class Buffer {
 public:
  T* need(std::int64_t count) {
    if (count > size_) {
      data_ = std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(count));
      size_ = count;
    }
    return data_.get();
  }

 private:
  std::unique_ptr<T[]> data_;
  std::int64_t size_ = 0;
};

struct Workspace::Impl {
  Buffer<std::int32_t> ints;
  Buffer<float> floats;
  Buffer<float> rows;
  Buffer<std::int32_t> tables;
  Buffer<float> shares;
  Buffer<std::uint8_t> cells;
  Buffer<std::int16_t> wide_cells;
  Buffer<std::int16_t> labels;
  Buffer<std::int16_t> corners;
  Buffer<std::int16_t> label_row;
  Buffer<std::int32_t> ballot_ints;
  Buffer<float> ballot_floats;
  Buffer<std::uint8_t> ballot_bits;
  Buffer<std::int64_t> ballot_out;
};

}  // namespace mlarray::augment
