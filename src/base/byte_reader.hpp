// Bounds-checked reading from front to back. Every read past the end is an error.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mlarray::base {

class ByteReader {
 public:
  // `format` names the format in messages and must outlive the reader ("msgpack").
  ByteReader(std::span<const std::byte> data, std::string_view format)
      : data_(data), format_(format) {}

  std::size_t position() const noexcept { return position_; }
  std::size_t remaining() const noexcept { return data_.size() - position_; }

  // Goes on at this byte. Past the end, the next read is an error.
  void seek(std::size_t position) noexcept { position_ = std::min(position, data_.size()); }

  std::uint8_t u8();
  // A byte of the format that has one value only; `what` it begins.
  void expect(unsigned byte, std::string_view what);
  std::uint64_t big_endian(std::size_t size);     // size <= 8
  std::uint64_t little_endian(std::size_t size);  // size <= 8
  template <std::integral T>                      // big-endian
  T number() {
    return static_cast<T>(big_endian(sizeof(T)));
  }
  std::string_view bytes(std::uint64_t size);  // valid as long as the data
  std::string_view line();                     // up to '\n', which is consumed but not returned

  // Errors: corruption, "<format>: <what> at byte <position>".
  [[noreturn]] void fail(const std::string& what) const;

 private:
  std::span<const std::byte> data_;
  std::string_view format_;
  std::size_t position_ = 0;
};

}  // namespace mlarray::base
