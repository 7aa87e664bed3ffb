#include "codec/plane_encoder.hpp"

#include <blosc2.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <span>
#include <string>

#include "codec/block_decoder.hpp"
#include "codec/chunk_format.hpp"
#include "codec/decoder.hpp"
#include "codec/encoder.hpp"
#include "codec/lz_functions.hpp"
#include "decode.hpp"

namespace mlarray::codec::test {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::array kPresets{Preset::fast, Preset::balanced, Preset::small};

// Elements of `typesize` bytes, each byte made by `make(element, place, random)`.
Bytes elements(std::size_t count, std::size_t typesize,
               const std::function<unsigned(std::size_t, std::size_t, unsigned)>& make) {
  std::mt19937 random(7);
  Bytes out(count * typesize);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t place = 0; place < typesize; ++place) {
      out[i * typesize + place] =
          static_cast<std::byte>(make(i, place, static_cast<unsigned>(random())));
    }
  }
  return out;
}

struct Kind {
  const char* name;
  std::function<unsigned(std::size_t, std::size_t, unsigned)> make;
};

// What planes look like: noise, one value, long runs, slow changes, and mixtures by place.
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"noise", [](std::size_t, std::size_t, unsigned r) { return r; }},
      {"one value", [](std::size_t, std::size_t place, unsigned) { return 200 + place; }},
      {"labels", [](std::size_t i, std::size_t, unsigned) { return i / 97 % 5; }},
      {"ct", [](std::size_t i, std::size_t place,
                unsigned r) { return place == 0 ? r : i / 60 % 3; }},
      {"rough", [](std::size_t i, std::size_t place,
                   unsigned r) { return place == 0 ? r : i / 8 + r % 3; }},
      {"few", [](std::size_t i, std::size_t place,
                 unsigned) { return i * i / 7 % 90 * (place * place * 57 + 31) >> place % 3; }},
      {"half noise",
       [](std::size_t i, std::size_t, unsigned r) { return i / 3000 % 2 == 0 ? 7 : r; }},
  };
  return all;
}

// Every block by itself: ours and c-blosc2's.
void expect_blocks(const Bytes& chunk, const Bytes& data, const std::string& what) {
  const ChunkHeader header = parse_chunk(chunk, {});
  const auto size = static_cast<std::size_t>(header.blocksize);
  blosc2_context* context = blosc2_create_dctx(BLOSC2_DPARAMS_DEFAULTS);
  Decoder decoder;
  for (std::int32_t block = 0; block < header.block_count(); ++block) {
    const std::size_t at = static_cast<std::size_t>(block) * size;
    const Bytes expected(data.begin() + static_cast<std::ptrdiff_t>(at),
                         data.begin() + static_cast<std::ptrdiff_t>(at + size));
    Bytes out(size);
    decoder.decode_block(chunk, header, block, out, "chunk");
    EXPECT_EQ(out, expected) << what << ", block " << block;
    Bytes theirs(size);
    const int items = header.blocksize / header.typesize;
    EXPECT_EQ(blosc2_getitem_ctx(context, chunk.data(), static_cast<int>(chunk.size()),
                                 block * items, items, theirs.data(), header.blocksize),
              header.blocksize);
    EXPECT_EQ(theirs, expected) << what << ", block " << block << ", by c-blosc2";
  }
  blosc2_free_ctx(context);
}

TEST(PlaneEncoder, RoundTripsHereAndInCBlosc2) {
  for (const Preset preset : kPresets) {
    for (const std::int64_t itemsize : {1, 2, 4, 8, 16}) {
      const CodecParams params = preset_params(preset, itemsize, true);
      for (const std::int32_t items : {32, 100, 3000}) {
        const auto typesize = static_cast<std::int32_t>(itemsize);
        ASSERT_TRUE(PlaneEncoder::handles(params, typesize, items * typesize));
        PlaneEncoder encoder(params, typesize, items * typesize);
        for (const Kind& kind : kinds()) {
          for (const std::size_t blocks : {1U, 4U}) {
            const std::string what = std::string(kind.name) + " of " +
                                     std::to_string(itemsize) + " bytes, preset " +
                                     std::to_string(static_cast<int>(preset)) + ", " +
                                     std::to_string(items) + " items";
            const Bytes data = elements(static_cast<std::size_t>(items) * blocks,
                                        static_cast<std::size_t>(itemsize), kind.make);
            const Bytes chunk = encoder.encode(data);
            ASSERT_LE(chunk.size(), data.size() + kChunkHeaderBytes) << what;
            ASSERT_EQ(decode(chunk), data) << what;
            expect_blocks(chunk, data, what);
          }
        }
      }
    }
  }
}

