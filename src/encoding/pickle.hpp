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
//   a class called with one integer (blosc2 Codec, Filter, ..., any enum of integers) -> int
//   numpy scalars -> bool/int/float/str/bytes (but dates, complex and longdouble -> Opaque)
//   pydicom DSfloat, DSdecimal -> float; IS -> int; UID and other subclasses of str -> str
//   OrderedDict, defaultdict, Counter, and subclasses of dict, list, tuple, str, bytes, int and
//     float, named tuples included -> the base; attributes of such a subclass are dropped
//   the reference's own frozen lists and dicts, and its enums of text -> list, dict, str
//   set, frozenset, deque -> list; bytearray -> bytes
// Everything else -> Opaque: datetime, Decimal, complex, numpy arrays, dataclasses, classes and
// functions themselves, and an empty subclass of a container that is not named above, which a
// pickle does not tell from any other object. Opaque holds the arguments, then the state;
// for a numpy.dtype just its type string.
// What a pickle shares is copied out, within the limits. Of two equal keys the last one counts.
// Errors: corruption (truncated, bad opcode, stack underflow, bytes after the end, a container
// inside itself); unsupported (limits, integers of more than 4300 digits, persistent ids,
// registered extensions, out-of-band buffers, calls of what a call returned).
Value decode_pickle(std::span<const std::byte> data, const DecodeLimits& limits = {});

// Protocol 4, builtin types only: None, bool, int (any size), float, str, bytes, list, tuple,
// dict. Deterministic: no memo, no frames.
// Errors, naming the path of the value: unsupported for Opaque, for keys that Python cannot
// hash and past DecodeLimits' depth; invalid_value for text that is no UTF-8.
std::string encode_pickle(const Value& value);

}  // namespace mlarray::encoding
