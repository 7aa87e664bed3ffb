#include "mlarray/training/normalize.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "base/views.hpp"
#include "grid/strided.hpp"
#include "mlarray/error.hpp"
#include "training/convert.hpp"

namespace mlarray::training {
namespace {

Kind checked_kind(const ConstArrayView& voxels, const DType& dtype) {
  base::check_view(voxels, dtype.itemsize());
  const Kind kind = kind_of(dtype);
  if (kind == Kind::other) {
    throw Error(ErrorKind::invalid_type,
                "voxels of type " + base::quote(dtype.text()) +
                    " cannot be scaled; give real numbers in this machine's byte order");
  }
  return kind;
}

// Calls `body` with the voxels in C order without gaps.
template <class Body>
auto with_dense(const ConstArrayView& voxels, std::int64_t itemsize, Body body) {
  const std::vector<std::int64_t> strides = c_strides(voxels.shape, itemsize);
  const std::int64_t count = element_count(voxels.shape);
  if (count == 0 || voxels.strides == strides) return body(voxels.data, count);
  std::vector<std::byte> dense(static_cast<std::size_t>(count * itemsize));
  grid::copy_box(dense.data(), strides, voxels.data, voxels.strides, voxels.shape, itemsize);
  return body(static_cast<const std::byte*>(dense.data()), count);
}

}  // namespace

void normalize(const ConstArrayView& voxels, const DType& dtype,
               const Normalization::Channel& channel, std::span<float> out) {
  const Kind kind = checked_kind(voxels, dtype);
  const std::int64_t wanted = element_count(voxels.shape);
  if (static_cast<std::int64_t>(out.size()) != wanted) {
    throw Error(ErrorKind::invalid_value, "voxels of shape " + to_string(voxels.shape) +
                                              " do not fit into " + std::to_string(out.size()) +
                                              " floats");
  }
  check_channel(channel, "the normalisation");
  const Scaling scaling = scaling_of(channel);
  with_dense(voxels, dtype.itemsize(), [&](const std::byte* dense, std::int64_t count) {
    // A float32 holds whatever a number becomes, so that nothing is out of range.
    convert(kind, dense, Kind::f32, std::as_writable_bytes(out).data(), count, &scaling);
  });
}

Normalization::Channel channel_of(const ConstArrayView& voxels, const DType& dtype) {
  const Kind kind = checked_kind(voxels, dtype);
  const Moments found =
      with_dense(voxels, dtype.itemsize(), [&](const std::byte* dense, std::int64_t count) {
        return moments(kind, dense, count, nullptr);
      });
  return {found.mean, found.std, {}, {}};
}

}  // namespace mlarray::training
