#include "store/b2nd.hpp"

#include <string>
#include <string_view>

#include "base/byte_reader.hpp"
#include "frame/big_endian.hpp"
#include "mlarray/error.hpp"

namespace mlarray::store {
namespace {

constexpr unsigned kInt64 = 0xd3;
constexpr unsigned kInt32 = 0xd2;
constexpr unsigned kStr32 = 0xdb;

constexpr std::string_view kName = "the metalayer 'b2nd'";

[[noreturn]] void corrupt(const std::string& what) {
  throw Error(ErrorKind::corruption, std::string(kName) + " " + what);
}

// An array of `ndim` integers, each with its msgpack marker.
template <class T>
Shape read_lengths(base::ByteReader& reader, unsigned ndim, unsigned int_marker,
                   std::string_view what) {
  // Up to 15 axes fit msgpack's short form; c-blosc2 writes 16 as 0x90 + 16 all the same.
  reader.expect(0x90 + ndim, what);
  Shape out;
  for (unsigned i = 0; i < ndim; ++i) {
    reader.expect(int_marker, what);
    out.push_back(reader.number<T>());
  }
  return out;
}

template <class T>
void append_lengths(std::vector<std::byte>& out, const Shape& lengths, unsigned int_marker) {
  out.push_back(static_cast<std::byte>(0x90 + lengths.size()));
  for (const std::int64_t length : lengths) {
    out.push_back(static_cast<std::byte>(int_marker));
    frame::append_big(out, static_cast<T>(length));
  }
}

void check_axis(const B2nd& value, std::size_t axis) {
  const auto text = [&](const char* what, const Shape& lengths) {
    return std::string(what) + " " + to_string(lengths);
  };
  const bool bad_chunk = value.chunk[axis] < 1 && value.shape[axis] > 0;
  if (value.shape[axis] < 0 || value.chunk[axis] < 0 || bad_chunk ||
      value.block[axis] < (value.chunk[axis] > 0 ? 1 : 0) ||
      value.block[axis] > value.chunk[axis]) {
    corrupt("has sizes that contradict each other: " + text("shape", value.shape) +
            text(", chunk", value.chunk) + text(", block", value.block));
  }
}

}  // namespace

B2nd parse_b2nd(std::span<const std::byte> content, std::optional<std::int64_t> typesize) {
  base::ByteReader reader(content, kName);
  const unsigned head = reader.u8();
  if ((head & 0xf0) != 0x90) corrupt("does not start as a list");
  reader.u8();  // version: nothing read here depends on it
  const unsigned ndim = reader.u8();
  if (ndim > static_cast<unsigned>(kMaxDims)) {
    throw Error(ErrorKind::unsupported, "an array of " + std::to_string(ndim) +
                                            " axes; the limit is " + std::to_string(kMaxDims));
  }
  B2nd value;
  value.shape = read_lengths<std::int64_t>(reader, ndim, kInt64, "shape");
  value.chunk = read_lengths<std::int32_t>(reader, ndim, kInt32, "chunk shape");
  value.block = read_lengths<std::int32_t>(reader, ndim, kInt32, "block shape");
  for (std::size_t axis = 0; axis < ndim; ++axis) check_axis(value, axis);
  // Files from before dtypes were stored.
  std::string dtype = "|V" + std::to_string(typesize.value_or(0));
  if (reader.remaining() > 0) {
    if (const unsigned format = reader.u8(); format != 0) {
      throw Error(ErrorKind::unsupported,
                  "dtype notation " + std::to_string(format) + "; only NumPy's (0) is known");
    }
    reader.expect(kStr32, "dtype");
    dtype = reader.bytes(reader.number<std::uint32_t>());
  }
  try {
    value.dtype = DType::parse(dtype);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::unsupported) throw;
    corrupt(std::string("has a dtype that cannot be read: ") + error.what());
  }
  if (typesize && value.dtype.itemsize() != *typesize) {
    corrupt("has the dtype " + dtype + " of " + std::to_string(value.dtype.itemsize()) +
            " bytes in a file of " + std::to_string(*typesize) + "-byte elements");
  }
  return value;
}

std::vector<std::byte> build_b2nd(const B2nd& value) {
  std::vector<std::byte> out = {std::byte{0x97}, std::byte{0},
                                static_cast<std::byte>(value.shape.size())};
  append_lengths<std::int64_t>(out, value.shape, kInt64);
  append_lengths<std::int32_t>(out, value.chunk, kInt32);
  append_lengths<std::int32_t>(out, value.block, kInt32);
  out.push_back(std::byte{0});  // NumPy's notation
  out.push_back(static_cast<std::byte>(kStr32));
  const std::string& text = value.dtype.text();
  frame::append_big(out, static_cast<std::uint32_t>(text.size()));
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
  return out;
}

}  // namespace mlarray::store
