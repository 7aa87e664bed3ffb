#include "mlarray/metadata.hpp"

#include <gtest/gtest.h>

#include "metadata/tree.hpp"
#include "mlarray/error.hpp"
#include "trees.hpp"

namespace mlarray::metadata {
namespace {

using testing::at;
using testing::kNan;
using testing::list;
using testing::map;
using testing::tuple;
using testing::with;

template <class Call>
std::string message(ErrorKind kind, Call call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(Metadata, KeepsWhatIsSet) {
  Metadata metadata;
  EXPECT_TRUE(metadata.get("spatial", "spacing").is_none());
  metadata.set("spatial", "spacing", list({1, 2.5}));
  EXPECT_EQ(metadata.get("spatial", "spacing"), list({1, 2.5}));
  EXPECT_EQ(metadata.spacing(), (std::vector<double>{1, 2.5}));
  metadata.set("spatial", "spacing", Value());
  EXPECT_EQ(metadata.spacing(), std::nullopt);
  EXPECT_EQ(metadata, Metadata());
  metadata.set("is_seg", "is_seg", false);
  EXPECT_EQ(metadata.is_seg(), false);
  EXPECT_THROW(metadata.get("spatial", "spcing"), Error);
  EXPECT_THROW(metadata.set("none", "x", 1), Error);
}

TEST(Metadata, SectionsOfOneValueGoByBothNames) {
  Metadata metadata = with("source", "source", map({{"a", 1}}));
  EXPECT_EQ(metadata.get("source", "data"), map({{"a", 1}}));
  EXPECT_EQ(metadata.get("original", "data"), map({{"a", 1}}));
}

TEST(Metadata, ReadsTreesOfBothGenerations) {
  const Metadata today = Metadata::from_value(
      map({{"source", map({{"data", map({{"a", 1}})}})},
           {"is_seg", map({{"is_seg", true}})},
           {"_has_array", map({{"has_array", true}})},
           {"blosc2", map({{"chunk_size", list({1, 2})}})},
           {"spatial", map({{"axis_labels", list({"spatial", "channel"})}})}}));
  const Metadata older = Metadata::from_value(
      map({{"original", map({{"a", 1}})},
           {"is_seg", true},
           {"_has_array", true},
           {"_blosc2", map({{"chunk_size", list({1, 2})}})},
           {"spatial", map({{"spacing", Value()}, {"channel_axis", 1}})}}));
  EXPECT_EQ(today, older);
  EXPECT_EQ(Metadata::from_value(today.to_value()), today);
  EXPECT_EQ(Metadata::from_value(today.to_value(true)), today);
  EXPECT_EQ(Metadata::from_value(Value()), Metadata());
}

TEST(Metadata, UserDataNamedDataIsUserData) {
  const Metadata metadata = with("source", "data", map({{"data", 5}}));
  EXPECT_EQ(Metadata::from_value(metadata.to_value()), metadata);
  EXPECT_EQ(Metadata::from_value(map({{"source", map({{"data", 5}})}})), metadata);
  const Metadata inner = with("source", "data", map({{"data", map({{"x", 1}})}}));
  EXPECT_EQ(Metadata::from_value(inner.to_value()), inner);
}

TEST(Metadata, ShowsUnsetFieldsOnRequest) {
  const Value tree = Metadata().to_value(true);
  EXPECT_EQ(at(tree, {"source", "data"}), map({}));
  EXPECT_EQ(at(tree, {"_has_array", "has_array"}), Value(false));
  EXPECT_NE(at(tree, {"stats"}).get_if<Map>()->find("std"), nullptr);
  EXPECT_EQ(Metadata().to_value(), map({}));
}

TEST(Metadata, RefusesUnknownKeys) {
  const std::string text = message(ErrorKind::invalid_value, [] {
    Metadata::from_value(map({{"spatial", map({{"spcing", list({1})}})}}));
  });
  EXPECT_NE(text.find("spatial.spcing"), std::string::npos);
  EXPECT_NE(text.find("spacing, origin"), std::string::npos);
  message(ErrorKind::invalid_value, [] { Metadata::from_value(map({{"sauce", map({})}})); });
  message(ErrorKind::invalid_value,
          [] { Metadata::from_value(map({{"source", map({})}, {"original", map({})}})); });
  message(ErrorKind::invalid_type, [] { Metadata::from_value(map({{"spatial", 5}})); });
  message(ErrorKind::invalid_type, [] { Metadata::from_value(5); });
}

TEST(Metadata, KeepsUnknownKeysOfAFileAtTheEnd) {
  const Value tree = map({{"future", 1},
                          {"spatial", map({{"newer", 2}, {"spacing", list({1})}})},
                          {"stats", "nonsense"}});
  const Metadata metadata = Tree::read(tree, Leniency::everything);
  EXPECT_EQ(metadata.spacing(), (std::vector<double>{1}));
  const Value back = metadata.to_value();
  EXPECT_EQ(back, map({{"spatial", map({{"spacing", list({1})}, {"newer", 2}})},
                       {"future", 1},
                       {"stats", "nonsense"}}));
  EXPECT_EQ(at(metadata.to_value(true), {"spatial", "newer"}), Value(2));
  EXPECT_EQ(at(metadata.to_value(true), {"future"}), Value(1));
  EXPECT_EQ(at(metadata.to_value(true), {"stats"}), Value("nonsense"));
  EXPECT_NE(message(ErrorKind::invalid_type, [&] { metadata.check(1); }).find("stats"),
            std::string::npos);
}

TEST(Metadata, KeepsWrongValuesOfAFileUntilTheyAreTouched) {
  Metadata metadata = Tree::read(map({{"spatial", map({{"spacing", "wide"}})}, {"is_seg", 3}}),
                                 Leniency::everything);
  EXPECT_EQ(metadata.get("spatial", "spacing"), Value("wide"));
  EXPECT_THROW(metadata.spacing(), Error);
  EXPECT_THROW(metadata.is_seg(), Error);
  EXPECT_THROW(metadata.affine(3), Error);
  EXPECT_THROW(metadata.check(3), Error);
  metadata.set("spatial", "spacing", list({1, 1, 1}));
  metadata.set("is_seg", "is_seg", true);
  metadata.check(3);
}

TEST(Metadata, TakesAnEmptySectionForAnUnsetValue) {
  EXPECT_EQ(Metadata::from_value(map({{"is_seg", map({})}, {"source", map({})}})), Metadata());
}

TEST(Check, LeavesTheLibrarysFieldsToTheLibrary) {
  Metadata metadata = with("spatial", "shape", list({1, 2, 3}));
  metadata.set("blosc2", "chunk_size", list({1, 2, 3}));
  metadata.set("blosc2", "patch_size", list({1, 2, 3}));
  metadata.check(2);
  Tree::read(map({{"blosc2", 5}, {"_has_array", "yes"}}), Leniency::everything).check(2);
}

TEST(Check, ComparesLengthsWithTheArray) {
  message(ErrorKind::invalid_value, [] { with("spatial", "spacing", list({1, 2})).check(3); });
  message(ErrorKind::invalid_value,
          [] { with("spatial", "direction", list({list({1})})).check(2); });
  message(ErrorKind::invalid_value,
          [] { with("spatial", "axis_labels", list({"spatial"})).check(2); });
  const std::string text = message(ErrorKind::invalid_value, [] {
    with("spatial", "affine", list({list({1, 0}), list({0, 1})})).check(2);
  });
  EXPECT_NE(text.find("spatial.affine"), std::string::npos);
  EXPECT_NE(text.find("length 2"), std::string::npos);
  EXPECT_NE(text.find("length 3"), std::string::npos);
}

TEST(Check, CountsOnlySpatialAxes) {
  Metadata metadata =
      with("spatial", "axis_labels", list({"channel", "spatial_y", "spatial_x"}));
  metadata.set("spatial", "spacing", list({1, 2}));
  metadata.check(3);
  EXPECT_EQ(metadata.spatial_axes(3), (std::vector<bool>{false, true, true}));
  EXPECT_THROW(metadata.spatial_axes(4), Error);
  EXPECT_EQ(Metadata().spatial_axes(2), (std::vector<bool>{true, true}));
  metadata.set("spatial", "spacing", list({1, 2, 3}));
  EXPECT_THROW(metadata.check(3), Error);
  EXPECT_THROW(metadata.check(-1), Error) << "the labels alone tell two spatial axes";
}

TEST(Check, AffineExcludesItsParts) {
  Metadata metadata = with("spatial", "affine", list({list({1, 0}), list({0, 1})}));
  metadata.check(1);
  metadata.set("spatial", "origin", list({1}));
  message(ErrorKind::invalid_value, [&] { metadata.check(1); });
  message(ErrorKind::invalid_value, [&] { Metadata::from_value(metadata.to_value()); });
}

TEST(Check, BoxesHaveOneScoreAndLabelEach) {
  Metadata metadata = with("bbox", "bboxes", list({list({list({0, 1})})}));
  metadata.set("bbox", "scores", list({0.5}));
  metadata.check(1);
  metadata.set("bbox", "labels", list({"a", "b"}));
  EXPECT_NE(message(ErrorKind::invalid_value, [&] { metadata.check(1); }).find("bbox.labels"),
            std::string::npos);
}

TEST(Check, BoxesHaveAPairPerAxisOrPerSpatialAxis) {
  const Value pair = list({0, 1});
  Metadata metadata = with("bbox", "bboxes", list({list({pair, pair})}));
  metadata.check(2);
  metadata.check(-1);
  const std::string text = message(ErrorKind::invalid_value, [&] { metadata.check(3); });
  EXPECT_NE(text.find("bbox.bboxes[0]"), std::string::npos);
  EXPECT_NE(text.find("3 pairs (one per axis)"), std::string::npos);
  metadata.set("spatial", "axis_labels", list({"channel", "spatial_y", "spatial_x"}));
  metadata.check(3);
  metadata.check(-1);
  metadata.set("bbox", "bboxes", list({list({pair, pair, pair})}));
  metadata.check(3);
  metadata.set("bbox", "bboxes", list({list({pair})}));
  message(ErrorKind::invalid_value, [&] { metadata.check(3); });
  message(ErrorKind::invalid_value, [&] { metadata.check(-1); });
  metadata.set("bbox", "bboxes", list({}));
  metadata.check(3);
}

TEST(Check, EveryAxisHasAUnit) {
  Metadata metadata = with("spatial", "axis_units", list({"mm", "mm"}));
  metadata.check(2);
  metadata.check(-1);
  EXPECT_NE(
      message(ErrorKind::invalid_value, [&] { metadata.check(3); }).find("spatial.axis_units"),
      std::string::npos);
  metadata.set("spatial", "axis_labels", list({"spatial", "spatial", "channel"}));
  message(ErrorKind::invalid_value, [&] { metadata.check(-1); });
}

TEST(Check, WithoutAnArrayTheVectorsAgreeOnTheAxesOfSpace) {
  Metadata metadata = with("spatial", "spacing", list({1, 2}));
  metadata.set("spatial", "origin", list({1, 2}));
  metadata.check(-1);
  metadata.set("spatial", "origin", list({1, 2, 3}));
  EXPECT_NE(
      message(ErrorKind::invalid_value, [&] { metadata.check(-1); }).find("spatial.origin"),
      std::string::npos);
}

TEST(Axes, AreToldByLabelsOrElseByVectors) {
  EXPECT_EQ(Metadata().ndim(), std::nullopt);
  EXPECT_EQ(Metadata().spatial_ndim(), std::nullopt);
  Metadata metadata = with("spatial", "origin", list({1, 2}));
  EXPECT_EQ(metadata.ndim(), 2);
  EXPECT_EQ(metadata.spatial_ndim(), 2);
  const Metadata affine = with("spatial", "affine", list({list({1, 0}), list({0, 1})}));
  EXPECT_EQ(affine.spatial_ndim(), 1);
  EXPECT_EQ(with("spatial", "affine", list({})).spatial_ndim(), 0);
  metadata.set("spatial", "axis_labels", list({"channel", "spatial", "spatial", "temporal"}));
  EXPECT_EQ(metadata.ndim(), 4);
  EXPECT_EQ(metadata.spatial_ndim(), 2);
}

TEST(Equality, IsExact) {
  const auto source = [](Value value) {
    return with("source", "data", map({{"k", std::move(value)}}));
  };
  EXPECT_EQ(source(kNan), source(-kNan));
  EXPECT_EQ(source(list({kNan})), source(list({kNan})));
  EXPECT_NE(source(1), source(1.0));
  EXPECT_NE(source(1), source(true));
  EXPECT_NE(source(0.0), source(-0.0));
  EXPECT_NE(source(list({1})), source(tuple({1})));
  EXPECT_NE(source("a"), source("b"));
  EXPECT_NE(source(1), Metadata());
  EXPECT_NE(source(map({{"a", 1}, {"b", 2}})), source(map({{"b", 2}, {"a", 1}})));
}

TEST(Equality, IgnoresTheOrderOfSetting) {
  Metadata a = with("stats", "max", 2);
  a.set("stats", "min", 1);
  a.set("is_seg", "is_seg", true);
  a.set("spatial", "spacing", list({1}));
  Metadata b = with("spatial", "spacing", list({1}));
  b.set("is_seg", "is_seg", true);
  b.set("stats", "min", 1);
  b.set("stats", "max", 2);
  EXPECT_EQ(a, b);
  EXPECT_EQ(with("source", "data", map({})), Metadata());
  EXPECT_NE(with("_has_array", "has_array", false), Metadata()) << "None is: not known";
}

TEST(ChannelAxis, BecomesLabelsAndBack) {
  EXPECT_EQ(Value(labels_for_channel_axis(1, 3)), list({"spatial", "channel", "spatial"}));
  EXPECT_EQ(Value(labels_for_channel_axis(-1, 2)), list({"spatial", "channel"}));
  EXPECT_THROW(labels_for_channel_axis(3, 3), Error);
  EXPECT_THROW(labels_for_channel_axis(-4, 3), Error);
  EXPECT_EQ(channel_axis_of(labels_for_channel_axis(2, 4)), 2);
  EXPECT_EQ(channel_axis_of({}), std::nullopt);
  EXPECT_EQ(channel_axis_of(List{{"channel", "temporal"}}), std::nullopt);
}

TEST(ChannelAxis, NeedsTheNumberOfAxes) {
  const auto labels = [](const Value& tree, int ndim) {
    return Tree::read(tree, Leniency::everything, ndim).get("spatial", "axis_labels");
  };
  const Value bare = map({{"spatial", map({{"channel_axis", 0}})}});
  EXPECT_EQ(labels(bare, 2), list({"channel", "spatial"}));
  EXPECT_TRUE(labels(bare, -1).is_none());
  EXPECT_EQ(at(Tree::read(bare, Leniency::everything).to_value(), {"spatial", "channel_axis"}),
            Value(0));
  EXPECT_THROW(Metadata::from_value(bare), Error);
  EXPECT_EQ(labels(map({{"spatial", map({{"channel_axis", 0}, {"spacing", list({1})}})}}), -1),
            list({"channel", "spatial"}));
  EXPECT_EQ(labels(map({{"spatial", map({{"channel_axis", 0}, {"shape", list({4, 5})}})}}), -1),
            list({"channel", "spatial"}));
  EXPECT_EQ(labels(map({{"spatial", map({{"channel_axis", 0}})},
                        {"_blosc2", map({{"chunk_size", list({4, 5})}})}}),
                   -1),
            list({"channel", "spatial"}));
  EXPECT_TRUE(labels(map({{"spatial", map({{"channel_axis", 7}})}}), 2).is_none());
}

TEST(Metadata, TheTableTellsItsFields) {
  EXPECT_EQ(Metadata::sections().front().name, "source");
  EXPECT_TRUE(Metadata::sections().front().single);
  EXPECT_EQ(Metadata::field("spatial", "spacing").path(), "spatial.spacing");
  EXPECT_EQ(Metadata::field("original", "data").path(), "source");
  for (const MetadataField& field : Metadata::fields()) {
    EXPECT_EQ(&Metadata::field(field.section, field.name), &field) << field.path();
  }
  EXPECT_EQ(Metadata::axis_roles().front().name, "spatial");
  EXPECT_TRUE(Metadata::axis_roles().front().spatial);
  EXPECT_EQ(Metadata::coord_systems().front(), "RAS");
  for (const char* section : {"spatial", "nowhere"}) {
    try {
      Metadata::field(section, "colour");
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_value);
      EXPECT_NE(std::string(error.what()).find(std::string(section) + ".colour: no such"),
                std::string::npos)
          << error.what();
    }
  }
}

TEST(Metadata, ChecksAValueWithoutStoringIt) {
  const MetadataField& spacing = Metadata::field("spatial", "spacing");
  const Value numbers = Metadata::checked(spacing, List{{1, 2}, true});
  EXPECT_EQ(numbers, Value(List{{1, 2}}));
  EXPECT_THROW(Metadata::checked(spacing, "1 mm"), Error);
}

TEST(Metadata, ChecksASectionByItself) {
  Map spatial;
  spatial.set("axis_labels", List{{"channel", "spatial", "spatial"}});
  spatial.set("spacing", List{{1.0, 1.0}});
  EXPECT_NO_THROW(Metadata::check_section("spatial", spatial));
  spatial.set("spacing", List{{1.0, 1.0, 1.0}});
  EXPECT_THROW(Metadata::check_section("spatial", spatial), Error);
  EXPECT_THROW(Metadata::check_section("nowhere", {}), Error);
}

TEST(Metadata, KeepsATreeThatIsWrong) {
  Map spatial;
  spatial.set("spacing", "1 mm");
  Map tree;
  tree.set("spatial", spatial);
  tree.set("colour", 1);
  EXPECT_THROW(Metadata::from_value(tree), Error);
  const Metadata kept = Metadata::from_unchecked(tree);
  EXPECT_EQ(kept.get("spatial", "spacing"), Value("1 mm"));
  EXPECT_EQ(kept.to_value(), Value(tree));
  EXPECT_THROW(kept.check(3), Error);
}

TEST(Metadata, NamesItemsAsErrorsDo) {
  EXPECT_EQ(item_path("source.date", 2), "source.date[2]");
  EXPECT_EQ(item_path("source", "date"), "source.date");
  EXPECT_EQ(item_path("", "source"), "source");
  EXPECT_EQ(item_path("source", Value(3)), "source[3 (int)]");
}

}  // namespace
}  // namespace mlarray::metadata
