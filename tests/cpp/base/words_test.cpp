#include <gtest/gtest.h>

#include <set>
#include <string>

#include "mlarray/error.hpp"
#include "mlarray/options.hpp"

namespace mlarray {
namespace {

template <class T>
std::string message_of(T (*parse)(std::string_view), std::string_view word) {
  try {
    parse(word);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_value);
    return error.what();
  }
  ADD_FAILURE() << "no error for " << word;
  return {};
}

template <class T>
void expect_round_trip(std::span<const T> values, T (*parse)(std::string_view)) {
  std::set<std::string> words;
  for (const T value : values) {
    const std::string word = to_string(value);
    EXPECT_EQ(parse(word), value);
    EXPECT_TRUE(words.insert(word).second) << word;
  }
}

TEST(Words, EveryValueHasOneAndIsFoundByIt) {
  expect_round_trip(commit_levels(), commit_level_from);
  expect_round_trip(codecs(), codec_from);
  expect_round_trip(filters(), filter_from);
  expect_round_trip(presets(), preset_from);
  EXPECT_EQ(preset_from("small"), Preset::small);
  EXPECT_EQ(codec_from("ZSTD"), Codec::zstd);
  EXPECT_EQ(filter_from("BitShuffle"), Filter::bitshuffle);
  EXPECT_EQ(commit_level_from("durable"), CommitLevel::durable);
}

TEST(Words, AnErrorNamesTheWordAndTheKnownOnes) {
  EXPECT_EQ(message_of(preset_from, "tiny"),
            "preset \"tiny\" is not one of fast, balanced, small");
  EXPECT_EQ(message_of(commit_level_from, ""),
            "commit level \"\" is not one of none, ordered, durable");
  EXPECT_EQ(message_of(codec_from, "lz5"),
            "codec \"lz5\" is not one of blosclz, lz4, lz4hc, zlib, zstd");
  EXPECT_EQ(message_of(filter_from, "none"),
            "filter \"none\" is not one of nofilter, shuffle, bitshuffle, delta, trunc_prec, "
            "bytedelta, int_trunc");
}

TEST(Words, AForeignNumberIsItsOwnWord) {
  EXPECT_EQ(to_string(static_cast<Codec>(36)), "36");
  EXPECT_EQ(to_string(static_cast<Filter>(9)), "9");
}

TEST(Words, FiltersGoIntoTheLastSlots) {
  CodecParams params;
  params.filters_meta[0] = 7;
  params.set_filters({Filter::shuffle, Filter::bytedelta});
  EXPECT_EQ(params.filters, (std::array<std::uint8_t, 6>{0, 0, 0, 0, 1, 35}));
  EXPECT_EQ(params.filters_meta, (std::array<std::uint8_t, 6>{}));
  constexpr Filter kNone = Filter::none;
  EXPECT_THROW(params.set_filters({kNone, kNone, kNone, kNone, kNone, kNone, kNone}), Error);
  params.set_filters({});
  EXPECT_EQ(params.filters, (std::array<std::uint8_t, 6>{}));
}

}  // namespace
}  // namespace mlarray
