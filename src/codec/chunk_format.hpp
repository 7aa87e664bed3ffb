// The numbers of the chunk format, and the walk over the streams of a block. Internal.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/chunk_limits.hpp"
#include "codec/bytes.hpp"
#include "codec/chunk.hpp"
#include "mlarray/error.hpp"

namespace mlarray::codec {

// Byte positions in the header. On disk: do not change.
namespace at {
inline constexpr std::size_t kVersion = 0x00;
inline constexpr std::size_t kCodecVersion = 0x01;
inline constexpr std::size_t kFlags = 0x02;
inline constexpr std::size_t kTypesize = 0x03;
inline constexpr std::size_t kNbytes = 0x04;
inline constexpr std::size_t kBlocksize = 0x08;
inline constexpr std::size_t kCbytes = 0x0c;
inline constexpr std::size_t kFilters = 0x10;
inline constexpr std::size_t kCodecId = 0x16;
inline constexpr std::size_t kFiltersMeta = 0x18;
inline constexpr std::size_t kFlags3 = 0x1e;
inline constexpr std::size_t kFlags2 = 0x1f;
}  // namespace at

// Byte 0x02. Both shuffle bits together mean: a 32-byte header.
inline constexpr std::uint8_t kExtendedHeader = 0x05;
inline constexpr std::uint8_t kMemcpyed = 0x02;
inline constexpr std::uint8_t kNotSplit = 0x10;
// Byte 0x1f. Bit 1 marks a big-endian writer and changes nothing in the chunk.
inline constexpr std::uint8_t kDictionary = 0x01;
inline constexpr std::uint8_t kBigEndianWriter = 0x02;
inline constexpr std::uint8_t kLazy = 0x08;

inline constexpr std::uint8_t kFormatVersion = 5;
using base::kMaxBlockBytes;
inline constexpr std::int32_t kMaxDictionaryBytes = 131072;  // BLOSC2_MAXDICTSIZE

// Bytes that are decoded at once: this many whatever they come of, beyond that so many for each
// stored byte. LZ4 makes at most 255 of one, zlib 1032, ZSTD 32768.
inline constexpr std::int64_t kFreeExpansion = std::int64_t{128} << 20;
inline constexpr std::int64_t kMostExpansion = 65536;

inline constexpr std::size_t kStreamHead = 4;  // the length that precedes each stream

// Compressor field, the top three bits of byte 0x02.
inline constexpr int kFormatBloscLz = 0;
inline constexpr int kFormatLz4 = 1;
inline constexpr int kFormatZlib = 3;
inline constexpr int kFormatZstd = 4;
inline constexpr int kCompressorShift = 5;

// A block is split into at most so many streams (c-blosc2's MAX_STREAMS), and only if each has
// at least so many bytes (BLOSC_MIN_BUFFERSIZE).
inline constexpr std::int32_t kMaxStreams = 16;
inline constexpr std::int32_t kMinSplitBytes = 32;
// Follows the length of a run; its bit 0 says that one byte repeats.
inline constexpr std::uint8_t kRunToken = 0x01;

// What put_chunk_header() writes; filters and codec stay 0.
struct NewHeader {
  std::uint8_t flags = 0;  // byte 0x02, but the mark of a 32-byte header
  std::uint8_t flags2 = 0;
  std::int32_t typesize = 1;
  std::size_t nbytes = 0;
  std::int32_t blocksize = 0;
  std::size_t cbytes = 0;
};

// `chunk` holds at least kChunkHeaderBytes.
inline void put_chunk_header(std::span<std::byte> chunk, const NewHeader& header) {
  fill_bytes(chunk.first(kChunkHeaderBytes), 0);
  chunk[at::kVersion] = std::byte{kFormatVersion};
  chunk[at::kCodecVersion] = std::byte{1};
  chunk[at::kFlags] = static_cast<std::byte>(kExtendedHeader | header.flags);
  chunk[at::kTypesize] = static_cast<std::byte>(header.typesize);
  store_i32(chunk, at::kNbytes, static_cast<std::int32_t>(header.nbytes));
  // c-blosc2 refuses a block size of 0, also where there are no blocks.
  store_i32(chunk, at::kBlocksize, std::max(header.blocksize, 1));
  store_i32(chunk, at::kCbytes, static_cast<std::int32_t>(header.cbytes));
  chunk[at::kFlags2] = static_cast<std::byte>(header.flags2);
}

[[noreturn]] inline void throw_corrupt(std::string_view what, const std::string& reason) {
  throw Error(ErrorKind::corruption, std::string(what) + " is damaged: " + reason);
}

// Uncompressed bytes of a block; the last one may be shorter.
inline std::int32_t block_size(const ChunkHeader& header, std::int32_t block) {
  const std::int64_t start = std::int64_t{block} * header.blocksize;
  const std::int64_t left = header.nbytes - start;
  return static_cast<std::int32_t>(left < header.blocksize ? left : header.blocksize);
}

// A short last block is never split.
inline std::int32_t stream_count(const ChunkHeader& header, std::int32_t size) {
  return header.split && size == header.blocksize ? header.typesize : 1;
}

// One stream of a block: stored bytes, or a run of one byte that stores none.
struct Stream {
  std::span<const std::byte> bytes;
  bool is_run = false;
  std::uint8_t run_value = 0;
};

// Reads the streams that follow one another in `rest`.
class StreamReader {
 public:
  explicit StreamReader(std::span<const std::byte> rest) : rest_(rest) {}

