#include "codec/checksum.hpp"

#include <xxhash.h>

#include <string>

#include "codec/chunk_format.hpp"

namespace mlarray::codec {
namespace {

// What every block of a chunk shares: its header and, if any, its dictionary.
std::uint64_t chunk_seed(std::span<const std::byte> chunk, const ChunkHeader& header) {
  const std::uint64_t seed = XXH3_64bits(chunk.data(), kChunkHeaderBytes);
  const std::span<const std::byte> dictionary = dictionary_section(chunk, header);
  if (dictionary.empty()) return seed;
  return XXH3_64bits_withSeed(dictionary.data(), dictionary.size(), seed);
}

void store_u64(std::span<std::byte> bytes, std::size_t offset, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[offset + i] = static_cast<std::byte>(value >> (8 * i));
  }
}

std::uint32_t sum_of(std::span<const std::byte> stored, std::uint64_t chunk_seed,
                     std::int64_t chunk_number, std::int32_t block) {
  std::array<std::byte, 12> place{};
  store_u64(place, 0, static_cast<std::uint64_t>(chunk_number));
  store_i32(place, 8, block);
  const std::uint64_t seed = XXH3_64bits_withSeed(place.data(), place.size(), chunk_seed);
  const std::uint64_t hash = XXH3_64bits_withSeed(stored.data(), stored.size(), seed);
  const auto low = static_cast<std::uint32_t>(hash);
  return low == kNoChecksum ? 1 : low;
}

// A special chunk has one extent, whatever its blocks: the value behind the header, if any.
std::span<const std::byte> stored_bytes(std::span<const std::byte> chunk,
                                        const ChunkHeader& header, std::int32_t block) {
  if (header.special != Special::none) return chunk.subspan(kChunkHeaderBytes);
  return block_bytes(chunk, header, block);
}

}  // namespace

std::uint32_t block_checksum(std::span<const std::byte> chunk, const ChunkHeader& header,
                             std::int64_t chunk_number, std::int32_t block) {
  return sum_of(stored_bytes(chunk, header, block), chunk_seed(chunk, header), chunk_number,
                block);
}

std::vector<std::uint32_t> chunk_checksums(std::span<const std::byte> chunk,
                                           const ChunkHeader& header,
                                           std::int64_t chunk_number) {
  std::vector<std::uint32_t> sums(static_cast<std::size_t>(header.block_count()), kNoChecksum);
  const std::uint64_t seed = chunk_seed(chunk, header);
  for (std::int32_t block = 0; block < header.block_count(); ++block) {
    sums[static_cast<std::size_t>(block)] =
        sum_of(stored_bytes(chunk, header, block), seed, chunk_number, block);
    if (header.special != Special::none) break;
  }
  return sums;
}

std::array<std::byte, 16> fingerprint(std::span<const std::span<const std::byte>> parts) {
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_128bits_reset(&state);
  for (const std::span<const std::byte> part : parts) {
    if (!part.empty()) XXH3_128bits_update(&state, part.data(), part.size());
  }
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state));
  std::array<std::byte, 16> out;
  static_assert(sizeof(canonical.digest) == out.size());
  std::memcpy(out.data(), canonical.digest, out.size());
  return out;
}

}  // namespace mlarray::codec
