// Big-endian integers, as msgpack stores them; read with bounds checks by the caller.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace mlarray::frame {

// Precondition: data.size() >= offset + sizeof(T).
template <std::integral T>
T load_big(std::span<const std::byte> data, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = (value << 8) | std::to_integer<std::uint64_t>(data[offset + i]);
  }
  return static_cast<T>(value);
}

template <std::integral T>
void store_big(std::span<std::byte> data, std::size_t offset, T value) {
  auto bits = static_cast<std::uint64_t>(static_cast<std::make_unsigned_t<T>>(value));
  for (std::size_t i = sizeof(T); i-- > 0; bits >>= 8) {
    data[offset + i] = static_cast<std::byte>(bits & 0xff);
  }
}

template <std::integral T>
void append_big(std::vector<std::byte>& out, T value) {
  out.resize(out.size() + sizeof(T));
  store_big(std::span(out), out.size() - sizeof(T), value);
}

}  // namespace mlarray::frame
