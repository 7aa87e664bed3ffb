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

// The header of a new file; header_bytes is filled, lengths are not final.
frame::Header new_header(const ArrayHeader& array, std::vector<std::byte>& header_bytes);

// How the chunks of an edited file are written: as its header says, but without DELTA, which
// is read and not written. Each chunk names its own filters.
CodecParams codec_for_edits(CodecParams codec);

}  // namespace mlarray::store
