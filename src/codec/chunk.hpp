// The header of one Blosc2 chunk, and the checks that stand before every decoder.
// Layout on disk: docs/format.md, section "Chunks".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/chunk_limits.hpp"

namespace mlarray::codec {

inline constexpr std::size_t kChunkHeaderBytes = 32;
using base::kMaxChunkBytes;

// A chunk that holds no blocks but a rule.
enum class Special : std::uint8_t { none = 0, zeros = 1, nan = 2, value = 3, uninit = 4 };

struct ChunkHeader {
  std::uint8_t flags = 0;
  std::uint8_t typesize = 0;
  std::int32_t nbytes = 0;     // uncompressed
  std::int32_t blocksize = 0;  // uncompressed bytes per block
  std::int32_t cbytes = 0;     // of the whole chunk, header included
  std::array<std::uint8_t, 6> filters{};
  std::array<std::uint8_t, 6> filters_meta{};
  int compressor = 0;  // format number: 0 BloscLZ, 1 LZ4, 3 zlib, 4 ZSTD
  Special special = Special::none;
  bool memcpyed = false;  // blocks are stored as they are, one after another
  bool split = false;     // each block is `typesize` streams
  bool dictionary = false;

  std::int32_t block_count() const;
  // Must the chunk be decoded as a whole (DELTA refers to block 0, dictionaries)?
  bool whole_only() const;
};

// What the caller knows of a chunk before looking at it; -1: not known.
struct Expected {
  std::int64_t nbytes = -1;
  std::int64_t blocksize = -1;
  std::int64_t typesize = -1;
  std::string_view what = "chunk";  // "chunk 17", "index", "metadata 'mlarray'": for messages
};

// The length of the chunk that starts here, for finding its end.
// `data` holds at least kChunkHeaderBytes. Errors: corruption.
std::int64_t chunk_length(std::span<const std::byte> data, std::string_view what);

// Parses and checks the header of a whole chunk: length, sizes against `expected`, block
// starts inside the chunk, flags this format never has (lazy, variable-length blocks), and the
// allow-list of compressors and filters. Nothing of c-blosc2 is called before this returns.
// Errors: corruption; unsupported naming the codec or filter.
ChunkHeader parse_chunk(std::span<const std::byte> chunk, const Expected& expected);
// The same of a chunk of `chunk_bytes` of which only the start is at hand: head_bytes(), or
// all.
ChunkHeader parse_chunk(std::span<const std::byte> head, std::size_t chunk_bytes,
                        const Expected& expected);

// How much of a chunk parse_chunk() and likely_block_place() look at.
std::size_t head_bytes(std::int64_t block_count);

// The bytes, inside `chunk`, of one block's streams. Errors: corruption.
// For a memcpyed chunk the raw block. Not for special chunks.
std::span<const std::byte> block_bytes(std::span<const std::byte> chunk,
                                       const ChunkHeader& header, std::int32_t block);

// The same of a block that `stored` begins with, of a chunk that is not special. Nothing if it
// does not end there.
std::optional<std::span<const std::byte>> block_bytes_in(std::span<const std::byte> stored,
                                                         const ChunkHeader& header,
                                                         std::int32_t block);

// Bytes of a chunk, counted from its first.
struct Place {
  std::size_t offset = 0;
  std::size_t length = 0;
};

// About where a block's stored bytes are, without looking at them: from there on, and maybe
// more. Of length 0 where the chunk does not store its blocks in order. `head` as for
// parse_chunk(), which has passed it.
Place likely_block_place(std::span<const std::byte> head, const ChunkHeader& header,
                         std::int32_t block);

}  // namespace mlarray::codec
