// The metalayer "b2nd": shapes and element type of the array in a frame.
// Byte level: docs/format.md, section "The b2nd metalayer".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mlarray/types.hpp"

namespace mlarray::store {

struct B2nd {
  Shape shape;
  Shape chunk;
  Shape block;
  DType dtype;
};

// `typesize` is the frame's element size; nothing where that is not known. Errors: corruption
// (truncated, sizes that contradict each other or the frame), unsupported (more than kMaxDims
// axes, object dtype).
B2nd parse_b2nd(std::span<const std::byte> content, std::optional<std::int64_t> typesize);

std::vector<std::byte> build_b2nd(const B2nd& value);

}  // namespace mlarray::store