  // Nothing if the stream reaches past the end or has an unknown form.
  std::optional<Stream> next() {
    if (rest_.size() < 4) return std::nullopt;
    const std::int32_t size = load_i32(rest_, 0);
    rest_ = rest_.subspan(4);
    if (size == 0) return Stream{{}, true, 0};
    if (size > 0) {
      const auto length = static_cast<std::size_t>(size);
      if (length > rest_.size()) return std::nullopt;
      const Stream stream{rest_.first(length)};
      rest_ = rest_.subspan(length);
      return stream;
    }
    // Negative: a token byte follows; its bit 0 says that the byte -size repeats.
    if (rest_.empty() || size < -255) return std::nullopt;
    if ((std::to_integer<unsigned>(rest_[0]) & kRunToken) == 0) return std::nullopt;
    rest_ = rest_.subspan(1);
    return Stream{{}, true, static_cast<std::uint8_t>(-size)};
  }

  std::size_t remaining() const { return rest_.size(); }

 private:
  std::span<const std::byte> rest_;
};

// The dictionary section ("size, bytes") after the block starts, or nothing if there is none
// or it reaches past the chunk (which parse_chunk() refuses).
inline std::span<const std::byte> dictionary_section(std::span<const std::byte> chunk,
                                                     const ChunkHeader& header) {
  if (!header.dictionary || header.special != Special::none || header.memcpyed) return {};
  const std::size_t start =
      kChunkHeaderBytes + 4 * static_cast<std::size_t>(header.block_count());
  if (start + 4 > chunk.size()) return {};
  const std::int32_t size = load_i32(chunk, start);
  if (size < 0 || static_cast<std::size_t>(size) > chunk.size() - start - 4) return {};
  return chunk.subspan(start, 4 + static_cast<std::size_t>(size));
}

// A block of a memcpyed chunk, which stores its blocks one after another. Nothing if it reaches
// past the chunk.
inline std::optional<std::span<const std::byte>> stored_block(std::span<const std::byte> chunk,
                                                              const ChunkHeader& header,
                                                              std::int32_t block) {
  const std::size_t start =
      kChunkHeaderBytes + static_cast<std::size_t>(std::int64_t{block} * header.blocksize);
  const auto size = static_cast<std::size_t>(block_size(header, block));
  if (start + size > chunk.size()) return std::nullopt;
  return chunk.subspan(start, size);
}

// From a block's first stream to the chunk's end. Nothing if its start lies outside `chunk`.
inline std::optional<std::span<const std::byte>> block_tail(std::span<const std::byte> chunk,
                                                            std::int32_t block) {
  const std::size_t entry = kChunkHeaderBytes + 4 * static_cast<std::size_t>(block);
  if (entry + 4 > chunk.size()) return std::nullopt;
  const std::int32_t start = load_i32(chunk, entry);
  if (start < 0 || static_cast<std::size_t>(start) >= chunk.size()) return std::nullopt;
  return chunk.subspan(static_cast<std::size_t>(start));
}

}  // namespace mlarray::codec
