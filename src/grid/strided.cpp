#include "grid/strided.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "grid/interleave.hpp"
#include "grid/loops.hpp"

namespace mlarray::grid {
namespace {

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

// A few steps of a fixed size cost less than a call of memcpy.
void copy_run(std::byte* to, const std::byte* from, std::size_t bytes) {
  constexpr std::size_t kStep = 16;
  constexpr std::size_t kMost = 256;
  if (bytes < kStep || bytes > kMost) {
    std::memcpy(to, from, bytes);
    return;
  }
  const std::size_t last = bytes - kStep;
  for (std::size_t at = 0; at < last; at += kStep) std::memcpy(to + at, from + at, kStep);
  std::memcpy(to + last, from + last, kStep);
}

template <std::size_t kPlanes>
void interleave_loops(std::byte* target, std::span<const std::byte* const> planes,
                      const Loops& loops, std::span<const std::byte> ahead) {
  const Axis rows = loops.count > 0 ? loops.axes[0] : Axis{1, 0, 0};
  const std::byte* const* from = planes.data();
  Requests requests(loops.run * static_cast<std::int64_t>(kPlanes), rows.target_stride, ahead);
  for_each_row(loops, [&](std::int64_t target_at, std::int64_t source_at) {
    std::byte* to = target + target_at;
    std::int64_t at = source_at;
    for (std::int64_t i = 0; i < rows.length; ++i) {
      requests.before_row(to);
      interleave_run<kPlanes>(to, from, at, loops.run);
      to += rows.target_stride;
      at += rows.source_stride;
    }
  });
}

}  // namespace

void copy_box(std::byte* target, std::span<const std::int64_t> target_strides,
              const std::byte* source, std::span<const std::int64_t> source_strides,
              std::span<const std::int64_t> shape, std::int64_t itemsize,
              std::span<const std::byte> ahead) {
  Loops loops;
  if (!plan_loops(target_strides, source_strides, shape, itemsize, itemsize, loops)) return;
  const std::int64_t run_bytes = loops.run * itemsize;
  if (loops.count == 0) {
    std::memcpy(target, source, static_cast<std::size_t>(run_bytes));
    return;
  }
  const Axis& rows = loops.axes[0];
  Requests requests(run_bytes, rows.target_stride, ahead);
  for_each_row(loops, [&](std::int64_t target_at, std::int64_t source_at) {
    std::byte* to = target + target_at;
    const std::byte* from = source + source_at;
    if (loops.run == 1) return copy_row_any(to, from, rows, itemsize);
    for (std::int64_t i = 0; i < rows.length; ++i) {
      requests.before_row(to);
      copy_run(to, from, static_cast<std::size_t>(run_bytes));
      to += rows.target_stride;
      from += rows.source_stride;
    }
  });
}

void interleave_box(std::byte* target, std::span<const std::int64_t> target_strides,
                    std::span<const std::byte* const> planes,
                    std::span<const std::int64_t> source_strides,
                    std::span<const std::int64_t> shape, std::span<const std::byte> ahead) {
  Loops loops;
  const auto itemsize = static_cast<std::int64_t>(planes.size());
  if (!plan_loops(target_strides, source_strides, shape, itemsize, 1, loops)) return;
  if (itemsize == 2) return interleave_loops<2>(target, planes, loops, ahead);
  if (itemsize == 4) return interleave_loops<4>(target, planes, loops, ahead);
  interleave_loops<8>(target, planes, loops, ahead);
}

void fill_box(std::byte* target, std::span<const std::int64_t> target_strides,
              std::span<const std::byte> element, std::span<const std::int64_t> shape) {
  // The element lies once for every place of the last axes, as far as they are short; the
  // others copy it again and again.
  constexpr std::int64_t kEnough = std::int64_t{64} << 10;
  const auto itemsize = static_cast<std::int64_t>(element.size());
  std::array<std::int64_t, kMaxDims> strides{};
  std::int64_t bytes = itemsize;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] <= 0 || bytes > kEnough / shape[i]) break;
    strides[i] = bytes;
    bytes *= shape[i];
  }
  if (std::any_of(shape.begin(), shape.end(), [](std::int64_t n) { return n <= 0; })) return;
  std::vector<std::byte> repeated;
  repeated.reserve(static_cast<std::size_t>(bytes));
  for (std::int64_t i = 0; i < bytes; i += itemsize) {
    repeated.insert(repeated.end(), element.begin(), element.end());
  }
  copy_box(target, target_strides, repeated.data(), std::span(strides).first(shape.size()),
           shape, itemsize);
}

}  // namespace mlarray::grid
