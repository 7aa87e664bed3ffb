// Fingerprints: 4 bytes per block, and the 16-byte seal of a committed state.
// Also in docs/format.md, sections "Checksums" and "Seal".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codec/chunk.hpp"

namespace mlarray::codec {

inline constexpr std::uint32_t kNoChecksum = 0;  // "none recorded"

// The checksum of one block, on disk: do not change. With H(bytes, seed) = XXH3-64:
//   a   = H(the chunk's 32 header bytes, 0)
//   a   = H(dictionary section: its 4 size bytes and the dictionary, a)  only if there is one
//   b   = H(chunk number as int64 LE, block number as int32 LE: 12 bytes, a)
//   sum = the low 32 bits of H(stored bytes, b); 0 is recorded as 1
// The stored bytes of a block are its streams one after another, each with its 4 size bytes
// and its token byte, found by walking them from the block's start (block_bytes()), never by
// another block's start; of a block stored as it is, its raw bytes. A special chunk has one
// sum, of block 0: its stored bytes are what follows the header (the repeated value, or none).
// So swapped blocks, changed headers and changed dictionaries are found; the block starts
// need no cover: a wrong one leads to other bytes.
//
// What the sums of one chunk share, `a`: once per chunk.
std::uint64_t checksum_seed(std::span<const std::byte> chunk, const ChunkHeader& header);
// Never kNoChecksum. `seed` is the chunk's. Allocates nothing.
// Errors: corruption, when the block's streams leave the chunk.
std::uint32_t block_checksum(std::span<const std::byte> chunk, const ChunkHeader& header,
                             std::uint64_t seed, std::int64_t chunk_number, std::int32_t block);
// The same of a block's stored bytes alone, exactly those (block_bytes_in()).
std::uint32_t stored_checksum(std::span<const std::byte> bytes, std::uint64_t seed,
                              std::int64_t chunk_number, std::int32_t block);
// Of every block; for a special chunk the first entry covers it and the rest are kNoChecksum.
std::vector<std::uint32_t> chunk_checksums(std::span<const std::byte> chunk,
                                           const ChunkHeader& header,
                                           std::int64_t chunk_number);

// XXH3-128 (seed 0, canonical: big-endian) of the parts, at most 8, one after another.
std::array<std::byte, 16> fingerprint(std::span<const std::span<const std::byte>> parts);

}  // namespace mlarray::codec
