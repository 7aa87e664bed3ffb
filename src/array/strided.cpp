#include "array/strided.hpp"

#include <array>
#include <cstring>

#include "mlarray/types.hpp"

namespace mlarray::array {
namespace {

struct Axis {
  std::int64_t length;
  std::int64_t target_stride;
  std::int64_t source_stride;
};

// A row of elements that is not one run. Fixed sizes let the compiler emit plain loads.
template <std::size_t kSize>
void copy_row(std::byte* target, const std::byte* source, const Axis& axis) {
  for (std::int64_t i = 0; i < axis.length; ++i) {
    std::memcpy(target, source, kSize);
    target += axis.target_stride;
    source += axis.source_stride;
  }
}

void copy_row_any(std::byte* target, const std::byte* source, const Axis& axis,
                  std::int64_t itemsize) {
  switch (itemsize) {
    case 1:
      return copy_row<1>(target, source, axis);
    case 2:
      return copy_row<2>(target, source, axis);
    case 4:
      return copy_row<4>(target, source, axis);
    case 8:
      return copy_row<8>(target, source, axis);
    case 16:
      return copy_row<16>(target, source, axis);
    default:
      for (std::int64_t i = 0; i < axis.length; ++i) {
        std::memcpy(target, source, static_cast<std::size_t>(itemsize));
        target += axis.target_stride;
        source += axis.source_stride;
      }
  }
}

}  // namespace

void copy_box(std::byte* target, std::span<const std::int64_t> target_strides,
              const std::byte* source, std::span<const std::int64_t> source_strides,
              std::span<const std::int64_t> shape, std::int64_t itemsize) {
  // Collect axes of length > 1, innermost first; fold contiguous ones into the run.
  std::array<Axis, kMaxDims> axes;
  std::size_t count = 0;
  std::int64_t run = itemsize;
  bool folding = true;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] <= 0) return;
    if (shape[i] == 1) continue;
    if (folding && target_strides[i] == run && source_strides[i] == run) {
      run *= shape[i];
      continue;
    }
    folding = false;
    if (count > 0) {
      Axis& inner = axes[count - 1];
      if (target_strides[i] == inner.target_stride * inner.length &&
          source_strides[i] == inner.source_stride * inner.length) {
        inner.length *= shape[i];
        continue;
      }
    }
    axes[count++] = {shape[i], target_strides[i], source_strides[i]};
  }
  const auto run_bytes = static_cast<std::size_t>(run);
  if (count == 0) {
    std::memcpy(target, source, run_bytes);
    return;
  }
  // The innermost loop is axes[0]; the others advance like an odometer.
  std::array<std::int64_t, kMaxDims> position{};
  for (;;) {
    if (run == itemsize) {
      copy_row_any(target, source, axes[0], itemsize);
    } else {
      std::byte* t = target;
      const std::byte* s = source;
      for (std::int64_t i = 0; i < axes[0].length; ++i) {
        std::memcpy(t, s, run_bytes);
        t += axes[0].target_stride;
        s += axes[0].source_stride;
      }
    }
    std::size_t axis = 1;
    for (; axis < count; ++axis) {
      target += axes[axis].target_stride;
      source += axes[axis].source_stride;
      if (++position[axis] < axes[axis].length) break;
      target -= axes[axis].target_stride * axes[axis].length;
      source -= axes[axis].source_stride * axes[axis].length;
      position[axis] = 0;
    }
    if (axis == count) return;
  }
}

}  // namespace mlarray::array
