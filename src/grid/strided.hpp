// Copying a box of elements between two strided layouts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace mlarray::grid {

// Copies the elements of a box of `shape` from `source` to `target`. Both point at the box's
// first element; strides in bytes, one per axis, any sign. Axes that are contiguous in both are
// merged into one run.
// `ahead` is what will be read after this: it is requested from memory on the way.
// Precondition: spans of equal length; the memory named by shape and strides exists.
void copy_box(std::byte* target, std::span<const std::int64_t> target_strides,
              const std::byte* source, std::span<const std::int64_t> source_strides,
              std::span<const std::int64_t> shape, std::int64_t itemsize,
              std::span<const std::byte> ahead = {});

// The same from byte planes: plane i holds byte i of every element, at the element's number.
// `planes` is 2, 4 or 8 pointers at the box's first element; source strides in elements.
void interleave_box(std::byte* target, std::span<const std::int64_t> target_strides,
                    std::span<const std::byte* const> planes,
                    std::span<const std::int64_t> source_strides,
                    std::span<const std::int64_t> shape, std::span<const std::byte> ahead = {});

// Repeats one element over a box of `shape` at `target`.
void fill_box(std::byte* target, std::span<const std::int64_t> target_strides,
              std::span<const std::byte> element, std::span<const std::int64_t> shape);

}  // namespace mlarray::grid
