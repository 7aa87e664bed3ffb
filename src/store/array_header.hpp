// What the header of a file says of its array: shapes, element type and codec.
#pragma once

#include <cstddef>
#include <vector>

#include "frame/frame.hpp"
#include "grid/geometry.hpp"
#include "mlarray/options.hpp"
#include "mlarray/types.hpp"

namespace mlarray::store {

struct ArrayHeader {
  grid::Geometry geometry;
  DType dtype;
  CodecParams codec;  // as the file states it
};

// Errors: unsupported (no array in it); corruption (facts that contradict each other).
ArrayHeader read_array_header(const frame::Header& header);

// The codec that a header states.
CodecParams codec_of(const frame::Header& header);

// The header of a new file; header_bytes is filled, lengths are not final.
frame::Header new_header(const ArrayHeader& array, std::vector<std::byte>& header_bytes);

}  // namespace mlarray::store
