#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "mlarray/error.hpp"
#include "mlarray/options.hpp"
#include "mlarray/verify.hpp"

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

TEST(Words, EveryErrorAndSealHasAName) {
  EXPECT_EQ(to_string(ErrorKind::invalid_value), "invalid_value");
  EXPECT_EQ(to_string(ErrorKind::not_found), "not_found");
  EXPECT_EQ(to_string(ErrorKind::unsupported), "unsupported");
  EXPECT_EQ(to_string(Seal::valid), "valid");
  EXPECT_EQ(to_string(Seal::broken), "broken");
  std::set<std::string> names;
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::unsupported); ++kind) {
    const std::string name = to_string(static_cast<ErrorKind>(kind));
    EXPECT_FALSE(name[0] >= '0' && name[0] <= '9') << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(Words, TheFiltersUsedAreReadFirstToLast) {
  CodecParams params;
  EXPECT_TRUE(params.used_filters().empty());
  params.filters = {0, 4, 0, 1, 0, 35};
  EXPECT_EQ(params.used_filters(),
            (std::vector<Filter>{Filter::trunc_prec, Filter::shuffle, Filter::bytedelta}));
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
