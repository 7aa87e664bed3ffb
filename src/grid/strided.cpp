#include "grid/strided.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "grid/interleave.hpp"
#include "mlarray/types.hpp"

namespace mlarray::grid {
namespace {

struct Axis {
  std::int64_t length;
  std::int64_t target_stride;
  std::int64_t source_stride;
};

// A box as the loops go over it.
struct Loops {
  std::array<Axis, kMaxDims> axes;  // of length > 1, innermost first; neighbours are merged
  std::size_t count = 0;
  std::int64_t run = 1;  // elements below axes[0] that follow one another on both sides
};

// Elements of `itemsize` in the target, of `unit` in what the source strides count.
// False if the box is empty.
bool plan_loops(std::span<const std::int64_t> target_strides,
                std::span<const std::int64_t> source_strides,
                std::span<const std::int64_t> shape, std::int64_t itemsize, std::int64_t unit,
                Loops& loops) {
  bool folding = true;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] <= 0) return false;
    if (shape[i] == 1) continue;
    if (folding && target_strides[i] == loops.run * itemsize &&
        source_strides[i] == loops.run * unit) {
      loops.run *= shape[i];
      continue;
    }
    folding = false;
    if (loops.count > 0) {
      Axis& inner = loops.axes[loops.count - 1];
      if (target_strides[i] == inner.target_stride * inner.length &&
          source_strides[i] == inner.source_stride * inner.length) {
        inner.length *= shape[i];
        continue;
      }
    }
    loops.axes[loops.count++] = {shape[i], target_strides[i], source_strides[i]};
  }
  return true;
}

// Calls row(target offset, source offset) for all of axes[0] at each position of the others.
template <typename Row>
void for_each_row(const Loops& loops, const Row& row) {
  std::array<std::int64_t, kMaxDims> position{};
  std::int64_t target = 0;
  std::int64_t source = 0;
  for (;;) {
    row(target, source);
    std::size_t axis = 1;
    for (; axis < loops.count; ++axis) {
      const Axis& here = loops.axes[axis];
      target += here.target_stride;
      source += here.source_stride;
      if (++position[axis] < here.length) break;
      target -= here.target_stride * here.length;
      source -= here.source_stride * here.length;
      position[axis] = 0;
    }
    if (axis >= loops.count) return;
  }
}

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

// Asks for memory a few rows before it is needed: rows of a block are too short, and too far
// apart in the target, for the CPU to see where the next one will be.
class Requests {
 public:
  Requests(std::int64_t row_bytes, std::int64_t row_stride, std::span<const std::byte> ahead)
      : row_bytes_(row_bytes < kMostRowBytes ? row_bytes : 0),
        distance_(kRowsAhead * row_stride),
        next_(ahead.data()),
        end_(ahead.data() + ahead.size()) {}

  void before_row(const std::byte* target) {
    const std::byte* later = target + distance_;
    for (std::int64_t at = 0; at < row_bytes_; at += kLine) write_soon(later + at);
    if (next_ < end_) {
      read_soon(next_);
      next_ += kLine;
    }
  }

 private:
  static constexpr std::int64_t kLine = 64;
  static constexpr std::int64_t kRowsAhead = 8;
  static constexpr std::int64_t kMostRowBytes = 1024;  // longer ones the CPU foresees

#if defined(__GNUC__)
  static void write_soon(const std::byte* at) { __builtin_prefetch(at, 1); }
  static void read_soon(const std::byte* at) { __builtin_prefetch(at, 0, 2); }
#else
  static void write_soon(const std::byte*) {}
  static void read_soon(const std::byte*) {}
#endif

  std::int64_t row_bytes_;
  std::int64_t distance_;
  const std::byte* next_;
  const std::byte* end_;
};

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
