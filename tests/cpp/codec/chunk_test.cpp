#include "codec/chunk.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "codec/bytes.hpp"
#include "codec/decoder.hpp"
#include "codec/encoder.hpp"
#include "expect_error.hpp"
#include "golden_chunks.hpp"

namespace mlarray::codec::test {
namespace {

using Bytes = std::vector<std::byte>;

Bytes plain() { return golden_chunk("lz4 shuffle typesize=4 split").chunk; }

Bytes with_byte(Bytes chunk, std::size_t offset, unsigned value) {
  chunk.at(offset) = static_cast<std::byte>(value);
  return chunk;
}

Bytes with_number(Bytes chunk, std::size_t offset, std::int32_t value) {
  store_i32(chunk, offset, value);
  return chunk;
}

void expect_refused(const Bytes& chunk, ErrorKind kind, const std::string& text) {
  expect_error([&] { parse_chunk(chunk, {.what = "chunk 17"}); }, kind, text);
  expect_error([&] { parse_chunk(chunk, {.what = "chunk 17"}); }, kind, "chunk 17");
}

TEST(ParseChunk, ReadsEveryField) {
  const ChunkHeader header = parse_chunk(plain(), {});
  EXPECT_EQ(header.typesize, 4);
  EXPECT_EQ(header.nbytes, 1500);
  EXPECT_EQ(header.blocksize, 600);
  EXPECT_EQ(header.block_count(), 3);
  EXPECT_EQ(header.compressor, 1);
  EXPECT_EQ(header.filters[5], 1);
  EXPECT_TRUE(header.split);
  EXPECT_FALSE(header.memcpyed);
  EXPECT_FALSE(header.dictionary);
  EXPECT_FALSE(header.whole_only());
  EXPECT_EQ(header.special, Special::none);
}

TEST(ParseChunk, AcceptsEveryGoldenChunk) {
  for (const GoldenChunk& golden : golden_chunks()) {
    const ChunkHeader header = parse_chunk(golden.chunk, {.what = golden.name});
    EXPECT_EQ(header.nbytes, static_cast<std::int64_t>(golden.raw.size())) << golden.name;
    const bool whole =
        golden.name.find(" delta") != std::string::npos || golden.name.find("dictionary") == 0;
    EXPECT_EQ(header.whole_only(), whole && !header.memcpyed) << golden.name;
  }
}

TEST(ParseChunk, RefusesPluginCodecsByName) {
  const struct {
    unsigned id;
    const char* name;
  } codecs[] = {{32, "NDLZ"}, {33, "ZFP"},    {34, "ZFP"}, {35, "ZFP"},   {36, "OpenHTJ2K"},
                {37, "Grok"}, {38, "OpenZL"}, {39, "J2K"}, {40, "HTJ2K"}, {160, "160"}};
  for (const auto& codec : codecs) {
    // By the compressor field, and by the identifier alone.
    expect_refused(with_byte(with_byte(plain(), 0x02, 0xc5), 0x16, codec.id),
                   ErrorKind::unsupported, codec.name);
    expect_refused(with_byte(plain(), 0x16, codec.id), ErrorKind::unsupported, codec.name);
  }
  // Also where nothing would have to be decompressed.
  Bytes stored = golden_chunk("incompressible").chunk;
  expect_refused(with_byte(with_byte(stored, 0x02, 0xc7), 0x16, 38), ErrorKind::unsupported,
                 "OpenZL");
}

TEST(ParseChunk, AllowsOnlyKnownCompressorsAndFilters) {
  for (unsigned field = 0; field < 8; ++field) {
    const Bytes chunk = with_byte(plain(), 0x02, (field << 5) | 0x05);
    if (field == 0 || field == 1 || field == 3 || field == 4) {
      EXPECT_EQ(parse_chunk(chunk, {}).compressor, static_cast<int>(field));
    } else {
      expect_refused(chunk, ErrorKind::unsupported, "readable are BloscLZ");
    }
  }
  for (unsigned filter = 0; filter < 256; ++filter) {
    for (std::size_t slot = 0; slot < 6; ++slot) {
      const Bytes chunk = with_byte(plain(), 0x10 + slot, filter);
      if (filter <= 4 || filter == 35 || filter == 36) {
        EXPECT_EQ(parse_chunk(chunk, {}).filters[slot], filter);
      } else {
        expect_refused(chunk, ErrorKind::unsupported,
                       "filter number " + std::to_string(filter));
      }
    }
  }
}

TEST(ParseChunk, RefusesFlagsThatNoStoredChunkHas) {
  expect_refused(with_byte(plain(), 0x1f, 0x08), ErrorKind::corruption, "lazy");
  expect_refused(with_byte(plain(), 0x1f, 0x04), ErrorKind::unsupported, "flags");
  expect_refused(with_byte(plain(), 0x1f, 0x80), ErrorKind::unsupported, "flags");
  expect_refused(with_byte(plain(), 0x1f, 0x50), ErrorKind::corruption, "special");
  expect_refused(with_byte(plain(), 0x1e, 0x01), ErrorKind::unsupported, "variable length");
  // A big-endian writer changes nothing inside the chunk.
  EXPECT_EQ(parse_chunk(with_byte(plain(), 0x1f, 0x02), {}).nbytes, 1500);
}

TEST(ParseChunk, RefusesHeadersOfBlosc1AndPreReleases) {
  expect_refused(with_byte(plain(), 0x00, 2), ErrorKind::unsupported, "version 2");
  expect_refused(with_byte(plain(), 0x00, 4), ErrorKind::unsupported, "version 4");
  expect_refused(with_byte(plain(), 0x02, 0x21), ErrorKind::unsupported, "Blosc1");
  EXPECT_EQ(parse_chunk(with_byte(plain(), 0x00, 6), {}).nbytes, 1500);
}

TEST(ParseChunk, ChecksSizes) {
  const Bytes chunk = plain();
  Bytes longer = chunk;
  longer.push_back(std::byte{0});
  expect_refused(longer, ErrorKind::corruption, "but there are");
  Bytes shorter = chunk;
  shorter.pop_back();
  expect_refused(shorter, ErrorKind::corruption, "but there are");
  expect_refused(Bytes(31), ErrorKind::corruption, "too few");
  expect_refused(with_number(chunk, 0x0c, 31), ErrorKind::corruption, "31");
  expect_refused(with_number(chunk, 0x0c, -1), ErrorKind::corruption, "-1");
  expect_refused(with_byte(chunk, 0x03, 0), ErrorKind::corruption, "element size is 0");
  expect_refused(with_number(chunk, 0x04, -5), ErrorKind::corruption, "-5");
  expect_refused(with_number(chunk, 0x08, 0), ErrorKind::corruption, "block size");
  expect_refused(with_number(chunk, 0x08, -600), ErrorKind::corruption, "block size");
  expect_refused(with_number(chunk, 0x08, 2147483647), ErrorKind::corruption, "block size");
  expect_refused(with_number(chunk, 0x08, 601), ErrorKind::corruption, "split");
  // Far more blocks than starts.
  expect_refused(with_number(with_number(chunk, 0x04, 2147483647), 0x08, 4),
                 ErrorKind::corruption, "do not fit");
}

TEST(ParseChunk, ComparesWithWhatTheFileSays) {
  const Bytes chunk = plain();
  EXPECT_NO_THROW(parse_chunk(chunk, {1500, 600, 4, "chunk 0"}));
  expect_error([&] { parse_chunk(chunk, {1504, 600, 4, "chunk 0"}); }, ErrorKind::corruption,
               "1500");
  expect_error([&] { parse_chunk(chunk, {1500, 300, 4, "chunk 0"}); }, ErrorKind::corruption,
               "600");
  expect_error([&] { parse_chunk(chunk, {1500, 600, 2, "chunk 0"}); }, ErrorKind::corruption,
               "element size");
}

TEST(ParseChunk, ChecksBlockStarts) {
  const Bytes chunk = plain();
  const auto end = static_cast<std::int32_t>(chunk.size());
  for (const std::int32_t start : {-1, 0, 31, 43, end - 3, end, end + 1, 2147483647}) {
    expect_refused(with_number(chunk, 36, start), ErrorKind::corruption, "starts at byte");
  }
}

TEST(ParseChunk, ChecksStoredSpecialAndDictionaryChunks) {
  const Bytes stored = golden_chunk("incompressible").chunk;
  expect_refused(with_number(stored, 0x04, 1699), ErrorKind::corruption, "1699");
  const Bytes zeros = golden_chunk("zero run").chunk;
  EXPECT_EQ(parse_chunk(zeros, {}).special, Special::zeros);
  Bytes tailed = with_number(zeros, 0x0c, 33);
  tailed.push_back(std::byte{0});
  expect_refused(tailed, ErrorKind::corruption, "stands alone");
  const Bytes value = golden_chunk("special value <f8").chunk;
  expect_refused(with_number(value, 0x04, 801), ErrorKind::corruption, "repeated value");
  const Bytes empty_value = with_number(value, 0x04, 0);
  expect_refused(empty_value, ErrorKind::corruption, "repeated value");
  const Bytes dictionary = golden_chunk("dictionary zstd").chunk;
  const std::size_t at_size = 32 + 4 * 4;
  for (const std::int32_t size : {-1, 0, 131073, 100000, 2147483647}) {
    expect_refused(with_number(dictionary, at_size, size), ErrorKind::corruption, "dictionary");
  }
}

TEST(ParseChunk, NumbersBlocksOfASpecialChunkAsTheCallerDoes) {
  const Bytes value = golden_chunk("special value <f8").chunk;
  const ChunkHeader header = parse_chunk(value, {800, 80, 8, "chunk 0"});
  EXPECT_EQ(header.block_count(), 10);
}

TEST(ChunkLength, IsTheHeadersNumber) {
  const Bytes chunk = plain();
  EXPECT_EQ(chunk_length(std::span(chunk).first(32), "c"),
            static_cast<std::int64_t>(chunk.size()));
  expect_error([&] { chunk_length(std::span(chunk).first(31), "index"); },
               ErrorKind::corruption, "index");
}

TEST(BlockBytes, CoverEachChunkWithoutGapsOrOverlap) {
  for (const GoldenChunk& golden : golden_chunks()) {
    const ChunkHeader header = parse_chunk(golden.chunk, {});
    if (header.special != Special::none || header.nbytes == 0 || header.dictionary) continue;
    std::size_t total =
        header.memcpyed ? 32 : 32 + 4 * static_cast<std::size_t>(header.block_count());
    for (std::int32_t block = 0; block < header.block_count(); ++block) {
      const auto bytes = block_bytes(golden.chunk, header, block);
      EXPECT_EQ(bytes.data(), golden.chunk.data() + total) << golden.name << " " << block;
      total += bytes.size();
    }
    EXPECT_EQ(total, golden.chunk.size()) << golden.name;
  }
}

TEST(BlockBytes, AreFoundFromTheStartOfTheChunkAlone) {
  for (const GoldenChunk& golden : golden_chunks()) {
    const Bytes& chunk = golden.chunk;
    const ChunkHeader whole = parse_chunk(chunk, {});
    const auto head =
        std::span(chunk).first(std::min(chunk.size(), head_bytes(whole.block_count())));
    const ChunkHeader header = parse_chunk(head, chunk.size(), {});
    EXPECT_EQ(header.nbytes, whole.nbytes) << golden.name;
    if (header.special != Special::none || header.nbytes == 0) continue;
    for (std::int32_t block = 0; block < header.block_count(); ++block) {
      const auto bytes = block_bytes(chunk, header, block);
      const Place place = likely_block_place(head, header, block);
      const auto stored = std::span(chunk).subspan(place.offset, place.length);
      EXPECT_EQ(stored.data(), bytes.data()) << golden.name << " " << block;
      const auto found = block_bytes_in(stored, header, block);
      ASSERT_TRUE(found) << golden.name << " " << block;
      EXPECT_EQ(found->size(), bytes.size()) << golden.name << " " << block;
      const auto cut = stored.first(bytes.size() - 1);
      EXPECT_FALSE(block_bytes_in(cut, header, block)) << golden.name << " " << block;
    }
  }
}

TEST(BlockBytes, HaveNoLikelyPlaceWhereBlocksAreNotInOrder) {
  Bytes chunk = plain();
  const ChunkHeader header = parse_chunk(chunk, {});
  std::swap_ranges(chunk.begin() + 32, chunk.begin() + 36, chunk.begin() + 36);
  EXPECT_EQ(likely_block_place(chunk, header, 0).length, 0u);
  EXPECT_GT(likely_block_place(chunk, header, 1).length, 0u);
}

TEST(ParseChunk, NeedsAllBlockStarts) {
  const Bytes chunk = plain();
  expect_error(
      [&] { parse_chunk(std::span(chunk).first(kChunkHeaderBytes + 4), chunk.size(), {}); },
      ErrorKind::invalid_use, "not read far enough");
}

TEST(BlockBytes, RefuseBlocksThatAreNotThere) {
  const Bytes chunk = plain();
  const ChunkHeader header = parse_chunk(chunk, {});
  expect_error([&] { block_bytes(chunk, header, 3); }, ErrorKind::invalid_use, "block 3");
  expect_error([&] { block_bytes(chunk, header, -1); }, ErrorKind::invalid_use, "block -1");
  const Bytes zeros = golden_chunk("zero run").chunk;
  expect_error([&] { block_bytes(zeros, parse_chunk(zeros, {}), 0); }, ErrorKind::invalid_use,
               "block 0");
  // A stream that claims more than the chunk has.
  const Bytes damaged = with_number(chunk, 44, 5000);
  expect_error([&] { block_bytes(damaged, header, 0); }, ErrorKind::corruption, "stream 0");
}

}  // namespace
}  // namespace mlarray::codec::test
