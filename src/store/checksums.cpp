#include "store/checksums.hpp"

#include <algorithm>

#include "codec/bytes.hpp"
#include "codec/checksum.hpp"
#include "codec/chunk.hpp"
#include "codec/encoder.hpp"
#include "frame/big_endian.hpp"
#include "mlarray/error.hpp"

namespace mlarray::store {
namespace {

// A msgpack bin32 (c6, big-endian length), so that generic Blosc2 readers can list the layer.
// In it, little endian: version (1 byte), 3 zero bytes, blocks per chunk (uint32), then the
// sums (uint32 each). On disk: do not change.
constexpr std::byte kBin32{0xc6};
constexpr std::int32_t kVersion = 1;
constexpr std::size_t kVersionAt = 5;
constexpr std::size_t kBlocksAt = 9;
constexpr std::size_t kHeadBytes = 13;
constexpr std::size_t kSumBytes = 4;
constexpr std::int64_t kMaxTable = std::int64_t{1} << 28;

// Bytes of all sums, or 0 if there are none or they are too many to be kept.
std::size_t table_bytes(std::int64_t chunk_count, std::int64_t block_count) {
  constexpr std::int64_t kMaxSums = kMaxTable / static_cast<std::int64_t>(kSumBytes);
  if (block_count > 0 && chunk_count > kMaxSums / block_count) return 0;
  return static_cast<std::size_t>(chunk_count * block_count) * kSumBytes;
}

}  // namespace

std::uint32_t ChunkSums::of_block(std::int32_t block) const {
  if (bytes.empty()) return codec::kNoChecksum;
  return static_cast<std::uint32_t>(
      codec::load_i32(bytes, static_cast<std::size_t>(block) * kSumBytes));
}

ChecksumTable ChecksumTable::parse(io::Bytes chunk, std::int64_t chunk_count,
                                   std::int64_t block_count) {
  ChecksumTable out;
  const std::size_t sums = table_bytes(chunk_count, block_count);
  const std::size_t size = kHeadBytes + sums;
  if (sums == 0 || chunk.data.size() != codec::kChunkHeaderBytes + size) return out;
  try {
    const codec::ChunkHeader header = codec::parse_chunk(
        chunk.data, {.nbytes = static_cast<std::int64_t>(size), .what = kChecksumLayer});
    if (!header.memcpyed) return out;
  } catch (const Error&) {
    return out;  // written by somebody else for something else
  }
  const auto value = chunk.data.subspan(codec::kChunkHeaderBytes);
  if (value[0] != kBin32 || codec::load_i32(value, kVersionAt) != kVersion ||
      codec::load_i32(value, kBlocksAt) != block_count) {
    return out;
  }
  out.layer_ = {value.subspan(kHeadBytes), std::move(chunk.owner)};
  out.chunk_bytes_ = static_cast<std::size_t>(block_count) * kSumBytes;
  out.whole_ = std::make_shared<FoundWhole>(sums / kSumBytes);
  return out;
}

std::uint64_t ChecksumTable::stored_bytes(std::int64_t chunk_count, std::int64_t block_count) {
  const std::size_t sums = table_bytes(chunk_count, block_count);
  return sums == 0 ? 0 : codec::kChunkHeaderBytes + kHeadBytes + sums;
}

ChunkSums ChecksumTable::of_chunk(std::int64_t chunk) const {
  if (layer_.data.empty()) return {};
  const std::size_t at = static_cast<std::size_t>(chunk) * chunk_bytes_;
  return {layer_.data.subspan(at, chunk_bytes_), nullptr, whole_.get(), at / kSumBytes};
}

ChecksumBuilder::ChecksumBuilder(std::int64_t chunk_count, std::int64_t block_count,
                                 const ChecksumTable& base)
    : chunk_bytes_(static_cast<std::size_t>(block_count) * kSumBytes) {
  const std::size_t sums = table_bytes(chunk_count, block_count);
  if (sums == 0) return;
  raw_.resize(kHeadBytes + sums);
  raw_[0] = kBin32;
  frame::store_big(std::span(raw_), 1, static_cast<std::uint32_t>(raw_.size() - kVersionAt));
  codec::store_i32(raw_, kVersionAt, kVersion);
  codec::store_i32(raw_, kBlocksAt, static_cast<std::int32_t>(block_count));
  if (base.layer_.data.size() == sums) {
    codec::copy_bytes(base.layer_.data, raw_.data() + kHeadBytes);
  }
}

void ChecksumBuilder::set(std::int64_t chunk, std::span<const std::byte> sums) {
  if (raw_.empty()) return;
  const auto place = std::span(raw_).subspan(
      kHeadBytes + static_cast<std::size_t>(chunk) * chunk_bytes_, chunk_bytes_);
  std::fill(place.begin(), place.end(), std::byte{0});
  codec::copy_bytes(sums, place.data());
}

std::vector<std::byte> ChecksumBuilder::build() && {
  if (raw_.empty()) return {};
  return codec::store_chunk(raw_, 1, static_cast<std::int32_t>(raw_.size()));
}

std::vector<std::byte> stored_sums(std::span<const std::uint32_t> sums) {
  std::vector<std::byte> out(sums.size() * kSumBytes);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    codec::store_i32(out, i * kSumBytes, static_cast<std::int32_t>(sums[i]));
  }
  return out;
}

}  // namespace mlarray::store
