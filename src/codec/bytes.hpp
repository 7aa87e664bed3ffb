// Little-endian integers at unaligned places, as every number of the chunk format is stored.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace mlarray::codec {

// `bytes` holds at least offset + 4 bytes.
inline std::int32_t load_i32(std::span<const std::byte> bytes, std::size_t offset) {
  const std::byte* p = bytes.data() + offset;
  const std::uint32_t value =
      std::to_integer<std::uint32_t>(p[0]) | std::to_integer<std::uint32_t>(p[1]) << 8 |
      std::to_integer<std::uint32_t>(p[2]) << 16 | std::to_integer<std::uint32_t>(p[3]) << 24;
  return static_cast<std::int32_t>(value);
}

// `bytes` leads to at least 8.
inline std::uint64_t load_u64(const std::byte* bytes) {
  std::uint64_t value = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&value, bytes, sizeof value);
  } else {
    for (int i = 0; i < 8; ++i) value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  }
  return value;
}

inline void store_i32(std::span<std::byte> bytes, std::size_t offset, std::int32_t value) {
  const auto bits = static_cast<std::uint32_t>(value);
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[offset + i] = static_cast<std::byte>(bits >> (8 * i));
  }
}

inline void store_u64(std::span<std::byte> bytes, std::size_t offset, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[offset + i] = static_cast<std::byte>(value >> (8 * i));
  }
}

// memcpy and memset that accept empty spans (whose data() may be null).
inline void copy_bytes(std::span<const std::byte> from, std::byte* to) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
}
inline void fill_bytes(std::span<std::byte> out, std::uint8_t value) {
  if (!out.empty()) std::memset(out.data(), value, out.size());
}

}  // namespace mlarray::codec
