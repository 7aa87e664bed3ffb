#include "codec/decoder.hpp"

#include <blosc2.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <thread>

#include "codec/block_decoder.hpp"
#include "codec/chunk_format.hpp"
#include "codec/encoder.hpp"
#include "expect_error.hpp"
#include "golden_chunks.hpp"
#include "support/rounds.hpp"

namespace mlarray::codec::test {
namespace {

using Bytes = std::vector<std::byte>;

Bytes decode_by_blocks(Decoder& decoder, const Bytes& chunk, const ChunkHeader& header) {
  Bytes out(static_cast<std::size_t>(header.nbytes), std::byte{0xee});
  for (std::int32_t block = 0; block < header.block_count(); ++block) {
    const auto start =
        static_cast<std::size_t>(block) * static_cast<std::size_t>(header.blocksize);
    decoder.decode_block(
        chunk, header, block,
        std::span(out).subspan(start, static_cast<std::size_t>(block_size(header, block))),
        "chunk");
  }
  return out;
}

TEST(Decoder, DecodesEveryGoldenChunk) {
  Decoder decoder;
  int own = 0;
  for (const GoldenChunk& golden : golden_chunks()) {
    const ChunkHeader header = parse_chunk(golden.chunk, {.what = golden.name});
    Bytes whole(golden.raw.size(), std::byte{0xee});
    decoder.decode_chunk(golden.chunk, header, whole, golden.name);
    EXPECT_EQ(whole, golden.raw) << golden.name;
    if (!header.whole_only()) {
      EXPECT_EQ(decode_by_blocks(decoder, golden.chunk, header), golden.raw) << golden.name;
    }
    own += BlockDecoder::handles(header) ? 1 : 0;
  }
  EXPECT_GT(own, 200);  // not all by c-blosc2
}

// The elements of a view one after another.
Bytes elements_of(const BlockView& view, std::size_t size) {
  if (view.planes == 0) return Bytes(view.plane[0], view.plane[0] + size);
  const auto planes = static_cast<std::size_t>(view.planes);
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = view.plane[i % planes][i / planes];
  return out;
}

TEST(Decoder, ViewsAreTheBlocks) {
  Decoder decoder;
  int planes = 0;
  int in_place = 0;
  for (const GoldenChunk& golden : golden_chunks()) {
    const ChunkHeader header = parse_chunk(golden.chunk, {});
    if (header.whole_only()) continue;
    for (std::int32_t block = 0; block < header.block_count(); ++block) {
      const auto start = static_cast<std::ptrdiff_t>(block) * header.blocksize;
      const std::int32_t size = block_size(header, block);
      const BlockView view = decoder.view_block(golden.chunk, header, block, golden.name);
      const Bytes expected(golden.raw.begin() + start, golden.raw.begin() + start + size);
      ASSERT_EQ(elements_of(view, expected.size()), expected) << golden.name << ' ' << block;
      planes += view.planes != 0 ? 1 : 0;
      const std::byte* first = golden.chunk.data();
      in_place += view.plane[0] >= first && view.plane[0] < first + golden.chunk.size() ? 1 : 0;
    }
  }
  EXPECT_GT(planes, 100);
  EXPECT_GT(in_place, 10);  // nothing was copied
}

TEST(Decoder, ViewsOfTheFirstBytes) {
  for (const GoldenChunk& golden : golden_chunks()) {
    const ChunkHeader header = parse_chunk(golden.chunk, {});
    if (header.whole_only()) continue;
    for (std::int32_t block = 0; block < header.block_count(); ++block) {
      const auto start = static_cast<std::ptrdiff_t>(block) * header.blocksize;
      const auto size = static_cast<std::size_t>(block_size(header, block));
      for (const std::size_t wanted : {std::size_t{1}, size / 3, size / 2 + 1, size}) {
        Decoder decoder;  // whose memory holds nothing of the block yet
        const BlockView view =
            decoder.view_block(golden.chunk, header, block, golden.name, wanted);
        const Bytes expected(golden.raw.begin() + start,
                             golden.raw.begin() + start + static_cast<std::ptrdiff_t>(wanted));
        ASSERT_EQ(elements_of(view, wanted), expected) << golden.name << ' ' << block;
      }
    }
  }
}

TEST(Decoder, GivesBackTheMemoryOfAGiantBlock) {
  Decoder decoder;
  const GoldenChunk& golden = golden_chunk("lz4hc shuffle typesize=2 split");
  const ChunkHeader header = parse_chunk(golden.chunk, {});
  decoder.view_block(golden.chunk, header, 0, "chunk");
  decoder.trim(0);
  EXPECT_EQ(decode_by_blocks(decoder, golden.chunk, header), golden.raw);
}

TEST(Decoder, TakesTheCommonChunksItself) {
  for (const char* name :
       {"lz4 none typesize=2 split", "lz4hc shuffle typesize=1 whole",
        "lz4hc shuffle typesize=2 split", "zstd bitshuffle typesize=300 whole",
        "zstd shuffle-first typesize=255 whole", "lz4 trunc_prec-shuffle typesize=4 split",
        "zstd shuffle-width-2 typesize=4 split"}) {
    EXPECT_TRUE(BlockDecoder::handles(parse_chunk(golden_chunk(name).chunk, {}))) << name;
  }
  for (const char* name :
       {"blosclz shuffle typesize=2 split", "zlib none typesize=4 whole",
        "zstd shuffle-bytedelta typesize=4 split", "lz4 delta typesize=4 whole",
        "dictionary zstd", "zero run", "incompressible"}) {
    EXPECT_FALSE(BlockDecoder::handles(parse_chunk(golden_chunk(name).chunk, {}))) << name;
  }
}

TEST(Decoder, RefusesBlocksOfWholeChunksAndWrongBuffers) {
  Decoder decoder;
  Bytes out(16384);
  for (const char* name : {"lz4 delta typesize=4 whole", "dictionary lz4hc"}) {
    const Bytes& chunk = golden_chunk(name).chunk;
    const ChunkHeader header = parse_chunk(chunk, {});
    expect_error([&] { decoder.decode_block(chunk, header, 0, out, "chunk 4"); },
                 ErrorKind::invalid_use, "as a whole");
  }
  const Bytes& chunk = golden_chunk("lz4 none typesize=2 split").chunk;
  const ChunkHeader header = parse_chunk(chunk, {});
  expect_error([&] { decoder.decode_block(chunk, header, 9, out, "chunk 4"); },
               ErrorKind::invalid_use, "block 9");
  expect_error([&] { decoder.decode_block(chunk, header, 0, out, "chunk 4"); },
               ErrorKind::invalid_use, "16384");
  expect_error([&] { decoder.decode_chunk(chunk, header, out, "chunk 4"); },
               ErrorKind::invalid_use, "16384");
}

TEST(Decoder, DictionariesDoNotLeakIntoOtherChunks) {
  Decoder decoder;
  for (const char* name : {"dictionary lz4", "blosclz shuffle typesize=2 split",
                           "dictionary zstd", "lz4 delta typesize=4 whole"}) {
    const GoldenChunk& golden = golden_chunk(name);
    // The dictionary's chunk is gone when the next one is decoded.
    const auto chunk = std::make_unique<Bytes>(golden.chunk);
    const ChunkHeader header = parse_chunk(*chunk, {});
    Bytes out(golden.raw.size());
    decoder.decode_chunk(*chunk, header, out, name);
    EXPECT_EQ(out, golden.raw) << name;
  }
}

TEST(Decoder, ByteDeltaWithoutAWidthMeansTheElement) {
  // What a super-chunk of the C library writes; python-blosc2 states the width.
  const GoldenChunk& golden = golden_chunk("zstd shuffle-bytedelta typesize=4 whole");
  Bytes chunk = golden.chunk;
  ASSERT_EQ(chunk[0x19], std::byte{4});
  chunk[0x19] = std::byte{0};
  Decoder decoder;
  EXPECT_EQ(decode_by_blocks(decoder, chunk, parse_chunk(chunk, {})), golden.raw);
}

TEST(Decoder, WorksAfterAMove) {
  Decoder first;
  Decoder second(std::move(first));
  const GoldenChunk& golden = golden_chunk("zstd shuffle typesize=8 split");
  EXPECT_EQ(decode_by_blocks(second, golden.chunk, parse_chunk(golden.chunk, {})), golden.raw);
}

TEST(Decoder, OnePerThread) {
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, -1);
  for (int& result : wrong) {
    threads.emplace_back([&result] {
      Decoder decoder;
      result = 0;
      for (const GoldenChunk& golden : golden_chunks()) {
        Bytes out(golden.raw.size());
        decoder.decode_chunk(golden.chunk, parse_chunk(golden.chunk, {}), out, golden.name);
        result += out != golden.raw ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

// Random data whose streams take every form: compressed, stored, runs of 0 and of others.
Bytes random_data(std::mt19937& random, std::size_t size, int typesize) {
  Bytes data(size);
  std::size_t i = 0;
  while (i < size) {
    const std::size_t length = std::min<std::size_t>(size - i, 1 + random() % 3000);
    const auto kind = random() % 5;
    const auto value = static_cast<unsigned>(random());
    for (std::size_t k = 0; k < length; ++k) {
      const std::size_t place = i + k;
      const bool low = place % static_cast<std::size_t>(typesize) == 0;
      unsigned byte = 0;
      if (kind == 1) byte = value;
      if (kind == 2) byte = static_cast<unsigned>(random());
      if (kind == 3) byte = low ? random() % 16 : value;
      if (kind == 4) byte = static_cast<unsigned>(place / 7);
      data[place] = static_cast<std::byte>(byte & 0xff);
    }
    i += length;
  }
  return data;
}

TEST(Decoder, AgreesWithCBlosc2OnRandomChunks) {
  std::mt19937 random(20261123);
  Decoder decoder;
  const std::unique_ptr<blosc2_context, void (*)(blosc2_context*)> reference(
      blosc2_create_dctx(BLOSC2_DPARAMS_DEFAULTS), blosc2_free_ctx);
  int own = 0;
  for (int round = 0; round < mlarray::test::rounds(1500); ++round) {
    const int typesizes[] = {1, 2, 4, 8, 16, static_cast<int>(1 + random() % 255)};
    const int typesize = typesizes[random() % 6];
    blosc2_cparams params = BLOSC2_CPARAMS_DEFAULTS;
    const int codecs[] = {BLOSC_LZ4, BLOSC_LZ4HC, BLOSC_ZSTD};
    params.compcode = static_cast<std::uint8_t>(codecs[random() % 3]);
    params.clevel = static_cast<std::uint8_t>(1 + random() % 6);
    params.typesize = typesize;
    params.nthreads = 1;
    params.splitmode = random() % 2 != 0 ? BLOSC_ALWAYS_SPLIT : BLOSC_NEVER_SPLIT;
    std::fill(params.filters, params.filters + 6, std::uint8_t{0});
    params.filters[random() % 6] = static_cast<std::uint8_t>(random() % 3);
    // At least one whole block: for less, c-blosc2 writes a block size that it did not use.
    const auto elements = 1 + random() % 1500;
    const auto block_elements = 1 + random() % std::min<std::size_t>(300, elements);
    params.blocksize = static_cast<std::int32_t>(block_elements) * typesize;
    const std::size_t size = static_cast<std::size_t>(typesize) * elements + random() % 2;
    const Bytes data = random_data(random, size, typesize);
    Bytes chunk(size + 32);
    const std::unique_ptr<blosc2_context, void (*)(blosc2_context*)> context(
        blosc2_create_cctx(params), blosc2_free_ctx);
    const int written =
        blosc2_compress_ctx(context.get(), data.data(), static_cast<std::int32_t>(size),
                            chunk.data(), static_cast<std::int32_t>(chunk.size()));
    ASSERT_GT(written, 0);
    chunk.resize(static_cast<std::size_t>(written));

    Bytes expected(size);
    ASSERT_EQ(blosc2_decompress_ctx(reference.get(), chunk.data(), written, expected.data(),
                                    static_cast<std::int32_t>(size)),
              static_cast<int>(size));
    ASSERT_EQ(expected, data);
    const ChunkHeader header = parse_chunk(chunk, {.what = "random"});
    own += BlockDecoder::handles(header) ? 1 : 0;
    ASSERT_EQ(decode_by_blocks(decoder, chunk, header), data)
        << "codec " << int{params.compcode} << " typesize " << typesize << " size " << size
        << " blocksize " << params.blocksize;
  }
  EXPECT_GT(own, mlarray::test::rounds(1000));
}

TEST(FillSpecial, RepeatsTheValue) {
  const Bytes item{std::byte{1}, std::byte{2}, std::byte{3}};
  for (std::size_t size = 0; size < 40; ++size) {
    Bytes out(size, std::byte{0xee});
    fill_special(Special::value, item, 3, out);
    for (std::size_t i = 0; i < size; ++i) EXPECT_EQ(out[i], item[i % 3]);
  }
}

TEST(FillSpecial, FillsZerosAlsoForUninitialised) {
  for (const Special special : {Special::zeros, Special::uninit}) {
    Bytes out(9, std::byte{0xee});
    fill_special(special, {}, 4, out);
    EXPECT_EQ(out, Bytes(9));
  }
}

TEST(FillSpecial, FillsNanAsTheFormatDoes) {
  std::array<float, 3> floats{};
  fill_special(Special::nan, {}, 4, std::as_writable_bytes(std::span(floats)));
  for (const float value : floats) EXPECT_TRUE(std::isnan(value));
  std::array<double, 3> doubles{};
  fill_special(Special::nan, {}, 8, std::as_writable_bytes(std::span(doubles)));
  for (const double value : doubles) EXPECT_TRUE(std::isnan(value));
  std::array<std::uint16_t, 3> halves{};
  fill_special(Special::nan, {}, 2, std::as_writable_bytes(std::span(halves)));
  for (const std::uint16_t value : halves) EXPECT_EQ(value, 0x7e00);
  Bytes out(16);
  expect_error([&] { fill_special(Special::nan, {}, 16, out); }, ErrorKind::unsupported, "16");
  expect_error([&] { fill_special(Special::value, {}, 4, out); }, ErrorKind::invalid_use,
               "no value");
}

TEST(Decoder, RepeatsAValueAcrossBlocksThatDoNotHoldWholeOnes) {
  const GoldenChunk& golden = golden_chunk("special value <c16");
  const ChunkHeader header = parse_chunk(golden.chunk, {1600, 100, -1, "chunk"});
  ASSERT_EQ(header.block_count(), 16);
  Decoder decoder;
  EXPECT_EQ(decode_by_blocks(decoder, golden.chunk, header), golden.raw);
}

}  // namespace
}  // namespace mlarray::codec::test
