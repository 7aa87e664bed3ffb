#include "codec/encoder.hpp"

#include <blosc2.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <tuple>

#include "codec/chunk_format.hpp"
#include "codec/decoder.hpp"
#include "codec/index_chunk.hpp"
#include "decode.hpp"
#include "expect_error.hpp"
#include "golden_chunks.hpp"

namespace mlarray::codec::test {
namespace {

using Bytes = std::vector<std::byte>;

// Smooth elements with a little noise.
Bytes smooth(std::size_t size, std::size_t typesize, unsigned seed = 1) {
  std::mt19937 random(seed);
  Bytes data(size);
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t element = i / typesize;
    const unsigned value = static_cast<unsigned>(element / 16) + random() % 4;
    data[i] = static_cast<std::byte>(i % typesize == 0 ? value : element / 4096);
  }
  return data;
}

Bytes noise(std::size_t size) {
  std::mt19937 random(3);
  Bytes data(size);
  for (std::byte& byte : data) byte = static_cast<std::byte>(random());
  return data;
}

Bytes decode_by_blosc(const Bytes& chunk) {
  std::int32_t nbytes = 0;
  EXPECT_GE(blosc2_cbuffer_sizes(chunk.data(), &nbytes, nullptr, nullptr), 0);
  Bytes out(static_cast<std::size_t>(nbytes));
  blosc2_context* context = blosc2_create_dctx(BLOSC2_DPARAMS_DEFAULTS);
  EXPECT_EQ(blosc2_decompress_ctx(context, chunk.data(),
                                  static_cast<std::int32_t>(chunk.size()), out.data(), nbytes),
            nbytes);
  blosc2_free_ctx(context);
  return out;
}

// What a caller may have asked for; presets are encoded without c-blosc2.
CodecParams explicit_params() {
  CodecParams params = default_params(2, false);
  params.adaptive = false;
  return params;
}

class EnvironmentVariable {
 public:
  EnvironmentVariable(const char* name, const char* value) : name_(name) {
    setenv(name, value, 1);
  }
  ~EnvironmentVariable() { unsetenv(name_); }
  EnvironmentVariable(const EnvironmentVariable&) = delete;
  EnvironmentVariable& operator=(const EnvironmentVariable&) = delete;

