// Typed setters, and what one image takes from another.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "mlarray/metadata.hpp"
#include "support/errors.hpp"

namespace mlarray {
namespace {

const Matrix kAffine = {{0, 3, 10}, {2, 0, 20}, {0, 0, 1}};

TEST(TypedSetters, StoreWhatTheGettersGive) {
  Metadata metadata;
  metadata.set_spacing({3, 0.5});
  metadata.set_origin({-1, 2});
  metadata.set_direction({{0, 1}, {1, 0}});
  metadata.set_axis_labels({"spatial_y", "spatial_x"});
  metadata.set_is_seg(false);
  metadata.check(2);
  EXPECT_EQ(metadata.spacing(), (std::vector<double>{3, 0.5}));
  EXPECT_EQ(metadata.origin(), (std::vector<double>{-1, 2}));
  EXPECT_EQ(metadata.direction(), (Matrix{{0, 1}, {1, 0}}));
  EXPECT_EQ(metadata.spatial_axes(2), (std::vector<bool>{true, true}));
  EXPECT_EQ(metadata.is_seg(), false);
  EXPECT_EQ(metadata.has_array(), std::nullopt);
  metadata.set_affine(kAffine);
  metadata.check(2);
  EXPECT_EQ(metadata.affine(2), kAffine);
  EXPECT_EQ(metadata.spacing(), std::nullopt);
}

TEST(TypedSetters, CheckAndChangeNothingOnError) {
  Metadata metadata;
  metadata.set_spacing({1, 2});
  EXPECT_ERROR(metadata.set_affine({{1, 2}, {3}}), ErrorKind::invalid_value, "spatial.affine");
  EXPECT_EQ(metadata.spacing(), (std::vector<double>{1, 2}));
}

TEST(FillFrom, TakesWhatIsUnset) {
  Metadata scan;
  scan.set_spacing({3, 0.5});
  scan.set_is_seg(false);
  scan.set("source", "data", Map{{{"Modality", "CT"}}});
  scan.set("stats", "mean", 5.0);
  scan.set("blosc2", "patch_size", List{{64, 64}});
  scan.set("_image_meta_format", "image_meta_format", "dicom");
  scan.set("_has_array", "has_array", true);
  Metadata result;
  result.set_is_seg(true);
  result.set_origin({1, 2});
  result.fill_from(scan);
  EXPECT_EQ(result.spacing(), (std::vector<double>{3, 0.5}));
  EXPECT_EQ(result.origin(), (std::vector<double>{1, 2}));
  EXPECT_EQ(result.is_seg(), true) << "what is set stays";
  EXPECT_EQ(result.get("source", "data"), scan.get("source", "data"));
  EXPECT_EQ(result.get("stats", "mean"), Value(5.0));
  EXPECT_EQ(result.get("blosc2", "patch_size"), scan.get("blosc2", "patch_size"));
  EXPECT_EQ(result.get("_image_meta_format", "image_meta_format"), Value("dicom"));
  EXPECT_EQ(result.has_array(), std::nullopt) << "the library's own";

  const Metadata once = result;
  result.fill_from(scan);
  result.fill_from(result);
  EXPECT_EQ(result, once);
  Metadata empty;
  empty.fill_from(Metadata());
  EXPECT_EQ(empty, Metadata());
}

TEST(FillFrom, AnEmptyListIsUnset) {
  Metadata scan;
  scan.set("bbox", "scores", List{{0.5}});
  Metadata result = Metadata::from_unchecked(
      Map{{{"bbox", Map{{{"scores", List{}}}}}, {"source", Map{{{"data", Map{}}}}}}});
  result.fill_from(scan);
  EXPECT_EQ(result.get("bbox", "scores"), scan.get("bbox", "scores"));
}

TEST(FillFrom, AnAffineLeavesNothingToTake) {
  Metadata scan;
  scan.set_spacing({7, 7});
  scan.set_origin({7, 7});
  Metadata result;
  result.set_affine(kAffine);
  result.fill_from(scan);
  result.check(2);
  EXPECT_EQ(result.affine(2), kAffine);
  EXPECT_EQ(result.spacing(), std::nullopt);
}

TEST(FillFrom, MissingPartsAreTakenOutOfAnAffine) {
  Metadata scan;
  scan.set_affine(kAffine);
  Metadata result;
  result.set_spacing({4, 6});
  result.fill_from(scan);
  result.check(2);
  EXPECT_EQ(result.affine(2), (Matrix{{0, 6, 10}, {4, 0, 20}, {0, 0, 1}}));
  Metadata other;
  other.fill_from(scan);
  EXPECT_EQ(other.affine(2), kAffine) << "whole where no part is set";
}

TEST(FillFrom, RefusesWhatThePartsCannotSay) {
  Metadata scan;
  scan.set_affine({{2, 0, 0}, {0, 2, 0}, {0, 0, 2}});
  Metadata result;
  result.set_origin({1, 1});
  const Metadata before = result;
  EXPECT_ERROR(result.fill_from(scan), ErrorKind::invalid_value, "last row [0.0, 0.0, 2.0]");
  scan.set_affine({{2, 0, 0}, {0, 0, 0}, {0, 0, 1}});
  result.set_spacing({1, 1});
  EXPECT_ERROR(result.fill_from(scan), ErrorKind::invalid_value, "axis 1 has length 0");
  EXPECT_EQ(result.origin(), before.origin());
  // Whichever the direction is, times 0.
  Metadata placed;
  placed.set_origin({1, 1});
  placed.fill_from(scan);
  EXPECT_EQ(placed.affine(2), (Matrix{{2, 0, 1}, {0, 0, 1}, {0, 0, 1}}));
}

TEST(FillFrom, KeepsKeysOfAFileThatNoFieldHas) {
  const Metadata scan =
      Metadata::from_unchecked(Map{{{"spatial", Map{{{"newer", 1}, {"both", 2}}}}}});
  Metadata result = Metadata::from_unchecked(Map{{{"spatial", Map{{{"both", 3}}}}}});
  result.fill_from(scan);
  const Value tree = result.to_value();
  const Map* spatial = tree.get_if<Map>()->find("spatial")->get_if<Map>();
  EXPECT_EQ(*spatial->find("newer"), Value(1));
  EXPECT_EQ(*spatial->find("both"), Value(3));
}

}  // namespace
}  // namespace mlarray
