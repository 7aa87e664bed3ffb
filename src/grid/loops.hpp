// How the functions that copy, interleave and convert boxes go over them. Internal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mlarray/types.hpp"

namespace mlarray::grid {

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
inline bool plan_loops(std::span<const std::int64_t> target_strides,
                       std::span<const std::int64_t> source_strides,
                       std::span<const std::int64_t> shape, std::int64_t itemsize,
                       std::int64_t unit, Loops& loops) {
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

}  // namespace mlarray::grid
