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

// `value` is the metalayer's content after decompression: a msgpack map (<= 0.0.48) or a
// msgpack bin of gzip'd pickle (later). Keys that no table row knows, and values that fail
// validation but can be held, are kept and written back as they were; Metadata::check and the
// typed accessors report them. `ndim`, the array's number of axes if known (else below 0),
// turns the older channel_axis into axis_labels; a channel_axis that does not fit is kept as
// an unknown key.
// Errors: corruption, unsupported, naming the key.
Metadata decode_stored(std::span<const std::byte> value, int ndim = -1);
// The tree as it lies in the file, with the writer's own keys (for tools and tests).
Value decode_stored_tree(std::span<const std::byte> value);

// The opposite, with the fields that the library manages taken from `facts`. Unset fields are
// not written: a reader older than a field would refuse the key. Nothing is validated here
// (Metadata::check is), but the decoders' limits hold.
//
// MetadataEncoding::current: gzip'd pickle (protocol 4) of builtin types, for readers from
// 0.0.49 on. Holds integers of any size, lone surrogates and any key.
//
// MetadataEncoding::legacy: msgpack, for readers up to 0.0.48, with the key names of 0.0.33
// where names differ ("original", "_blosc2", "channel_axis"). Versions 0.0.34 to 0.0.48
// renamed them and refuse the older ones, so:
//   - a file with neither source metadata nor a channel axis opens in every version up to
//     0.0.48; its _blosc2 section (the patch size) is left out for that;
//   - a file with either opens in versions up to 0.0.33.
// An affine is written as spacing, origin and direction; axis_labels as channel_axis. Dropped:
// coord_system, axis_units, names of axes, cparams, dparams, and keys that no table row knows.
// Tuples are marked as python-blosc2 marks them; NaN and infinities are kept. Refused, naming
// the field: integers outside [-2^63, 2^64 - 1], lone surrogates, keys that are no strings
// (readers refuse the whole map), opaque objects, more than one non-spatial axis, an affine
// whose last row is not 0 ... 0 1.
//
// Errors: unsupported, naming the field, for what the encoding cannot hold.
std::string encode_stored(const Metadata& metadata, const ArrayFacts& facts,
                          MetadataEncoding encoding);

// The same for metadata that replaces the value `previous` of the same file. Readers that could
// open the file shall still open it, and no edit may be lost, hence in this order:
//   - a pickle is followed by a pickle;
//   - a msgpack map by one with the keys that its writer used (those of 0.0.33, or those of
//     0.0.34 to 0.0.48), if everything that is set comes out of it again;
//   - else the current encoding.
// Fields that the library manages do not count as lost.
// Errors: as encode_stored for the current encoding.
std::string encode_edited(const Metadata& metadata, const ArrayFacts& facts,
                          std::span<const std::byte> previous);

// Without the fields that only the library sets: what must come out of a file again.
Metadata user_part(Metadata metadata);

}  // namespace mlarray::metadata
