// What every kind of field accepts and refuses.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "metadata/rules.hpp"
#include "metadata/schema.hpp"
#include "mlarray/error.hpp"
#include "mlarray/metadata.hpp"
#include "trees.hpp"

namespace mlarray::metadata {
namespace {

using testing::kNan;
using testing::list;
using testing::map;
using testing::tuple;

const BigInt kBig{"1208925819614629174706176"};

Value nested(int levels) {
  Value value = 1;
  for (int i = 0; i < levels; ++i) value = list({value});
  return value;
}

struct Case {
  std::string_view section, name;
  Value value;
  std::optional<ErrorKind> error = {};
  Value kept = {};  // if it differs from value
};

const std::vector<Case>& cases() {
  constexpr auto kType = ErrorKind::invalid_type;
  constexpr auto kValue = ErrorKind::invalid_value;
  static const std::vector<Case> all = {
      {"spatial", "spacing", list({1, 1.5, kNan, kBig})},
      {"spatial", "spacing", tuple({1, 2}), {}, list({1, 2})},
      {"spatial", "spacing", list({})},
      {"spatial", "spacing", "abc", kType},
      {"spatial", "spacing", 1.0, kType},
      {"spatial", "spacing", list({1, "x"}), kType},
      {"spatial", "spacing", list({true}), kType},
      {"spatial", "spacing", list({list({1})}), kType},
      {"spatial",
       "direction",
       tuple({tuple({1, 0}), list({0, 1})}),
       {},
       list({list({1, 0}), list({0, 1})})},
      {"spatial", "direction", list({list({1, 0})}), kValue},
      {"spatial", "direction", list({1, 0}), kType},
      {"spatial", "affine", list({list({1, 0}), list({0})}), kValue},
      {"spatial", "shape", tuple({3, 0}), {}, list({3, 0})},
      {"spatial", "shape", list({-1}), kValue},
      {"spatial", "shape", list({1.0}), kType},
      {"spatial",
       "axis_labels",
       tuple({"channel", "anything"}),
       {},
       list({"channel", "anything"})},
      {"spatial", "axis_labels", list({1}), kType},
      {"spatial", "axis_labels", "spatial", kType},
      {"spatial", "coord_system", "my own"},
      {"spatial", "coord_system", 1, kType},
      {"spatial", "axis_units", list({"mm"})},
      {"spatial", "_num_spatial_axes", 2},
      {"spatial", "_num_spatial_axes", -2, kValue},
      {"stats", "min", 1},
      {"stats", "min", kNan},
      {"stats", "min", kBig},
      {"stats", "min", "1", kType},
      {"stats", "min", true, kType},
      {"bbox", "bboxes", tuple({tuple({tuple({0, 1.5})})}), {}, list({list({list({0, 1.5})})})},
      {"bbox", "bboxes", list({})},
      {"bbox", "bboxes", list({1}), kType},
      {"bbox", "bboxes", list({list({1})}), kValue},
      {"bbox", "bboxes", list({list({list({1, 2, 3})})}), kValue},
      {"bbox", "bboxes", list({list({list({1, true})})}), kType},
      {"bbox", "bboxes", list({list({list({1, 1}), list({-2.5, kBig})})})},
      {"bbox", "bboxes", list({list({list({0, 1}), list({2, 1})})}), kValue},
      {"bbox", "bboxes", list({list({list({kNan, 1})})}), kValue},
      {"bbox", "bboxes", list({list({list({0, 1})}), list({list({0, 1}), list({0, 1})})}),
       kValue},
      {"bbox", "scores", list({0.5, 1})},
      {"bbox", "labels", list({"a", 1, 1.5})},
      {"bbox", "labels", list({true}), kType},
      {"bbox", "labels", list({list({})}), kType},
      {"is_seg", "is_seg", true},
      {"is_seg", "is_seg", 1, kType},
      {"source", "data", map({{"a", tuple({1, Value(), map({{"b", kNan}})})}})},
      {"source", "data", list({}), kType},
      {"source", "data", map({{"a", Bytes{"x"}}}), kType},
      {"source", "data", map({{"a", Opaque{"x.Y", {}}}}), kType},
      {"source", "data", Map{{{Value(3), Value(4)}, {Value(), Value(5)}}}},
      {"source", "data", Map{{{tuple({1}), Value(4)}}}, kType},
      {"source", "data", map({{"a", nested(kMaxFieldDepth - 1)}})},
      {"source", "data", map({{"a", nested(kMaxFieldDepth)}}), kValue},
      {"blosc2", "cparams", map({{"codec", 5}})},
      {"blosc2", "cparams", 5, kType},
      {"_has_array", "has_array", true},
      {"_has_array", "has_array", "no", kType},
      {"_mlarray_version", "mlarray_version", "v0"},
  };
  return all;
}

TEST(Fields, AcceptAndRefuse) {
  for (const Case& test : cases()) {
    SCOPED_TRACE(std::string(test.section) + "." + std::string(test.name) + " " +
                 described(test.value));
    Metadata metadata;
    try {
      metadata.set(test.section, test.name, test.value);
      ASSERT_FALSE(test.error.has_value());
      Metadata expected;
      expected.set(test.section, test.name, test.kept.is_none() ? test.value : test.kept);
      EXPECT_EQ(metadata, expected);

      if (test.kept.is_none()) continue;
      EXPECT_EQ(metadata.get(test.section, test.name), test.kept);
    } catch (const Error& error) {
      ASSERT_TRUE(test.error.has_value()) << error.what();
      EXPECT_EQ(error.kind(), *test.error) << error.what();
      EXPECT_NE(std::string(error.what()).find(test.section), std::string::npos);
      EXPECT_EQ(metadata, Metadata()) << "changed by a refused value";
    }
  }
}

TEST(Fields, EveryKindHasACase) {
  std::set<std::string_view> tested;
  for (const Case& test : cases()) {
    tested.insert(find_field(*find_section(test.section), test.name)->kind);
  }
  for (const MetadataField& field : fields()) EXPECT_TRUE(tested.contains(field.kind));
}

TEST(Fields, MessagesNameFieldValueAndExpectation) {
  Metadata metadata;
  try {
    metadata.set("spatial", "spacing", list({1, "ab\xC3\xA4"}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "spatial.spacing[1]: got 'ab\?\?' (str), expected a number");
  }
  try {
    metadata.set("source", "data", map({{"study", map({{"date", list({0, Bytes{"x"}})}})}}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("source.study.date[1]: "), 0U) << error.what();
  }
}

TEST(Fields, MessagesAreShort) {
  Metadata metadata;
  try {
    metadata.set("stats", "min", std::string(100000, 'x'));
    FAIL();
  } catch (const Error& error) {
    EXPECT_LT(std::string(error.what()).size(), 200U);
  }
}

TEST(Table, IsConsistent) {
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (const MetadataField& field : fields()) {
    EXPECT_TRUE(names.emplace(field.section, field.name).second) << field.name;
    const Section* section = find_section(field.section);
    ASSERT_NE(section, nullptr) << field.section;
    EXPECT_EQ(section->name, field.section);
    EXPECT_FALSE(field.doc.empty());
  }
  for (const Section& section : sections()) {
    EXPECT_EQ(find_section(section.legacy_name), &section);
    int count = 0;
    for (const MetadataField& field : fields()) count += field.section == section.name;
    EXPECT_TRUE(section.single ? count == 1 : count > 1) << section.name;
  }
}

}  // namespace
}  // namespace mlarray::metadata
