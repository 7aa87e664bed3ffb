// Pickle as data: a reader that executes nothing, and a writer of plain types.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "encoding/msgpack.hpp"
#include "mlarray/value.hpp"

namespace mlarray::encoding {

// Reads protocols 0 to 5. No class is ever looked up, imported or called: GLOBAL, REDUCE,
// NEWOBJ and BUILD only build nodes. Known harmless classes become plain data:
//   enum members (blosc2 Codec, Filter, ..., any IntEnum-like REDUCE of one integer) -> int
//   classes of the package's own older versions, made of one plain value -> that value
//   numpy scalars and numpy.str_/bytes_, pydicom DSfloat/DSdecimal/IS -> float/int/str
//   OrderedDict, defaultdict, and subclasses of dict, list, tuple, str, int, float -> the base
//   set, frozenset -> list; datetime, Decimal and other unknown classes -> Opaque
// Errors: corruption (truncated, bad opcode, stack underflow); unsupported (limits,
// persistent ids, out-of-band buffers).
Value decode_pickle(std::span<const std::byte> data, const DecodeLimits& limits = {});

// Protocol 4, builtin types only: None, bool, int (any size), float, str, bytes, list, tuple,
// dict. Deterministic: no memo, no framing of variable size.
// Errors: unsupported for Opaque, naming the path of the value.
std::string encode_pickle(const Value& value);

}  // namespace mlarray::encoding
