// Edits of metadata in files of other writers.
#include <gtest/gtest.h>

#include "encoding/msgpack.hpp"
#include "golden.hpp"
#include "metadata/stored.hpp"
#include "mlarray/error.hpp"
#include "support/bytes.hpp"
#include "trees.hpp"

namespace mlarray::metadata {
namespace {

using test::bytes_of;
using testing::at;
using testing::facts;
using testing::list;
using testing::map;
using testing::tuple;

// Edits of files of every version: the file's own keys, and nothing lost.
struct Edit {
  std::string_view file;
  std::string_view source, blosc2;
  bool labels;
};

bool is_pickle(const std::string& value) { return value[0] == '\xC4' || value[0] == '\xC5'; }

class Edited : public ::testing::TestWithParam<Edit> {
 protected:
  std::string edited(const Metadata& metadata) const {
    return encode_edited(metadata, facts(), bytes_of(file_));
  }
  const std::string file_ = testing::from_hex(GetParam().file);
  Metadata metadata_ = decode_stored(bytes_of(file_));
};

TEST_P(Edited, KeepsTheKeysOfTheWriter) {
  Map source = *metadata_.get("source", "data").get_if<Map>();
  source.set("more", tuple({1}));
  metadata_.set("source", "data", source);
  metadata_.set("stats", "min", -1);
  const std::string value = edited(metadata_);
  ASSERT_FALSE(is_pickle(value));
  const Value tree = decode_stored_tree(bytes_of(value));
  EXPECT_EQ(at(tree, {GetParam().source, "data", "more"}), tuple({1}));
  EXPECT_EQ(at(tree, {"stats", "min"}), Value(-1));
  EXPECT_EQ(at(tree, {GetParam().blosc2, "patch_size"}), list({64, 64}));
  EXPECT_TRUE(at(tree, {GetParam().blosc2, "cparams"}).is_none());
  if (GetParam().labels) {
    EXPECT_EQ(at(tree, {"spatial", "axis_labels"}),
              list({"channel", "spatial_y", "spatial_x"}));
  } else {
    EXPECT_EQ(at(tree, {"spatial", "channel_axis"}), Value(0));
    EXPECT_TRUE(at(tree, {"spatial", "axis_labels"}).is_none());
  }
  EXPECT_EQ(at(decode_stored(bytes_of(value)).get("source", "data"), {"more"}), tuple({1}));
}

TEST_P(Edited, MovesOnWhenSomethingWouldBeLost) {
  const auto moves = [this](std::string_view section, std::string_view name, const Value& set) {
    Metadata metadata = metadata_;
    metadata.set(section, name, set);
    const std::string value = edited(metadata);
    EXPECT_TRUE(is_pickle(value)) << name;
    EXPECT_EQ(decode_stored(bytes_of(value)).get(section, name), set);
  };
  moves("spatial", "coord_system", "RAS");
  moves("extra", "data", map({{"k", BigInt{"1208925819614629174706176"}}}));
  moves("extra", "data", Map{{{Value(3), Value(4)}}});
  Metadata affine = metadata_;
  affine.set("spatial", "spacing", Value());
  affine.set("spatial", "affine", list({list({1, 0, 0}), list({0, 1, 0}), list({0, 0, 1})}));
  EXPECT_EQ(decode_stored(bytes_of(edited(affine))).get("spatial", "affine"),
            affine.get("spatial", "affine"));
}

INSTANTIATE_TEST_SUITE_P(
    Versions, Edited,
    ::testing::Values(Edit{testing::kFrom0028, "original", "_blosc2", false},
                      Edit{testing::kFrom0033, "original", "_blosc2", false},
                      Edit{testing::kFrom0040, "source", "_blosc2", true},
                      Edit{testing::kFrom0045, "source", "blosc2", true}));

TEST(EditedFile, KeepsUnknownKeys) {
  const std::string file =
      encoding::encode_msgpack(map({{"future", 1},
                                    {"spatial", map({{"newer", 2}, {"axis_units", Value()}})},
                                    {"stats", 5}}));
  Metadata metadata = decode_stored(bytes_of(file));
  metadata.set("spatial", "axis_units", list({"mm"}));
  const Value tree =
      encoding::decode_msgpack(bytes_of(encode_edited(metadata, facts(), bytes_of(file))));
  EXPECT_EQ(at(tree, {"future"}), Value(1));
  EXPECT_EQ(at(tree, {"spatial", "newer"}), Value(2));
  EXPECT_EQ(at(tree, {"spatial", "axis_units"}), list({"mm"}));
  EXPECT_EQ(at(tree, {"stats"}), Value(5));
  EXPECT_TRUE(at(tree, {"_blosc2"}).is_none());
}

// A file of 0.0.23 to 0.0.27: every key is there, sections of one value are that value.
Value oldest_tree() {
  return map({{"image", map({{"data", map({{"own", 1}})}})},
              {"stats", map({{"min", 2}})},
              {"bbox", list({list({list({0, 1}), list({2, 3}), list({4, 5})})})},
              {"is_seg", true},
              {"spatial", map({{"channel_axis", 0}, {"spacing", list({1.0, 1.5})}})},
              {"_has_array", true},
              {"_image_meta_format", Value()},
              {"_blosc2", map({{"patch_size", list({64, 64})}})},
              {"_mlarray_version", "v0"},
              {"extra", map({{"data", map({{"k", 5}})}})}});
}

TEST(OldestFile, KeepsItsMetadata) {
  const std::string file = encoding::encode_msgpack(oldest_tree());
  const Metadata metadata = decode_stored(bytes_of(file), 3);
  EXPECT_EQ(metadata.get("source", "data"), map({{"data", map({{"own", 1}})}}));
  EXPECT_EQ(metadata.get("extra", "data"), map({{"data", map({{"k", 5}})}}));
  EXPECT_EQ(metadata.get("bbox", "bboxes"), at(oldest_tree(), {"bbox"}));
  EXPECT_EQ(metadata.is_seg(), true);
  EXPECT_EQ(metadata.get("stats", "min"), Value(2));
  EXPECT_EQ(metadata.spatial_axes(3), (std::vector<bool>{false, true, true}));
  metadata.check(3);
}

TEST(OldestFile, KeepsItsFormWhenItIsEdited) {
  const std::string file = encoding::encode_msgpack(oldest_tree());
  Metadata metadata = decode_stored(bytes_of(file), 3);
  metadata.set("source", "data", map({{"own", 3}}));
  metadata.set_is_seg(false);
  const std::string value = encode_edited(metadata, facts(), bytes_of(file));
  ASSERT_FALSE(is_pickle(value));
  const Value tree = decode_stored_tree(bytes_of(value));
  EXPECT_EQ(at(tree, {"image"}), map({{"own", 3}}));
  EXPECT_EQ(at(tree, {"is_seg"}), Value(false));
  EXPECT_EQ(at(tree, {"_has_array"}), Value(true));
  EXPECT_EQ(at(tree, {"bbox"}), at(oldest_tree(), {"bbox"}));
  EXPECT_EQ(at(tree, {"extra"}), at(oldest_tree(), {"extra"}));
  EXPECT_EQ(at(tree, {"spatial", "channel_axis"}), Value(0));
  EXPECT_EQ(decode_stored(bytes_of(value), 3).get("source", "data"), map({{"own", 3}}));

  metadata.set("source", "data", Value());  // and is still known to be of that version
  const std::string unset = encode_edited(metadata, facts(), bytes_of(file));
  EXPECT_EQ(decode_stored(bytes_of(unset), 3).get("extra", "data"),
            metadata.get("extra", "data"));
}

TEST(OldestFile, MovesOnWhenItCannotSaySomething) {
  const std::string file = encoding::encode_msgpack(oldest_tree());
  const auto moves = [&](std::string_view section, std::string_view name, const Value& set) {
    Metadata metadata = decode_stored(bytes_of(file), 3);
    metadata.set(section, name, set);
    const std::string value = encode_edited(metadata, facts(), bytes_of(file));
    EXPECT_TRUE(is_pickle(value)) << name;
    EXPECT_EQ(decode_stored(bytes_of(value), 3).get(section, name), set);
  };
  moves("bbox", "scores", list({0.5}));
  moves("stats", "percentile_min_key", 0.5);
  moves("spatial", "coord_system", "RAS");
}

TEST(EditedFile, OfAPickleOrOfNothingIsCurrent) {
  Metadata metadata;
  metadata.set("source", "data", map({{"k", 1}}));
  const std::string current = encode_stored(metadata, facts(), MetadataEncoding::current);
  const std::string empty = encode_stored({}, facts(), MetadataEncoding::current);
  EXPECT_EQ(encode_edited(metadata, facts(), bytes_of(empty)), current);
  EXPECT_EQ(encode_edited(metadata, facts(), {}), current);
  EXPECT_EQ(encode_edited(metadata, facts(), bytes_of(std::string("\x81\xA1"))), current);
}

}  // namespace
}  // namespace mlarray::metadata
