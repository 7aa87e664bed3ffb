// msgpack <-> Value. Bounds-checked; knows nothing of images.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "mlarray/value.hpp"

namespace mlarray::encoding {

// Limits of what one document may cost; the same for every decoder of this folder.
struct DecodeLimits {
  std::size_t max_depth = 64;          // nesting
  std::size_t max_items = 4'000'000;   // values in all
  std::size_t max_bytes = 256u << 20;  // text and bytes in all, also after inflation
};

// python-blosc2 writes a tuple as a list that starts with this, and older versions of it fail
// on an empty list. So one is written as an empty tuple is, with a count of 4 bytes: its
// readers see an empty tuple, ours a list. On disk: do not change.
inline constexpr std::string_view kTupleMark = "__tuple__";

// One msgpack object that fills `data` exactly. Integers above 2^63 - 1 become BigInt.
// Errors: corruption (truncated, trailing bytes, reserved codes); unsupported (extension types
// other than timestamps, which become Opaque "msgpack.ext"; limits).
Value decode_msgpack(std::span<const std::byte> data, const DecodeLimits& limits = {});

// Errors: unsupported for what msgpack cannot hold (integers outside [-2^63, 2^64 - 1], Opaque,
// text with lone surrogates, nesting past DecodeLimits), naming the path of the value
// ("source.patient[3]"). Tuples become arrays, so mark them before; keys of any type are
// written as they are.
std::string encode_msgpack(const Value& value);

// The payload of a `bin` object that fills `data` exactly, without a copy; data() is nullptr if
// `data` starts with another type. Errors: corruption.
std::span<const std::byte> msgpack_bin_payload(std::span<const std::byte> data);
std::string encode_msgpack_bin(std::span<const std::byte> payload);

}  // namespace mlarray::encoding
