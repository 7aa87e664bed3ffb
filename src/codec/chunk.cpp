#include "codec/chunk.hpp"

#include <algorithm>
#include <string>

#include "codec/chunk_format.hpp"
#include "mlarray/error.hpp"
#include "mlarray/options.hpp"

namespace mlarray::codec {
namespace {

std::uint8_t byte_at(std::span<const std::byte> data, std::size_t offset) {
  return std::to_integer<std::uint8_t>(data[offset]);
}

[[noreturn]] void throw_unsupported(std::string_view what, const std::string& reason) {
  throw Error(ErrorKind::unsupported, std::string(what) + ": " + reason);
}

std::string plugin_codec_name(int id) {
  switch (id) {
    case 32:
      return "NDLZ";
    case 33:
    case 34:
    case 35:
      return "ZFP";
    case 36:
      return "OpenHTJ2K";
    case 37:
      return "Grok";
    case 38:
      return "OpenZL";
    case 39:
      return "J2K";
    case 40:
      return "HTJ2K";
    default:
      return "codec";
  }
}

constexpr std::string_view kReadable =
    "; readable are BloscLZ, LZ4, LZ4HC, zlib and ZSTD: rewrite the file with one of them";

void check_compressor(int field, int id, std::string_view what) {
  // Codecs 32 and up are plug-ins, which c-blosc2 loads by running code that it finds.
  if (field == 6 || id >= 32) {
    throw_unsupported(what, "compressed with the plug-in " + plugin_codec_name(id) + " (" +
                                std::to_string(id) + ")" + std::string(kReadable));
  }
  if (field == 7)
    throw_unsupported(what, "compressor outside the chunk" + std::string(kReadable));
  if (field != kFormatBloscLz && field != kFormatLz4 && field != kFormatZlib &&
      field != kFormatZstd) {
    throw_unsupported(what,
                      "compressor number " + std::to_string(field) + std::string(kReadable));
  }
}

void check_filters(const ChunkHeader& header, std::string_view what) {
  for (std::size_t i = 0; i < header.filters.size(); ++i) {
    const int code = header.filters[i];
    const bool known = code <= static_cast<int>(Filter::trunc_prec) ||
                       code == static_cast<int>(Filter::bytedelta) ||
                       code == static_cast<int>(Filter::int_trunc);
    if (!known) {
      throw_unsupported(what, "filter number " + std::to_string(code) +
                                  "; readable are shuffle (1), bitshuffle (2), delta (3), "
                                  "trunc_prec (4), bytedelta (35) and int_trunc (36)");
    }
  }
}

void check_expected(std::int64_t found, std::int64_t expected, std::string_view name,
                    std::string_view what) {
  if (expected >= 0 && found != expected) {
    throw_corrupt(what, "its " + std::string(name) + " is " + std::to_string(found) +
                            ", but the file says " + std::to_string(expected));
  }
}

// Fields whose meaning does not depend on the rest.
ChunkHeader parse_fields(std::span<const std::byte> chunk, std::string_view what) {
  ChunkHeader header;
  header.flags = byte_at(chunk, at::kFlags);
  header.typesize = byte_at(chunk, at::kTypesize);
  header.nbytes = load_i32(chunk, at::kNbytes);
  header.blocksize = load_i32(chunk, at::kBlocksize);
  header.cbytes = load_i32(chunk, at::kCbytes);
  for (std::size_t i = 0; i < header.filters.size(); ++i) {
    header.filters[i] = byte_at(chunk, at::kFilters + i);
    header.filters_meta[i] = byte_at(chunk, at::kFiltersMeta + i);
  }
  header.compressor = header.flags >> 5;
  header.memcpyed = (header.flags & kMemcpyed) != 0;
  header.split = (header.flags & kNotSplit) == 0;

  const std::uint8_t flags2 = byte_at(chunk, at::kFlags2);
  const int special = (flags2 >> 4) & 7;
  if (special > static_cast<int>(Special::uninit)) {
    throw_corrupt(what, "unknown special value " + std::to_string(special));
  }
  header.special = static_cast<Special>(special);
  header.dictionary = (flags2 & kDictionary) != 0;
  if ((flags2 & kLazy) != 0) throw_corrupt(what, "it is marked lazy, which no stored chunk is");
  if ((flags2 & ~(kDictionary | kBigEndianWriter | 0x70)) != 0) {
    throw_unsupported(what, "chunk flags " + std::to_string(flags2));
  }
  if (byte_at(chunk, at::kFlags3) != 0) {
    throw_unsupported(what, "blocks of variable length (flags " +
                                std::to_string(byte_at(chunk, at::kFlags3)) + ")");
  }
  return header;
}

void check_special(const ChunkHeader& header, std::string_view what) {
  const std::int64_t tail = header.cbytes - std::int64_t{kChunkHeaderBytes};
  if (header.special != Special::value) {
    if (tail != 0) {
      throw_corrupt(what, std::to_string(tail) + " bytes follow a header that stands alone");
    }
    return;
  }
  if (tail <= 0 || tail > header.nbytes || header.nbytes % tail != 0) {
    throw_corrupt(what, "a repeated value of " + std::to_string(tail) + " bytes cannot fill " +
                            std::to_string(header.nbytes));
  }
}

void check_block_starts(std::span<const std::byte> head, const ChunkHeader& header,
                        std::string_view what) {
  const std::int64_t blocks = header.block_count();
  std::int64_t first = std::int64_t{kChunkHeaderBytes} + 4 * blocks;
  const auto end = std::int64_t{header.cbytes};
  if (first > end) {
    throw_corrupt(what, "the starts of " + std::to_string(blocks) + " blocks do not fit into " +
                            std::to_string(end) + " bytes");
  }
  if (static_cast<std::int64_t>(head.size()) < std::min(end, first + 4)) {
    throw Error(ErrorKind::invalid_use,
                std::string(what) + ": its start was not read far enough");
  }
  if (header.dictionary) {
    const std::int32_t size =
        first + 4 <= end ? load_i32(head, static_cast<std::size_t>(first)) : -1;
    if (size <= 0 || size > kMaxDictionaryBytes || size > end - first - 4) {
      throw_corrupt(what, "a dictionary of " + std::to_string(size) + " bytes");
    }
    first += 4 + size;
  }
  std::int32_t lowest = INT32_MAX;
  std::int32_t highest = INT32_MIN;
  for (std::int64_t i = 0; i < blocks; ++i) {
    const std::int32_t start =
        load_i32(head, kChunkHeaderBytes + 4 * static_cast<std::size_t>(i));
    lowest = std::min(lowest, start);
    highest = std::max(highest, start);
  }
  if (lowest < first || highest > end - 4) {
    throw_corrupt(what, "a block starts at byte " +
                            std::to_string(lowest < first ? lowest : highest) + ", outside " +
                            std::to_string(first) + ".." + std::to_string(end));
  }
}

void check_sizes(const ChunkHeader& header, std::string_view what) {
  if (header.typesize == 0) throw_corrupt(what, "its element size is 0");
  if (header.nbytes < 0) {
    throw_corrupt(what, "its size is " + std::to_string(header.nbytes));
  }
  if (header.nbytes > 0 && (header.blocksize <= 0 || header.blocksize > kMaxBlockBytes)) {
    throw_corrupt(what, "its block size is " + std::to_string(header.blocksize) +
                            ", outside 1.." + std::to_string(kMaxBlockBytes));
  }
}

// What is decoded at once may be large, or come of next to nothing, but not both: encoders have
// chunks of one value for that, and a file of 100 bytes could fill any memory.
void check_expansion(const ChunkHeader& header, std::string_view what) {
  const std::int64_t unit = header.whole_only() ? header.nbytes : header.blocksize;
  if (unit > kFreeExpansion && unit / kMostExpansion > header.cbytes) {
    throw_corrupt(what, "it makes " + std::to_string(unit) + " bytes at once of " +
                            std::to_string(header.cbytes) + " stored ones; beyond " +
                            std::to_string(kFreeExpansion) + ", at most " +
                            std::to_string(kMostExpansion) + " of each are believed");
  }
}

void check_body(std::span<const std::byte> head, const ChunkHeader& header,
                std::string_view what) {
  const std::int64_t tail = header.cbytes - std::int64_t{kChunkHeaderBytes};
  if (header.special != Special::none) {
    check_special(header, what);
  } else if (header.memcpyed || header.nbytes == 0) {
    if (tail != header.nbytes) {
      throw_corrupt(what, "it stores " + std::to_string(tail) +
                              " bytes as they are instead of " + std::to_string(header.nbytes));
    }
  } else {
    check_expansion(header, what);
    check_block_starts(head, header, what);
    if (header.split && header.nbytes >= header.blocksize &&
        header.blocksize % header.typesize != 0) {
      throw_corrupt(what, "blocks of " + std::to_string(header.blocksize) +
                              " bytes cannot be split into " + std::to_string(header.typesize) +
                              " streams");
    }
  }
}

std::string block_name(std::int32_t block) { return "block " + std::to_string(block); }

}  // namespace

std::int32_t ChunkHeader::block_count() const {
  if (nbytes <= 0 || blocksize <= 0) return 0;
  return static_cast<std::int32_t>((std::int64_t{nbytes} + blocksize - 1) / blocksize);
}

bool ChunkHeader::whole_only() const {
  if (special != Special::none || memcpyed) return false;
  const auto delta = static_cast<std::uint8_t>(Filter::delta);
  return dictionary || std::find(filters.begin(), filters.end(), delta) != filters.end();
}

std::int64_t chunk_length(std::span<const std::byte> data, std::string_view what) {
  if (data.size() < kChunkHeaderBytes) {
    throw_corrupt(what, std::to_string(data.size()) + " bytes are too few for its header of " +
                            std::to_string(kChunkHeaderBytes));
  }
  const std::int32_t length = load_i32(data, at::kCbytes);
  if (length < static_cast<std::int32_t>(kChunkHeaderBytes)) {
    throw_corrupt(what, "its length is " + std::to_string(length) +
                            ", less than its header of " + std::to_string(kChunkHeaderBytes));
  }
  return length;
}

std::size_t head_bytes(std::int64_t block_count) {
  constexpr std::size_t kDictionarySize = 4;
  return kChunkHeaderBytes + 4 * static_cast<std::size_t>(block_count) + kDictionarySize;
}

ChunkHeader parse_chunk(std::span<const std::byte> chunk, const Expected& expected) {
  return parse_chunk(chunk, chunk.size(), expected);
}

ChunkHeader parse_chunk(std::span<const std::byte> head, std::size_t chunk_bytes,
                        const Expected& expected) {
  const std::string_view what = expected.what;
  const std::int64_t length = chunk_length(head, what);
  if (length != static_cast<std::int64_t>(chunk_bytes)) {
    throw_corrupt(what, "its header says " + std::to_string(length) + " bytes, but there are " +
                            std::to_string(chunk_bytes));
  }
  const int version = byte_at(head, at::kVersion);
  if (version < kFormatVersion ||
      (byte_at(head, at::kFlags) & kExtendedHeader) != kExtendedHeader) {
    throw_unsupported(what, "chunk format version " + std::to_string(version) +
                                " with a header of Blosc1 or a Blosc2 pre-release; readable is "
                                "version 5 and later with a 32-byte header");
  }
  ChunkHeader header = parse_fields(head, what);
  check_compressor(header.compressor, byte_at(head, at::kCodecId), what);
  check_filters(header, what);
  check_sizes(header, what);
  check_expected(header.nbytes, expected.nbytes, "size", what);
  check_expected(header.typesize, expected.typesize, "element size", what);
  if (header.special != Special::none) {
    // There are no blocks inside; the caller's block size numbers what it asks for.
    if (expected.blocksize > 0) {
      header.blocksize =
          static_cast<std::int32_t>(std::min<std::int64_t>(expected.blocksize, kMaxBlockBytes));
    }
  } else if (header.nbytes > 0) {
    check_expected(header.blocksize, expected.blocksize, "block size", what);
  }
  if (header.nbytes > 0) header.blocksize = std::min(header.blocksize, header.nbytes);
  check_body(head, header, what);
  return header;
}

std::span<const std::byte> block_bytes(std::span<const std::byte> chunk,
                                       const ChunkHeader& header, std::int32_t block) {
  if (block < 0 || block >= header.block_count() || header.special != Special::none) {
    throw Error(ErrorKind::invalid_use,
                block_name(block) + " of a chunk that stores " +
                    std::to_string(header.special == Special::none ? header.block_count() : 0) +
                    " blocks");
  }
  const std::int32_t size = block_size(header, block);
  if (header.memcpyed) {
    const auto stored = stored_block(chunk, header, block);
    if (!stored) throw_corrupt(block_name(block), "it lies outside its chunk");
    return *stored;
  }
  const auto tail = block_tail(chunk, block);
  if (!tail) throw_corrupt(block_name(block), "it starts outside its chunk");
  StreamReader reader(*tail);
  const std::int32_t streams = stream_count(header, size);
  for (std::int32_t i = 0; i < streams; ++i) {
    if (!reader.next()) {
      throw_corrupt(block_name(block),
                    "stream " + std::to_string(i) + " of " + std::to_string(streams) +
                        " has a wrong form or reaches past the end of the chunk");
    }
  }
  return tail->first(tail->size() - reader.remaining());
}

std::optional<std::span<const std::byte>> block_bytes_in(std::span<const std::byte> stored,
                                                         const ChunkHeader& header,
                                                         std::int32_t block) {
  const std::int32_t size = block_size(header, block);
  if (header.memcpyed) {
    const auto length = static_cast<std::size_t>(size);
    if (stored.size() < length) return std::nullopt;
    return stored.first(length);
  }
  StreamReader reader(stored);
  for (std::int32_t left = stream_count(header, size); left > 0; --left) {
    if (!reader.next()) return std::nullopt;
  }
  return stored.first(stored.size() - reader.remaining());
}

Place likely_block_place(std::span<const std::byte> head, const ChunkHeader& header,
                         std::int32_t block) {
  const auto chunk_bytes = static_cast<std::size_t>(header.cbytes);
  if (header.special != Special::none) return {0, chunk_bytes};
  if (header.memcpyed) {
    return {kChunkHeaderBytes +
                static_cast<std::size_t>(block) * static_cast<std::size_t>(header.blocksize),
            static_cast<std::size_t>(block_size(header, block))};
  }
  const auto start_of = [&](std::int32_t number) {
    return static_cast<std::size_t>(
        load_i32(head, kChunkHeaderBytes + 4 * static_cast<std::size_t>(number)));
  };
  const std::size_t start = start_of(block);
  const std::size_t end = block + 1 < header.block_count() ? start_of(block + 1) : chunk_bytes;
  return {start, end > start ? end - start : 0};
}

}  // namespace mlarray::codec
