// A box of small integers into floats, on their way from a block to where they are wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace mlarray::grid {

enum class Integers { u8, i8, u16, i16 };

// Integers become float32: as they are, or clipped to [low, high] and then (x - mean) / std.
struct ToFloats {
  Integers from = Integers::u8;
  bool scales = false;
  bool clips = false;
  float mean = 0;
  float std = 1;
  float low = 0;
  float high = 0;
};

// As copy_box(), and what it says of its arguments: `target_strides` are those of the floats.
void convert_box(std::byte* target, std::span<const std::int64_t> target_strides,
                 const std::byte* source, std::span<const std::int64_t> source_strides,
                 std::span<const std::int64_t> shape, const ToFloats& how,
                 std::span<const std::byte> ahead = {});

// As interleave_box(). `planes` is 2 pointers, of integers of two bytes.
void convert_planes(std::byte* target, std::span<const std::int64_t> target_strides,
                    std::span<const std::byte* const> planes,
                    std::span<const std::int64_t> source_strides,
                    std::span<const std::int64_t> shape, const ToFloats& how,
                    std::span<const std::byte> ahead = {});

}  // namespace mlarray::grid
