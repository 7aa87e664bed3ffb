// Fingerprints: 4 bytes per block, and the 16-byte seal of a committed state.
// Definitions: docs/format.md, sections "Checksums" and "Seal".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codec/chunk.hpp"

namespace mlarray::codec {

inline constexpr std::uint32_t kNoChecksum = 0;  // "none recorded"

// Of one block's stored bytes; covers the chunk's header and the block's place, so that
// swapped blocks and changed headers are found. Never kNoChecksum.
std::uint32_t block_checksum(std::span<const std::byte> chunk, const ChunkHeader& header,
                             std::int64_t chunk_number, std::int32_t block);
// Of every block; for a special chunk the first entry covers it and the rest are kNoChecksum.
std::vector<std::uint32_t> chunk_checksums(std::span<const std::byte> chunk,
                                           const ChunkHeader& header,
                                           std::int64_t chunk_number);

// XXH3-128 (canonical, big-endian) of the parts one after another.
std::array<std::byte, 16> fingerprint(std::span<const std::span<const std::byte>> parts);

}  // namespace mlarray::codec