TEST(PlaneEncoder, TakesNoStreamThatIsAsLongAsItsPlane) {
  // Short planes of which some compress to their own length: readers would take such a stream
  // for one that is stored as it is.
  std::mt19937 random(5);
  for (const Preset preset : kPresets) {
    for (std::int32_t items = 32; items < 64; ++items) {
      PlaneEncoder encoder(preset_params(preset, 2, true), 2, 2 * items);
      for (int round = 0; round < 100; ++round) {
        // Blocks of zeros follow, or the chunk would be stored as it is.
        const std::size_t block = static_cast<std::size_t>(items) * 2;
        Bytes data(4 * block);
        const unsigned run = 8 + random() % 8;
        for (std::size_t i = 0; i < block; ++i) {
          const unsigned most = i % 2 == 0 ? 256 : 4;
          data[i] = static_cast<std::byte>(i / 2 % 16 < run ? random() % most : 0);
        }
        const Bytes chunk = encoder.encode(data);
        ASSERT_EQ(decode(chunk), data) << items << " items, round " << round;
        expect_blocks(chunk, data, std::to_string(items) + " items");
      }
    }
  }
}

TEST(PlaneEncoder, GivesTheSameBytesWhateverCameBefore) {
  for (const Preset preset : kPresets) {
    for (const std::int64_t itemsize : {1, 2, 4}) {
      const auto typesize = static_cast<std::int32_t>(itemsize);
      const CodecParams params = preset_params(preset, itemsize, false);
      PlaneEncoder used(params, typesize, 3000 * typesize);
      for (int round = 0; round < 3; ++round) {
        for (const Kind& kind : kinds()) {
          const Bytes data = elements(9000, static_cast<std::size_t>(itemsize), kind.make);
          EXPECT_EQ(used.encode(data),
                    PlaneEncoder(params, typesize, 3000 * typesize).encode(data))
              << kind.name;
        }
      }
    }
  }
}

// The streams of block 0.
std::vector<Stream> streams_of(const Bytes& chunk) {
  const ChunkHeader header = parse_chunk(chunk, {});
  StreamReader reader(block_tail(chunk, 0).value());
  std::vector<Stream> out;
  for (std::int32_t i = 0; i < stream_count(header, header.blocksize); ++i) {
    out.push_back(reader.next().value());
  }
  return out;
}

TEST(PlaneEncoder, StoresNoiseAndPacksTheRest) {
  const Bytes data = elements(12000, 2, kinds()[3].make);  // ct
  const Bytes chunk = Encoder(preset_params(Preset::fast, 2, false), 2, 8000).encode(data);
  const std::vector<Stream> streams = streams_of(chunk);
  ASSERT_EQ(streams.size(), 2U);
  EXPECT_EQ(streams[0].bytes.size(), 4000U);  // as it is
  EXPECT_LT(streams[1].bytes.size(), 400U);
}

TEST(PlaneEncoder, TakesNoPlaneWithRunsForNoise) {
  // Many different values in the high plane, each some times: a smooth image.
  const Bytes data = elements(12000, 2, [](std::size_t i, std::size_t place, unsigned r) {
    return place == 0 ? r : i / 5 % 60;
  });
  const std::vector<Stream> streams =
      streams_of(Encoder(preset_params(Preset::fast, 2, false), 2, 8000).encode(data));
  ASSERT_EQ(streams.size(), 2U);
  EXPECT_EQ(streams[0].bytes.size(), 4000U);
  EXPECT_LT(streams[1].bytes.size(), 1000U);
}

TEST(PlaneEncoder, WritesAPlaneOfOneValueAsARun) {
  const Bytes data = elements(8000, 4, [](std::size_t, std::size_t place, unsigned r) {
    return place == 3 ? 0 : place == 2 ? 65 : r;
  });
  const std::vector<Stream> streams =
      streams_of(Encoder(preset_params(Preset::fast, 4, true), 4, 16000).encode(data));
  ASSERT_EQ(streams.size(), 4U);
  EXPECT_TRUE(streams[2].is_run);
  EXPECT_EQ(streams[2].run_value, 65);
  EXPECT_TRUE(streams[3].is_run);
  EXPECT_EQ(streams[3].run_value, 0);
}

TEST(PlaneEncoder, StoresAChunkThatDoesNotShrink) {
  const Bytes data = elements(8000, 2, kinds()[0].make);
  for (const Preset preset : kPresets) {
    const Bytes chunk = Encoder(preset_params(preset, 2, false), 2, 4000).encode(data);
    EXPECT_TRUE(parse_chunk(chunk, {}).memcpyed);
    EXPECT_EQ(chunk.size(), data.size() + kChunkHeaderBytes);
  }
}

TEST(PlaneEncoder, WritesBytesThatReadFast) {
  const CodecParams params = preset_params(Preset::fast, 1, false);
  // A label map, and an image that LZ4's fast mode shrinks by half, where its dense one would
  // take ten times as long.
  const Bytes labels = elements(4000, 1, kinds()[2].make);
  const Bytes image = elements(
      4000, 1, [](std::size_t i, std::size_t, unsigned r) { return i % 16 < 8 ? r : 3; });
  for (const Bytes* data : {&labels, &image}) {
    const Bytes chunk = Encoder(params, 1, 4000).encode(*data);
    EXPECT_EQ(parse_chunk(chunk, {}).compressor, kFormatLz4);
    Bytes quick(data->size());
    quick.resize(static_cast<std::size_t>(LZ4_compress_fast(
        reinterpret_cast<const char*>(data->data()), reinterpret_cast<char*>(quick.data()),
        static_cast<int>(data->size()), static_cast<int>(quick.size()), 1)));
    const std::vector<Stream> streams = streams_of(chunk);
    ASSERT_EQ(streams.size(), 1U);
    if (data == &labels) {
      EXPECT_LT(streams[0].bytes.size(), quick.size());
    } else {
      EXPECT_TRUE(std::ranges::equal(streams[0].bytes, quick));
    }
  }
}

