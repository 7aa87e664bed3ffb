#include "array/checksums.hpp"

#include <algorithm>
#include <limits>

#include "codec/checksum.hpp"
#include "codec/chunk.hpp"
#include "codec/encoder.hpp"
#include "frame/big_endian.hpp"
#include "mlarray/error.hpp"

namespace mlarray::array {
namespace {

// A msgpack bin32 (c6, big-endian length), so that generic Blosc2 readers can list the layer.
// In it, little endian: version (1 byte), 3 zero bytes, blocks per chunk (uint32), then the
// sums (uint32 each). On disk: do not change.
constexpr std::byte kBin32{0xc6};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kVersionAt = 5;
constexpr std::size_t kBlocksAt = 9;
constexpr std::size_t kHeadBytes = 13;
constexpr std::int64_t kMaxTable = std::int64_t{1} << 28;

std::uint32_t load_little(std::span<const std::byte> data, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) {
    value = (value << 8) | std::to_integer<std::uint32_t>(data[at + i]);
  }
  return value;
}

void store_little(std::span<std::byte> data, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i, value >>= 8) {
    data[at + i] = static_cast<std::byte>(value & 0xff);
  }
}

// Entries of the table, or nothing if it is too large to be kept.
std::optional<std::size_t> table_entries(std::int64_t chunk_count, std::int64_t block_count) {
  if (block_count > 0 && chunk_count > kMaxTable / 4 / block_count) return std::nullopt;
  return static_cast<std::size_t>(chunk_count * block_count);
}

}  // namespace

Checksums::Checksums(std::int64_t chunk_count, std::int64_t block_count)
    : block_count_(block_count) {
  if (const auto entries = table_entries(chunk_count, block_count)) {
    sums_.assign(*entries, codec::kNoChecksum);
  }
}

std::optional<Checksums> Checksums::parse(std::span<const std::byte> chunk,
                                          std::int64_t chunk_count, std::int64_t block_count) {
  Checksums out(chunk_count, block_count);
  const auto size = static_cast<std::int64_t>(kHeadBytes + out.sums_.size() * 4);
  std::vector<std::byte> raw;
  try {
    raw = codec::decompress_bytes(chunk, size,
                                  {.nbytes = size, .what = "metadata 'mlarray:checksums'"});
  } catch (const Error&) {
    return std::nullopt;  // of another shape: written for another array
  }
  if (raw[0] != kBin32 || load_little(raw, kVersionAt) != kVersion ||
      load_little(raw, kBlocksAt) != static_cast<std::uint32_t>(block_count)) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < out.sums_.size(); ++i) {
    out.sums_[i] = load_little(raw, kHeadBytes + i * 4);
  }
  return out;
}

std::vector<std::byte> Checksums::build() const {
  if (sums_.empty()) return {};
  std::vector<std::byte> raw(kHeadBytes + sums_.size() * 4);
  raw[0] = kBin32;
  frame::store_big(std::span(raw), 1, static_cast<std::uint32_t>(raw.size() - kVersionAt));
  store_little(raw, kVersionAt, kVersion);
  store_little(raw, kBlocksAt, static_cast<std::uint32_t>(block_count_));
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    store_little(raw, kHeadBytes + i * 4, sums_[i]);
  }
  return codec::store_chunk(raw, 1, static_cast<std::int32_t>(raw.size()));
}

void Checksums::set(std::int64_t chunk, std::span<const std::uint32_t> sums) {
  if (sums_.empty()) return;
  const auto begin = sums_.begin() + static_cast<std::ptrdiff_t>(chunk * block_count_);
  std::fill_n(begin, block_count_, codec::kNoChecksum);
  std::copy(sums.begin(), sums.end(), begin);
}

std::span<const std::uint32_t> Checksums::of_chunk(std::int64_t chunk) const {
  if (sums_.empty()) return {};
  return std::span(sums_).subspan(static_cast<std::size_t>(chunk * block_count_),
                                  static_cast<std::size_t>(block_count_));
}

}  // namespace mlarray::array