 private:
  const char* name_;
};

TEST(Encoder, RoundTripsEveryParameter) {
  for (const Codec codec :
       {Codec::blosclz, Codec::lz4, Codec::lz4hc, Codec::zlib, Codec::zstd}) {
    for (const int level : {0, 1, 5, 9}) {
      for (const Filter filter :
           {Filter::none, Filter::shuffle, Filter::bitshuffle, Filter::bytedelta}) {
        for (const bool split : {false, true}) {
          for (const std::int64_t typesize : {1, 2, 4, 8, 12, 255, 300}) {
            CodecParams params;
            params.codec = codec;
            params.level = level;
            params.split = split;
            params.filters[5] = static_cast<std::uint8_t>(filter);
            const auto blocksize = static_cast<std::int32_t>(typesize * 40);
            const Bytes data = smooth(static_cast<std::size_t>(blocksize) * 3,
                                      static_cast<std::size_t>(typesize));
            const Bytes chunk = Encoder(params, typesize, blocksize).encode(data);
            const ChunkHeader header =
                parse_chunk(chunk, {static_cast<std::int64_t>(data.size()), blocksize,
                                    typesize > 255 ? 1 : typesize, "chunk"});
            EXPECT_EQ(header.memcpyed, level == 0 || header.memcpyed);
            ASSERT_EQ(decode(chunk), data);
            ASSERT_EQ(decode_by_blosc(chunk), data);
          }
        }
      }
    }
  }
}

TEST(Encoder, WritesWhatWasAskedFor) {
  CodecParams params;
  params.codec = Codec::zstd;
  params.level = 2;
  params.filters = {0, 0, 0, 0, 2, 0};
  params.split = true;
  const Bytes chunk = Encoder(params, 4, 4000).encode(smooth(8000, 4));
  const ChunkHeader header = parse_chunk(chunk, {8000, 4000, 4, "chunk"});
  EXPECT_EQ(header.compressor, 4);
  EXPECT_EQ(header.filters, params.filters);
  EXPECT_TRUE(header.split);
  EXPECT_LT(chunk.size(), 4000U);
}

TEST(Encoder, IsReusableAndDeterministic) {
  Encoder encoder(default_params(2, false), 2, 2000);
  const Bytes first = smooth(6000, 2);
  const Bytes once = encoder.encode(first);
  EXPECT_EQ(decode(encoder.encode(noise(20000))), noise(20000));
  EXPECT_EQ(encoder.encode(first), once);
  Encoder moved(std::move(encoder));
  EXPECT_EQ(moved.encode(first), once);
}

// Blocks of all kinds: smooth, noise, one value, zeros.
Bytes mixed_blocks(std::size_t blocksize, std::size_t typesize) {
  Bytes data = smooth(blocksize * 6, typesize);
  const Bytes random = noise(blocksize);
  std::copy(random.begin(), random.end(),
            data.begin() + static_cast<std::ptrdiff_t>(blocksize));
  std::fill_n(data.begin() + static_cast<std::ptrdiff_t>(2 * blocksize), blocksize,
              std::byte{9});
  std::fill_n(data.begin() + static_cast<std::ptrdiff_t>(3 * blocksize), 2 * blocksize,
              std::byte{0});
  return data;
}

// The chunk with all blocks encoded one by one, under its own header.
std::optional<Bytes> by_block(const Bytes& chunk, const ChunkHeader& header,
                              const CodecParams& params, std::int64_t typesize,
                              const Bytes& data) {
  Encoder encoder(params, typesize, header.blocksize);
  std::vector<Bytes> stored;
  for (std::int32_t i = 0; i < header.block_count(); ++i) {
    const auto size = static_cast<std::size_t>(header.blocksize);
    const auto block =
        encoder.encode_block(std::span(data).subspan(static_cast<std::size_t>(i) * size, size));
    if (!block) return std::nullopt;
    stored.emplace_back(block->begin(), block->end());
  }
  return join_blocks(chunk, header,
                     std::vector<std::span<const std::byte>>(stored.begin(), stored.end()));
}

TEST(EncodeBlock, MakesBlocksOfAChunkThatIsThere) {
  int joined = 0;
  for (const Codec codec :
       {Codec::blosclz, Codec::lz4, Codec::lz4hc, Codec::zlib, Codec::zstd}) {
    for (const int level : {0, 1, 9}) {
      for (const auto& [first, second] :
           {std::pair(Filter::none, Filter::none), std::pair(Filter::none, Filter::shuffle),
            std::pair(Filter::none, Filter::bitshuffle),
            std::pair(Filter::shuffle, Filter::bytedelta)}) {
        for (const bool split : {false, true}) {
          for (const std::int64_t typesize : {1, 2, 4, 8, 12, 255, 300}) {
            CodecParams params;
            params.codec = codec;
            params.level = level;
            params.split = split;
            params.adaptive = level == 9;
            params.filters[4] = static_cast<std::uint8_t>(first);
            params.filters[5] = static_cast<std::uint8_t>(second);
            const auto blocksize = static_cast<std::int32_t>(typesize * 160);
            const Bytes data = mixed_blocks(static_cast<std::size_t>(blocksize),
                                            static_cast<std::size_t>(typesize));
            const Bytes chunk = Encoder(params, typesize, blocksize).encode(data);
            const ChunkHeader header = parse_chunk(chunk, {});
            const auto found = params_for_blocks(header, params);
            ASSERT_EQ(found.has_value(), !header.memcpyed);
            if (!found) continue;
            const auto again = by_block(chunk, header, *found, typesize, data);
            ASSERT_TRUE(again.has_value());
            ++joined;
            ASSERT_EQ(decode(*again), data);
            ASSERT_EQ(decode_by_blosc(*again), data);
            // Blocks are encoded alone, also in a chunk.
            ASSERT_EQ(*again, chunk);
          }
        }
      }
    }
  }
  EXPECT_GT(joined, 500);
}

CodecParams params_without_filters(CodecParams params) {
  params.filters = {};
  return params;
}

TEST(EncodeBlock, IsOnlyForChunksOfTheSameParameters) {
  CodecParams params = explicit_params();
  const Bytes data = smooth(8000, 2);
  const ChunkHeader header = parse_chunk(Encoder(params, 2, 2000).encode(data), {});
  EXPECT_EQ(params_for_blocks(header, params), params);
  CodecParams other = params;
  other.split = !params.split;  // the chunk's own
  EXPECT_EQ(params_for_blocks(header, other), params);
  other = params;
  other.codec = Codec::lz4;  // read alike
  EXPECT_EQ(params_for_blocks(header, other), other);
  other.codec = Codec::zstd;
  EXPECT_EQ(params_for_blocks(header, other), std::nullopt);
  other = params;
  other.filters = {0, 0, 0, 0, 0, 2};
  EXPECT_EQ(params_for_blocks(header, other), std::nullopt);
  const ChunkHeader plain =
      parse_chunk(Encoder(params_without_filters(params), 2, 2000).encode(data), {});
  EXPECT_EQ(params_for_blocks(plain, params), params_without_filters(params));
  const ChunkHeader stored = parse_chunk(store_chunk(data, 2, 2000), {});
  EXPECT_EQ(params_for_blocks(stored, params), std::nullopt);
  const ChunkHeader zeros = parse_chunk(Encoder(params, 2, 2000).encode(Bytes(8000)), {});
  EXPECT_EQ(params_for_blocks(zeros, params), std::nullopt);
  ChunkHeader delta = header;
  delta.filters[0] = static_cast<std::uint8_t>(Filter::delta);
  EXPECT_EQ(params_for_blocks(delta, params), std::nullopt);
  ChunkHeader dictionary = header;
  dictionary.dictionary = true;
  EXPECT_EQ(params_for_blocks(dictionary, params), std::nullopt);
}

TEST(EncodeBlock, TakesOneWholeBlock) {
  Encoder encoder(explicit_params(), 2, 2000);
  EXPECT_THROW(encoder.encode_block(Bytes(1998)), Error);
}

TEST(JoinBlocks, LeavesWhatDoesNotShrinkToBeStored) {
  CodecParams params = explicit_params();
  const ChunkHeader header = parse_chunk(Encoder(params, 2, 2000).encode(smooth(8000, 2)), {});
  const Bytes chunk = Encoder(params, 2, 2000).encode(smooth(8000, 2));
  EXPECT_EQ(by_block(chunk, header, params, 2, noise(8000)), std::nullopt);
}

TEST(Encoder, ZerosAreOnlyAHeader) {
  for (const std::int64_t typesize : {1, 2, 8, 300}) {
    const auto blocksize = static_cast<std::int32_t>(typesize * 50);
    const Bytes zeros(static_cast<std::size_t>(blocksize) * 4);
    const Bytes chunk =
        Encoder(default_params(typesize, false), typesize, blocksize).encode(zeros);
    EXPECT_EQ(chunk.size(), 32U);
    EXPECT_EQ(parse_chunk(chunk, {static_cast<std::int64_t>(zeros.size()), blocksize,
                                  typesize > 255 ? 1 : typesize, "chunk"})
                  .special,
              Special::zeros);
    EXPECT_EQ(decode(chunk), zeros);
    EXPECT_EQ(decode_by_blosc(chunk), zeros);
  }
  // One byte that differs, at the very end.
  Bytes almost(4000);
  almost.back() = std::byte{1};
  EXPECT_EQ(decode(Encoder(default_params(2, false), 2, 1000).encode(almost)), almost);
}

TEST(Encoder, DataThatDoesNotShrinkIsStored) {
  const Bytes data = noise(8000);
  const Bytes chunk = Encoder(default_params(1, false), 1, 1000).encode(data);
  EXPECT_EQ(chunk.size(), data.size() + 32);
  EXPECT_TRUE(parse_chunk(chunk, {}).memcpyed);
  EXPECT_EQ(decode(chunk), data);
}

TEST(Encoder, NeverShufflesSingleBytes) {
  CodecParams params;
  params.filters[5] = static_cast<std::uint8_t>(Filter::shuffle);
  for (const std::int64_t typesize : {1, 300}) {
    const Bytes data = smooth(3000, static_cast<std::size_t>(typesize));
    const Bytes chunk = Encoder(params, typesize, 1500).encode(data);
    EXPECT_EQ(parse_chunk(chunk, {}).filters, (std::array<std::uint8_t, 6>{}));
    EXPECT_EQ(decode(chunk), data);
  }
}

TEST(Encoder, RefusesBlocksThatTheFormatDoesNotHold) {
  const CodecParams params;
  for (const std::int32_t blocksize : {0, -8, 10, 536866820}) {
    expect_error([&] { Encoder(params, 4, blocksize); }, ErrorKind::unsupported,
                 "blocks of " + std::to_string(blocksize));
  }
}

TEST(CheckParams, NamesWhatIsAllowed) {
  CodecParams params;
  EXPECT_NO_THROW(check_params(params));
  params.level = 10;
  expect_error([&] { check_params(params); }, ErrorKind::invalid_value, "level 10");
  params.level = -1;
  expect_error([&] { check_params(params); }, ErrorKind::invalid_value, "0 (store) to 9");
  params.level = 5;
  params.codec = static_cast<Codec>(3);
  expect_error([&] { check_params(params); }, ErrorKind::invalid_value, "ZSTD (5)");
  params.codec = static_cast<Codec>(36);
  expect_error([&] { check_params(params); }, ErrorKind::invalid_value, "codec number 36");
  params.codec = Codec::zstd;
  for (const int filter : {3, 5, 32, 34, 37, 255}) {
    params.filters[2] = static_cast<std::uint8_t>(filter);
    expect_error([&] { check_params(params); }, ErrorKind::invalid_value,
                 "filter number " + std::to_string(filter));
    expect_error([&] { Encoder(params, 4, 400); }, ErrorKind::invalid_value, "BYTEDELTA (35)");
  }
}

// c-blosc2 stores other voxels than it is given with three filters.
TEST(CheckParams, RefusesMoreThanTwoFilters) {
  CodecParams params;
  params.filters = {35, 0, 1, 0, 0, 0};
  EXPECT_NO_THROW(check_params(params));
  params.filters = {35, 0, 1, 0, 0, 2};
  expect_error([&] { check_params(params); }, ErrorKind::invalid_value, "3 filters");
  EXPECT_EQ(params_for_edits(params, DType::parse("<f4")).filters,
            (std::array<std::uint8_t, 6>{35, 0, 1, 0, 0, 0}));
}

// Two are stored as they are given, in any order.
TEST(Encoder, RoundTripsPairsOfFilters) {
  constexpr std::array<std::uint8_t, 3> kFilters{1, 2, 35};
  for (const Codec codec : {Codec::blosclz, Codec::lz4, Codec::zlib, Codec::zstd}) {
    for (const std::uint8_t first : kFilters) {
      for (const std::uint8_t second : kFilters) {
        CodecParams params;
        params.codec = codec;
        params.filters = {first, 0, 0, second, 0, 0};
        const Bytes data = smooth(6000, 4);
        const Bytes chunk = Encoder(params, 4, 2000).encode(data);
        EXPECT_EQ(decode(chunk), data);
        EXPECT_EQ(decode_by_blosc(chunk), data);
      }
    }
  }
}

TEST(Params, FitTheElementsOrAreRefused) {
  const auto fitted = [](Filter filter, int meta, const char* dtype) {
    CodecParams params;
    params.filters[5] = static_cast<std::uint8_t>(filter);
    params.filters_meta[5] = static_cast<std::uint8_t>(meta);
    return params_for(params, DType::parse(dtype)).filters_meta[5];
  };
  EXPECT_EQ(fitted(Filter::trunc_prec, 10, "<f4"), 10);
  EXPECT_EQ(fitted(Filter::trunc_prec, -10, "<f4"), 13);
  EXPECT_EQ(fitted(Filter::trunc_prec, -51, "<f8"), 1);
  EXPECT_EQ(fitted(Filter::int_trunc, -2, "<i4"), 30);
  EXPECT_EQ(fitted(Filter::int_trunc, 8, "|u1"), 8);
  EXPECT_EQ(fitted(Filter::bytedelta, 0, "|V127"), 0);
  for (const auto& [filter, meta, dtype] :
       std::initializer_list<std::tuple<Filter, int, const char*>>{
           {Filter::trunc_prec, 10, ">f4"},
           {Filter::trunc_prec, 10, "<c8"},
           {Filter::trunc_prec, 24, "<f4"},
           {Filter::int_trunc, 10, ">i2"},
           {Filter::int_trunc, 0, "<i2"},
           {Filter::bytedelta, 0, "|V128"},
           {Filter::bytedelta, 255, "|V255"}}) {
    expect_error([&] { fitted(filter, meta, dtype); }, ErrorKind::invalid_value, "filter");
  }
  CodecParams foreign;
  foreign.filters = {3, 4, 1, 0, 0, 0};
  foreign.filters_meta = {0, 246, 0, 0, 0, 0};
  const CodecParams edits = params_for_edits(foreign, DType::parse("<f4"));
  EXPECT_EQ(edits.filters, (std::array<std::uint8_t, 6>{0, 4, 1, 0, 0, 0}));
  EXPECT_EQ(edits.filters_meta, (std::array<std::uint8_t, 6>{0, 13, 0, 0, 0, 0}));
  EXPECT_EQ(params_for_edits(foreign, DType::parse(">f4")).filters,
            (std::array<std::uint8_t, 6>{0, 0, 1, 0, 0, 0}));
}

TEST(DefaultParams, FitTheElement) {
  for (const std::int64_t itemsize : {1, 2, 3, 4, 8, 16, 24, 255, 256, 4000}) {
    for (const bool floating_point : {false, true}) {
      const CodecParams params = default_params(itemsize, floating_point);
      EXPECT_NO_THROW(check_params(params));
      const bool shuffled = params.filters[5] == static_cast<std::uint8_t>(Filter::shuffle);
      EXPECT_EQ(shuffled, itemsize > 1 && itemsize < 256) << itemsize;
      const auto blocksize = static_cast<std::int32_t>(itemsize * 30);
      const Bytes data =
          smooth(static_cast<std::size_t>(blocksize) * 2, static_cast<std::size_t>(itemsize));
      EXPECT_EQ(decode(Encoder(params, itemsize, blocksize).encode(data)), data);
    }
  }
}

TEST(CodecFor, GivesWhatAPresetMeansAndWhatIsWritten) {
  const DType dtype = DType::parse("<f4");
  for (const Preset preset : presets()) {
    EXPECT_EQ(codec_for(preset, dtype), preset_params(preset, 4, true)) << to_string(preset);
  }
  CodecParams params{.codec = codec_from("zstd"), .level = 9};
  EXPECT_EQ(codec_for(params, dtype), params);
  params.set_filters({filter_from("trunc_prec")});
  params.filters_meta[5] = static_cast<std::uint8_t>(-10);
  EXPECT_EQ(codec_for(params, dtype).filters_meta[5], 13);
  expect_error([&] { codec_for(params, DType::parse("<i4")); }, ErrorKind::invalid_value,
               "TRUNC_PREC");
}

TEST(Environment, OverridesAreErrorsThatNameTheVariable) {
  const struct {
    const char* name;
    const char* value;
  } variables[] = {{"BLOSC_COMPRESSOR", "zstd"},
                   {"BLOSC_SHUFFLE", "BITSHUFFLE"},
                   {"BLOSC_DELTA", "1"},
                   {"BLOSC_TYPESIZE", "8"},
                   {"BLOSC_BLOCKSIZE", "4096"},
                   {"BLOSC_SPLITMODE", "NEVER"},
                   {"BLOSC_COMPRESSOR", "blosclz"},
                   {"BLOSC_COMPRESSOR", "nonsense"}};
  const Bytes data = smooth(8000, 2);
  for (const auto& variable : variables) {
    const EnvironmentVariable set(variable.name, variable.value);
    expect_error([&] { Encoder(explicit_params(), 2, 1000).encode(data); },
                 ErrorKind::invalid_use, std::string(variable.name) + "=" + variable.value);
  }
  EXPECT_EQ(decode(Encoder(explicit_params(), 2, 1000).encode(data)), data);
}

TEST(Environment, DoesNotReachPresets) {
  const Bytes data = smooth(8000, 2);
  const Bytes alone = Encoder(default_params(2, false), 2, 1000).encode(data);
  const EnvironmentVariable codec("BLOSC_COMPRESSOR", "zstd");
  const EnvironmentVariable block("BLOSC_BLOCKSIZE", "4096");
  EXPECT_EQ(Encoder(default_params(2, false), 2, 1000).encode(data), alone);
}

TEST(Environment, ThatAgreesOrSetsTheLevelIsFine) {
  const Bytes data = smooth(8000, 2);
  const EnvironmentVariable codec("BLOSC_COMPRESSOR", "lz4hc");
  const EnvironmentVariable level("BLOSC_CLEVEL", "1");
  EXPECT_EQ(decode(Encoder(explicit_params(), 2, 1000).encode(data)), data);
}

#ifdef __linux__
std::ptrdiff_t thread_count() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

TEST(Environment, CannotMakeCBlosc2StartThreads) {
  const EnvironmentVariable threads("BLOSC_NTHREADS", "4");
  const auto before = thread_count();
  const Bytes data = smooth(80000, 2);
  Encoder encoder(explicit_params(), 2, 1000);
  EXPECT_EQ(decode(encoder.encode(data)), data);
  Decoder decoder;
  for (const char* name : {"zlib shuffle typesize=4 split", "blosclz delta typesize=4 whole"}) {
    const GoldenChunk& golden = golden_chunk(name);
    Bytes out(golden.raw.size());
    decoder.decode_chunk(golden.chunk, parse_chunk(golden.chunk, {}), out, name);
    EXPECT_EQ(out, golden.raw);
  }
  EXPECT_EQ(thread_count(), before);
}
#endif

TEST(StoreChunk, KeepsTheBytes) {
  for (const std::size_t size : {0U, 1U, 31U, 5000U}) {
    const Bytes data = noise(size);
    const Bytes chunk = store_chunk(data, 1, 1024);
    EXPECT_EQ(chunk.size(), size + 32);
    EXPECT_EQ(decode(chunk), data);
    EXPECT_EQ(decode_by_blosc(chunk), data);
  }
}

TEST(CompressBytes, RoundTripsAnySize) {
  for (const std::int32_t typesize : {1, 8}) {
    for (const std::size_t elements : {0U, 1U, 3U, 4U, 100U, 5000U, 200000U}) {
      Bytes data(elements * static_cast<std::size_t>(typesize));
      for (std::size_t i = 0; i < data.size(); ++i) {
        data[i] = static_cast<std::byte>(i % 8 == 0 ? i / 64 : i / 4096);
      }
      const Bytes chunk = compress_bytes(data, typesize);
      const Expected expected{static_cast<std::int64_t>(data.size()), -1, typesize, "index"};
      EXPECT_EQ(decompress_bytes(chunk, 1 << 24, expected), data) << elements;
      EXPECT_EQ(decode_by_blosc(chunk), data) << elements;
      if (elements > 100) {
        EXPECT_LT(chunk.size(), data.size() / 2);
      }
      if (!data.empty()) {
        expect_error(
            [&] {
              decompress_bytes(chunk, static_cast<std::int64_t>(data.size()) - 1, expected);
            },
            ErrorKind::corruption, "it claims");
      }
    }
  }
}

// An index of another writer may be as ours, but for blocks that share one stream of any
// length.
TEST(EncodeIndex, TakesOverNoBlockThatIsLongerThanItsContent) {
  constexpr std::size_t kIndexBlocks = 8;
  constexpr std::size_t kLong = 1'000'000;
  const std::size_t bytes = kIndexBlocks * kIndexBlockBytes;
  const auto fill = [](std::size_t block, std::span<std::byte> out) {
    std::fill(out.begin(), out.end(), static_cast<std::byte>(block));
  };
  const auto none = [](std::size_t) { return false; };
  const std::vector<std::byte> ours = encode_index(bytes, {}, none, fill);
  EXPECT_EQ(encode_index(bytes, ours, none, [](auto, auto) { FAIL() << "not taken over"; }),
            ours);
  std::vector<std::byte> others(ours.begin(), ours.begin() + kChunkHeaderBytes);
  const std::size_t first = kChunkHeaderBytes + 4 * kIndexBlocks;
  others.resize(first + 4 + kLong);
  for (std::size_t i = 0; i < kIndexBlocks; ++i) {
    store_i32(others, kChunkHeaderBytes + 4 * i, static_cast<std::int32_t>(first));
  }
  store_i32(others, first, kLong);
  store_i32(others, at::kCbytes, static_cast<std::int32_t>(others.size()));
  EXPECT_EQ(encode_index(bytes, others, none, fill), ours);
}

TEST(CompressBytes, BytesThatAreNoWholeElementsAreStored) {
  const Bytes data = noise(101);
  EXPECT_EQ(decode(compress_bytes(data, 8)), data);
}

}  // namespace
}  // namespace mlarray::codec::test