TEST(PlaneEncoder, PresetsTradeSizeForSpeed) {
  // Noise of a few bits, as in an MR image: an entropy coder shrinks it, LZ4 does not.
  const auto rough = [](std::size_t i, std::size_t place, unsigned r) {
    return place == 0 ? 40 + r % 20 : i / 60 % 3;
  };
  for (const std::int64_t itemsize : {2, 4}) {
    const Bytes data = elements(30000, static_cast<std::size_t>(itemsize), rough);
    std::vector<std::size_t> sizes;
    for (const Preset preset : kPresets) {
      const auto blocksize = static_cast<std::int32_t>(10000 * itemsize);
      sizes.push_back(Encoder(preset_params(preset, itemsize, false), itemsize, blocksize)
                          .encode(data)
                          .size());
    }
    EXPECT_GT(sizes[0], sizes[1]);
    EXPECT_GE(sizes[1], sizes[2]);
  }
}

TEST(PlaneEncoder, LeavesFewDifferentNumbersUnfiltered) {
  // The z-score of noisy integers.
  std::mt19937 random(3);
  std::normal_distribution<float> noise(0, 12);
  std::vector<float> values(4 * 8192);
  for (float& value : values) value = (std::round(noise(random)) - 3.7F) / 411.3F;
  const auto bytes = std::as_bytes(std::span(values));
  const Bytes data(bytes.begin(), bytes.end());
  for (const Preset preset : {Preset::balanced, Preset::small}) {
    const CodecParams params = preset_params(preset, 4, true);
    const Bytes chunk = Encoder(params, 4, 32768).encode(data);
    const ChunkHeader header = parse_chunk(chunk, {});
    EXPECT_EQ(header.filters, (std::array<std::uint8_t, 6>{}));
    EXPECT_FALSE(header.split);
    EXPECT_EQ(decode(chunk), data);
    expect_blocks(chunk, data, "few numbers");
    CodecParams shuffled = params;
    shuffled.adaptive = false;
    EXPECT_LT(chunk.size(), Encoder(shuffled, 4, 32768).encode(data).size());
  }
  // Smooth numbers, all different, are shuffled.
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = 1.0F + 1e-6F * static_cast<float>(i);
  const Bytes smooth(bytes.begin(), bytes.end());
  const Bytes chunk = Encoder(preset_params(Preset::small, 4, true), 4, 32768).encode(smooth);
  EXPECT_EQ(parse_chunk(chunk, {}).filters.back(), static_cast<std::uint8_t>(Filter::shuffle));
}

TEST(PlaneEncoder, LeavesOtherParametersToCBlosc2) {
  CodecParams params = preset_params(Preset::fast, 2, false);
  ASSERT_TRUE(PlaneEncoder::handles(params, 2, 4000));
  EXPECT_FALSE(PlaneEncoder::handles(params, 2, 62));    // too small to be split
  EXPECT_FALSE(PlaneEncoder::handles(params, 3, 4000));  // not whole elements
  const auto refused = [&](const std::function<void(CodecParams&)>& change) {
    CodecParams changed = params;
    change(changed);
    return !PlaneEncoder::handles(changed, 2, 4000);
  };
  EXPECT_TRUE(refused([](CodecParams& p) { p.adaptive = false; }));
  EXPECT_TRUE(refused([](CodecParams& p) { p.codec = Codec::zlib; }));
  EXPECT_TRUE(refused([](CodecParams& p) { p.level = 0; }));
  EXPECT_TRUE(refused([](CodecParams& p) { p.split = false; }));
  EXPECT_TRUE(refused([](CodecParams& p) { p.filters[5] = 2; }));
  EXPECT_TRUE(refused([](CodecParams& p) { p.filters[0] = 4; }));
  EXPECT_TRUE(refused([](CodecParams& p) { p.filters_meta[5] = 4; }));
  // What it does not take is encoded all the same, a last block that is short included.
  const Bytes data = elements(3100, 2, kinds()[3].make);
  EXPECT_EQ(decode(Encoder(params, 2, 4000).encode(data)), data);
}

TEST(AsPreset, KnowsWhatAPresetWrites) {
  for (const Preset preset : kPresets) {
    for (const std::int64_t itemsize : {1, 2, 4, 8, 16, 24, 300}) {
      const CodecParams params = preset_params(preset, itemsize, true);
      CodecParams stated = params;
      stated.adaptive = false;  // which a file's header cannot say
      EXPECT_EQ(as_preset(stated, itemsize, true), params);
      stated.codec = Codec::blosclz;
      EXPECT_FALSE(as_preset(stated, itemsize, true).adaptive);
    }
  }
}

}  // namespace
}  // namespace mlarray::codec::test
