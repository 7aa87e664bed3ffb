#include "base/byte_reader.hpp"

#include "mlarray/error.hpp"

namespace mlarray::base {
namespace {

std::uint64_t byte_of(char byte) { return static_cast<unsigned char>(byte); }

}  // namespace

std::uint8_t ByteReader::u8() { return static_cast<std::uint8_t>(bytes(1).front()); }

void ByteReader::expect(unsigned byte, std::string_view what) {
  if (const unsigned found = u8(); found != byte) {
    fail("no " + std::string(what) + ": found the byte " + std::to_string(found) + " for " +
         std::to_string(byte));
  }
}

std::uint64_t ByteReader::big_endian(std::size_t size) {
  std::uint64_t value = 0;
  for (const char byte : bytes(size)) value = (value << 8) | byte_of(byte);
  return value;
}

std::uint64_t ByteReader::little_endian(std::size_t size) {
  std::uint64_t value = 0;
  unsigned shift = 0;
  for (const char byte : bytes(size)) {
    value |= byte_of(byte) << shift;
    shift += 8;
  }
  return value;
}

std::string_view ByteReader::bytes(std::uint64_t size) {
  if (size > remaining()) {
    fail("truncated: " + std::to_string(size) + " bytes wanted, " +
         std::to_string(remaining()) + " left");
  }
  const auto part = data_.subspan(position_, static_cast<std::size_t>(size));
  position_ += part.size();
  return {reinterpret_cast<const char*>(part.data()), part.size()};
}

std::string_view ByteReader::line() {
  const std::string_view rest(reinterpret_cast<const char*>(data_.data()) + position_,
                              remaining());
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) fail("truncated: a line without an end");
  position_ += end + 1;
  return rest.substr(0, end);
}

void ByteReader::fail(const std::string& what) const {
  throw Error(ErrorKind::corruption,
              std::string(format_) + ": " + what + " at byte " + std::to_string(position_));
}

}  // namespace mlarray::base
