// Metadata as it lies in a file: the value of the variable-length metalayer "mlarray".
// Both generations are read; docs/format.md, section "Metadata".
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mlarray/metadata.hpp"
#include "mlarray/options.hpp"
#include "mlarray/types.hpp"

namespace mlarray::metadata {

// What the library itself knows of the array, for the fields that it manages.
struct ArrayFacts {
  bool has_array = true;
  Shape shape;
  Layout layout;
  std::optional<CodecParams> codec;
};

// `value` is the metalayer's content after decompression: a msgpack map (<= 0.0.46) or a
// msgpack bin of gzip'd pickle (later). Keys that no table row knows, and values that fail
// validation but can be held, are kept and written back as they were.
// Errors: corruption, unsupported, naming the key.
Metadata decode_stored(std::span<const std::byte> value);
// The tree as it lies in the file, with the writer's own keys (for tools and tests).
Value decode_stored_tree(std::span<const std::byte> value);

// The opposite. `legacy` renames keys and drops the fields that older readers refuse.
// Errors: unsupported, naming the field, for what the encoding cannot hold.
std::string encode_stored(const Metadata& metadata, const ArrayFacts& facts,
                          MetadataEncoding encoding);

}  // namespace mlarray::metadata
