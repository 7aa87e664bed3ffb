#include "codec/checksum.hpp"

#include "codec/bytes.hpp"
#include "codec/chunk_format.hpp"
#include "codec/hash.hpp"

namespace mlarray::codec {
namespace {

// A special chunk has one extent, whatever its blocks: the value behind the header, if any.
std::span<const std::byte> stored_bytes(std::span<const std::byte> chunk,
                                        const ChunkHeader& header, std::int32_t block) {
  if (header.special != Special::none) return chunk.subspan(kChunkHeaderBytes);
  return block_bytes(chunk, header, block);
}

}  // namespace

std::uint64_t checksum_seed(std::span<const std::byte> chunk, const ChunkHeader& header) {
  const std::uint64_t seed = hash64(chunk.first(kChunkHeaderBytes), 0);
  const std::span<const std::byte> dictionary = dictionary_section(chunk, header);
  return dictionary.empty() ? seed : hash64(dictionary, seed);
}

std::uint32_t stored_checksum(std::span<const std::byte> bytes, std::uint64_t seed,
                              std::int64_t chunk_number, std::int32_t block) {
  std::array<std::byte, 12> place{};
  store_u64(place, 0, static_cast<std::uint64_t>(chunk_number));
  store_i32(place, 8, block);
  const std::uint64_t hash = hash64(bytes, hash64(place, seed));
  const auto low = static_cast<std::uint32_t>(hash);
  return low == kNoChecksum ? 1 : low;
}

std::uint32_t block_checksum(std::span<const std::byte> chunk, const ChunkHeader& header,
                             std::uint64_t seed, std::int64_t chunk_number,
                             std::int32_t block) {
  return stored_checksum(stored_bytes(chunk, header, block), seed, chunk_number, block);
}

std::vector<std::uint32_t> chunk_checksums(std::span<const std::byte> chunk,
                                           const ChunkHeader& header,
                                           std::int64_t chunk_number) {
  std::vector<std::uint32_t> sums(static_cast<std::size_t>(header.block_count()), kNoChecksum);
  const std::uint64_t seed = checksum_seed(chunk, header);
  for (std::int32_t block = 0; block < header.block_count(); ++block) {
    sums[static_cast<std::size_t>(block)] =
        block_checksum(chunk, header, seed, chunk_number, block);
    if (header.special != Special::none) break;
  }
  return sums;
}

std::array<std::byte, 16> fingerprint(std::span<const std::span<const std::byte>> parts) {
  return hash128(parts);
}

}  // namespace mlarray::codec
