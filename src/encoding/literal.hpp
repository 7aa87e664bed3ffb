// Python literals as data: "[('a', '<i4'), ('b', '<f8', (3,))]", "{'names': ['a'], ...}".
#pragma once

#include <string_view>

#include "encoding/msgpack.hpp"
#include "mlarray/value.hpp"

namespace mlarray::encoding {

// Strings (with escapes, but neither triple-quoted nor \N{name}), bytes, integers, floats,
// True, False, None, lists, tuples, dicts. Errors: corruption naming the position; unsupported
// (limits).
Value decode_literal(std::string_view text, const DecodeLimits& limits = {});

}  // namespace mlarray::encoding
