// Metadata as it lies in a file, in both encodings.
#include "metadata/stored.hpp"

#include <gtest/gtest.h>

#include "encoding/gzip.hpp"
#include "encoding/msgpack.hpp"
#include "encoding/pickle.hpp"
#include "golden.hpp"
#include "mlarray/error.hpp"
#include "support/bytes.hpp"
#include "trees.hpp"

namespace mlarray::metadata {
namespace {

using test::bytes_of;
using testing::at;
using testing::facts;
using testing::kNan;
using testing::list;
using testing::map;
using testing::tuple;
using testing::with;

std::string encode(const Metadata& metadata, MetadataEncoding encoding) {
  return encode_stored(metadata, facts(), encoding);
}
Value encoded_tree(const Metadata& metadata, MetadataEncoding encoding) {
  return decode_stored_tree(bytes_of(encode(metadata, encoding)));
}

constexpr auto kCurrent = MetadataEncoding::current;
constexpr auto kLegacy = MetadataEncoding::legacy;

Metadata with_source(Value value) {
  return with("source", "data", map({{"k", std::move(value)}}));
}

// A file that another writer made: `tree` in the newer encoding.
std::string foreign(const Value& tree) {
  const std::string pickle = encoding::gzip(encoding::encode_pickle(tree));
  return encoding::encode_msgpack_bin(bytes_of(pickle));
}

class Golden : public ::testing::TestWithParam<std::string_view> {};

TEST_P(Golden, IsReadAsTheSameMetadata) {
  const Metadata metadata = decode_stored(bytes_of(testing::from_hex(GetParam())));
  EXPECT_EQ(metadata.spacing(), (std::vector<double>{1.0, 1.5}));
  EXPECT_EQ(metadata.is_seg(), true);
  EXPECT_EQ(metadata.get("stats", "max"), Value(3));
  EXPECT_EQ(metadata.get("bbox", "bboxes"),
            list({list({list({0, 1}), list({2, 3}), list({4, 5})})}));
  EXPECT_EQ(metadata.get("_has_array", "has_array"), Value(true));
  EXPECT_EQ(metadata.get("_mlarray_version", "mlarray_version"), Value("v0"));
  EXPECT_EQ(metadata.get("blosc2", "patch_size"), list({192, 192}));
  const Value& source = metadata.get("source", "data");
  EXPECT_EQ(at(source, {"id"}), Value("123"));
  EXPECT_EQ(at(source, {"l"}), list({1, Value()}));
  EXPECT_EQ(at(source, {"t"}), tuple({1, 2.5}));
  EXPECT_EQ(at(source, {"big"}), Value(BigInt{"9223372036854775813"}));
  EXPECT_EQ(metadata.spatial_axes(3), (std::vector<bool>{false, true, true}));
  metadata.check(3);
}

TEST_P(Golden, SurvivesOurWriting) {
  const Metadata metadata = decode_stored(bytes_of(testing::from_hex(GetParam())));
  ArrayFacts same = facts();
  same.layout.patch.clear();
  same.codec.reset();
  const List* chunk = metadata.get("blosc2", "chunk_size").get_if<List>();
  const List* block = metadata.get("blosc2", "block_size").get_if<List>();
  for (std::size_t i = 0; i < 3; ++i) {
    same.layout.chunk[i] = *chunk->items[i].get_if<std::int64_t>();
    same.layout.block[i] = *block->items[i].get_if<std::int64_t>();
  }
  Metadata again = decode_stored(bytes_of(encode_stored(metadata, same, kCurrent)));
  Metadata expected = metadata;
  expected.set("spatial", "shape", list({3, 20, 30}));
  expected.set("spatial", "_num_spatial_axes", 2);
  expected.set("spatial", "_num_non_spatial_axes", 1);
  EXPECT_EQ(again, expected);
}

INSTANTIATE_TEST_SUITE_P(Versions, Golden,
                         ::testing::Values(testing::kFrom0028, testing::kFrom0033,
                                           testing::kFrom0040, testing::kFrom0045,
                                           testing::kFrom0054));

TEST(Golden, OfTheNewestHoldsAnyIntegerAndKey) {
  const Metadata metadata = decode_stored(bytes_of(testing::from_hex(testing::kFrom0054)));
  const Map* source = metadata.get("source", "data").get_if<Map>();
  EXPECT_EQ(source->items.back().first, Value(3));
  EXPECT_EQ(source->items.back().second, Value(BigInt{"1208925819614629174706176"}));
}

TEST(Golden, DropsWhatIsUnset) {
  const Value tree = decode_stored_tree(bytes_of(testing::from_hex(testing::kFrom0033)));
  EXPECT_NE(at(tree, {"original"}).get_if<Map>(), nullptr);
  EXPECT_NE(at(tree, {"stats"}).get_if<Map>()->find("std"), nullptr);
  const Metadata metadata = decode_stored(bytes_of(testing::from_hex(testing::kFrom0033)));
  EXPECT_TRUE(metadata.get("stats", "std").is_none());
  EXPECT_EQ(at(metadata.to_value(), {"stats"}), map({{"max", 3}}));
}

TEST(Current, FillsInWhatTheLibraryKnows) {
  const Value tree = encoded_tree(
      with("spatial", "axis_labels", list({"channel", "spatial", "spatial"})), kCurrent);
  EXPECT_EQ(tree,
            map({{"spatial", map({{"shape", list({3, 20, 30})},
                                  {"axis_labels", list({"channel", "spatial", "spatial"})},
                                  {"_num_spatial_axes", 2},
                                  {"_num_non_spatial_axes", 1}})},
                 {"blosc2", map({{"chunk_size", list({1, 20, 30})},
                                 {"block_size", list({1, 10, 10})},
                                 {"patch_size", list({64, 64})},
                                 {"cparams", map({{"codec", 1}, {"clevel", 4}})}})},
                 {"_has_array", map({{"has_array", true}})},
                 {"_mlarray_version", "v0"}}));
}

TEST(Current, WithoutAnArrayHasNoShape) {
  ArrayFacts none;
  none.has_array = false;
  Metadata metadata = with("spatial", "shape", list({1}));
  metadata.set("blosc2", "patch_size", list({1}));
  const Value tree = decode_stored_tree(bytes_of(encode_stored(metadata, none, kCurrent)));
  EXPECT_EQ(tree,
            map({{"_has_array", map({{"has_array", false}})}, {"_mlarray_version", "v0"}}));
}

TEST(Current, KeepsThePatchOfAnUnchangedLayoutOnly) {
  ArrayFacts now = facts();
  now.layout.patch.clear();
  Metadata metadata = decode_stored(bytes_of(encode({}, kCurrent)));
  const auto patch = [&] {
    return decode_stored(bytes_of(encode_stored(metadata, now, kCurrent)))
        .get("blosc2", "patch_size");
  };
  EXPECT_EQ(patch(), list({64, 64}));
  now.layout.block = {1, 5, 5};
  EXPECT_TRUE(patch().is_none());
}

TEST(Current, KeepsCparamsThatStillHold) {
  const Value noted = map({{"codec", 1}, {"clevel", 4}, {"filters", list({1})}});
  const Metadata metadata = with("blosc2", "cparams", noted);
  EXPECT_EQ(at(encoded_tree(metadata, kCurrent), {"blosc2", "cparams"}), noted);
  const Metadata other = with("blosc2", "cparams", map({{"codec", 5}, {"filters", list({1})}}));
  EXPECT_EQ(at(encoded_tree(other, kCurrent), {"blosc2", "cparams"}),
            map({{"codec", 1}, {"clevel", 4}}));
}

TEST(Current, HoldsEveryPlainValue) {
  Map odd;
  odd.items = {{Value(3), Value(1)},
               {Value(), Value(BigInt{"-1208925819614629174706176"})},
               {Value("s"), Value("\xED\xA0\x80")},
               {Value("n"), Value(kNan)}};
  const Metadata metadata = with("source", "data", odd);
  Metadata again = decode_stored(bytes_of(encode(metadata, kCurrent)));
  EXPECT_EQ(again.get("source", "data").get_if<Map>()->items.size(), 4U);
  again.set("spatial", "shape", Value());
  for (const char* name : {"chunk_size", "block_size", "patch_size", "cparams"}) {
    again.set("blosc2", name, Value());
  }
  again.set("_has_array", "has_array", Value());
  again.set("_mlarray_version", "mlarray_version", Value());
  EXPECT_EQ(again, metadata);
}

TEST(Current, IsDeterministic) {
  EXPECT_EQ(encode(with_source(1), kCurrent), encode(with_source(1), kCurrent));
}

TEST(Current, KeepsUnknownKeysAndWrongValuesOfAFile) {
  const Value tree = map({{"future", list({1})},
                          {"spatial", map({{"newer", 2}, {"spacing", "wide"}})},
                          {"stats", 5}});
  const Value again = encoded_tree(decode_stored(bytes_of(foreign(tree))), kCurrent);
  EXPECT_EQ(at(again, {"future"}), list({1}));
  EXPECT_EQ(at(again, {"spatial", "newer"}), Value(2));
  EXPECT_EQ(at(again, {"spatial", "spacing"}), Value("wide"));
  EXPECT_EQ(at(again, {"stats"}), Value(5));
}

TEST(Legacy, UsesTheOlderNames) {
  Metadata metadata = with_source(tuple({1, kNan}));
  metadata.set("spatial", "axis_labels", list({"channel", "spatial", "spatial"}));
  metadata.set("spatial", "spacing", list({1, 1.5}));
  metadata.set("spatial", "coord_system", "RAS");
  metadata.set("spatial", "axis_units", list({"", "mm", "mm"}));
  const std::string stored = encode(metadata, kLegacy);
  const Value tree = encoding::decode_msgpack(bytes_of(stored));
  const Value& marked = at(tree, {"original", "data", "k"});
  EXPECT_EQ(marked.get_if<List>()->items[0], Value("__tuple__"));
  EXPECT_EQ(
      at(tree, {"spatial"}),
      map({{"spacing", list({1, 1.5})}, {"shape", list({3, 20, 30})}, {"channel_axis", 0}}));
  EXPECT_EQ(at(tree, {"_blosc2"}), map({{"chunk_size", list({1, 20, 30})},
                                        {"block_size", list({1, 10, 10})},
                                        {"patch_size", list({64, 64})}}));
  EXPECT_TRUE(at(tree, {"source"}).is_none());
  const Metadata again = decode_stored(bytes_of(stored));
  EXPECT_EQ(again.get("source", "data").get_if<Map>()->items.size(), 1U);
  EXPECT_TRUE(at(again.get("source", "data"), {"k"}).get_if<List>()->is_tuple);
  EXPECT_EQ(again.get("spatial", "axis_labels"), metadata.get("spatial", "axis_labels"));
}

TEST(Legacy, TellsListsFromTuples) {
  for (const Value& value :
       {list({}), tuple({}), list({list({}), tuple({list({}), tuple({})}), 1}),
        tuple({"__tuple__", 1}), tuple({"__tuple__"}), list({1, "__tuple__"})}) {
    const Metadata metadata = with_source(value);
    const Metadata again = decode_stored(bytes_of(encode(metadata, kLegacy)));
    EXPECT_EQ(at(again.get("source", "data"), {"k"}), value);
  }
}

TEST(Legacy, WithoutRenamedKeysOpensInEveryOlderVersion) {
  Metadata metadata = with("spatial", "spacing", list({1, 1, 1.5}));
  metadata.set("spatial", "axis_labels", list({"spatial", "spatial", "spatial"}));
  metadata.set("extra", "data", map({{"a", 1}}));
  EXPECT_EQ(
      encoded_tree(metadata, kLegacy),
      map({{"extra", map({{"data", map({{"a", 1}})}})},
           {"spatial", map({{"spacing", list({1, 1, 1.5})}, {"shape", list({3, 20, 30})}})},
           {"_has_array", map({{"has_array", true}})},
           {"_mlarray_version", "v0"}}));
}

TEST(Legacy, WritesAnAffineAsItsParts) {
  const Metadata metadata = with("spatial", "affine",
                                 list({list({0, -3, 0, 10}), list({2, 0, 0, 20}),
                                       list({0, 0, 0, 30}), list({0, 0, 0, 1})}));
  const Metadata again = decode_stored(bytes_of(encode(metadata, kLegacy)));
  EXPECT_TRUE(again.get("spatial", "affine").is_none());
  EXPECT_EQ(again.affine(3), metadata.affine(3));
  EXPECT_EQ(again.spacing(), (std::vector<double>{2, 3, 0}));
}

TEST(Legacy, RefusesWhatItCannotHoldNamingTheField) {
  const auto refuses = [](const Metadata& metadata, const std::string& path) {
    try {
      encode(metadata, kLegacy);
      ADD_FAILURE() << path << " was written";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unsupported) << error.what();
      EXPECT_EQ(std::string(error.what()).find(path + ": "), 0U) << error.what();
    }
    encode(metadata, kCurrent);
  };
  refuses(with_source(list({0, BigInt{"18446744073709551616"}})), "source.k[1]");
  refuses(with_source(BigInt{"-9223372036854775809"}), "source.k");
  refuses(with_source("\xED\xB0\x80"), "source.k");
  refuses(with_source(list({"__tuple__", 1})), "source.k");
  refuses(with_source(tuple({0, list({"__tuple__"})})), "source.k[1]");
  refuses(with_source(Map{{{Value(3), Value(4)}}}), "source.k[3 (int)]");
  refuses(with("stats", "min", BigInt{"99999999999999999999"}), "stats.min");
  refuses(with("spatial", "axis_labels", list({"channel", "temporal", "spatial"})),
          "spatial.axis_labels");
  refuses(with("spatial", "affine", list({list({1, 0}), list({1, 1})})), "spatial.affine");
  EXPECT_NO_THROW(encode(with_source(BigInt{"18446744073709551615"}), kLegacy));
  EXPECT_NO_THROW(encode(with_source("\xED\x9F\xBF"), kLegacy)) << "U+D7FF is no surrogate";
}

TEST(Legacy, DropsUnknownKeys) {
  const Metadata metadata =
      decode_stored(bytes_of(foreign(map({{"future", 1}, {"spatial", map({{"newer", 2}})}}))));
  const Value tree = encoded_tree(metadata, kLegacy);
  EXPECT_TRUE(at(tree, {"future"}).is_none());
  EXPECT_TRUE(at(tree, {"spatial", "newer"}).is_none());
}

// pickle.dumps({'source': {'data': {'when': datetime.date(2020, 1, 2)}}}, 4)
constexpr std::string_view kPickledDate =
    "80049540000000000000007d948c06736f75726365947d948c0464617461947d948c047768656e94"
    "8c086461746574696d65948c0464617465949394430407e4010294859452947373732e";

TEST(Opaque, IsReadAndRefusedOnWriting) {
  const std::string pickle = encoding::gzip(testing::from_hex(kPickledDate));
  const Metadata metadata =
      decode_stored(bytes_of(encoding::encode_msgpack_bin(bytes_of(pickle))));
  const Value when = at(metadata.get("source", "data"), {"when"});
  ASSERT_NE(when.get_if<Opaque>(), nullptr);
  EXPECT_EQ(when.type_name(), "datetime.date");
  for (const auto encoding : {kCurrent, kLegacy}) {
    try {
      encode(metadata, encoding);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unsupported);
      EXPECT_NE(std::string(error.what()).find("source"), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("when"), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(metadata.check(3), Error);
}

TEST(Decode, RefusesWhatIsNoMetadata) {
  const auto refuses = [](const std::string& value, ErrorKind kind) {
    try {
      decode_stored(bytes_of(value));
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
    }
  };
  refuses("", ErrorKind::corruption);
  refuses("\x05", ErrorKind::corruption);
  refuses(encoding::encode_msgpack_bin(bytes_of(std::string("plain"))), ErrorKind::corruption);
  refuses(foreign(list({1})), ErrorKind::corruption);
  const std::string whole = encode(with_source(1), kCurrent);
  refuses(whole.substr(0, whole.size() - 1), ErrorKind::corruption);
  refuses("\x81\xA1", ErrorKind::corruption);
}

TEST(Encode, StaysWithinTheDecodersLimits) {
  List many;
  many.items.resize(4'000'001);
  try {
    encode(with_source(std::move(many)), kCurrent);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported) << error.what();
  }
}

TEST(Encode, HoldsTheDeepestValueThatAFieldAccepts) {
  Value deep = 1;
  for (int i = 0; i < 55; ++i) deep = list({deep});
  const Metadata metadata = with_source(deep);
  for (const auto encoding : {kCurrent, kLegacy}) {
    const std::string stored = encode(metadata, encoding);
    EXPECT_EQ(decode_stored(bytes_of(stored)).get("source", "data"),
              metadata.get("source", "data"));
  }
}

}  // namespace
}  // namespace mlarray::metadata
