// gzip streams (RFC 1952), by zlib.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace mlarray::encoding {

bool is_gzip(std::span<const std::byte> data) noexcept;
// All members, checked against their CRC. Errors: corruption; unsupported past max_bytes.
std::string gunzip(std::span<const std::byte> data, std::size_t max_bytes);
// Deterministic: no time, no name.
std::string gzip(std::string_view data, int level = 6);

}  // namespace mlarray::encoding
