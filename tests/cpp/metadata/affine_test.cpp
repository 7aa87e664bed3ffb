#include "mlarray/affine.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "mlarray/error.hpp"
#include "mlarray/metadata.hpp"

namespace mlarray {
namespace {

const Matrix kTurn = {{0, -1}, {1, 0}};  // a quarter turn

TEST(Affine, OfNothingIsTheIdentity) {
  EXPECT_EQ(make_affine(0, {}, {}, {}), (Matrix{{1}}));
  EXPECT_EQ(make_affine(2, {}, {}, {}), (Matrix{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}));
}

TEST(Affine, ScalesColumnsOfTheDirection) {
  EXPECT_EQ(make_affine(2, {2, 3}, {10, 20}, kTurn),
            (Matrix{{0, -3, 10}, {2, 0, 20}, {0, 0, 1}}));
  EXPECT_EQ(make_affine(3, {1, 2, 3}, {}, {}),
            (Matrix{{1, 0, 0, 0}, {0, 2, 0, 0}, {0, 0, 3, 0}, {0, 0, 0, 1}}));
}

TEST(Affine, RefusesOtherLengths) {
  EXPECT_THROW(make_affine(3, {1, 2}, {}, {}), Error);
  EXPECT_THROW(make_affine(3, {}, {1, 2, 3, 4}, {}), Error);
  EXPECT_THROW(make_affine(2, {}, {}, {{1, 0}, {0}}), Error);
  EXPECT_THROW(make_affine(-1, {}, {}, {}), Error);
}

TEST(Affine, FallsApartIntoItsParts) {
  const Matrix affine = make_affine(2, {2, 3}, {10, 20}, kTurn);
  EXPECT_EQ(affine_translation(affine), (std::vector<double>{10, 20}));
  EXPECT_EQ(affine_scale(affine), (std::vector<double>{2, 3}));
  EXPECT_EQ(affine_rotation(affine), kTurn);
  EXPECT_EQ(affine_shear(affine), (Matrix{{1, 0}, {0, 1}}));
}

TEST(Affine, DecomposesIntoWhatMakesIt) {
  const Matrix affine = make_affine(2, {2, 3}, {10, 20}, kTurn);
  const auto parts = affine_parts(affine);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->spacing, (std::vector<double>{2, 3}));
  EXPECT_EQ(parts->origin, (std::vector<double>{10, 20}));
  EXPECT_EQ(parts->direction, kTurn);
  EXPECT_EQ(make_affine(2, parts->spacing, parts->origin, parts->direction), affine);
  const Matrix sheared = {{2, 3, 0}, {0, 4, 0}, {0, 0, 1}};
  EXPECT_EQ(affine_parts(sheared)->spacing, (std::vector<double>{2, 5}));
}

TEST(Affine, WithoutPartsIsTold) {
  EXPECT_FALSE(affine_parts({{1, 0, 0}, {0, 1, 0}, {0, 1, 1}}));  // the last row
  EXPECT_FALSE(affine_parts({{1, 0, 0}, {0, 0, 0}, {0, 0, 1}}));  // an axis of length 0
  EXPECT_FALSE(affine_parts({{1, 0, NAN}, {0, 1, 0}, {0, 0, 1}}));
  EXPECT_FALSE(affine_parts({{INFINITY, 0}, {0, 1}}));
  EXPECT_THROW(affine_parts({}), Error);
  EXPECT_THROW(affine_parts({{1, 0}}), Error);
}

TEST(Affine, TellsShear) {
  // Columns (2, 0) and (3, 4): lengths 2 and 5.
  const Matrix affine = {{2, 3, 0}, {0, 4, 0}, {0, 0, 1}};
  EXPECT_EQ(affine_scale(affine), (std::vector<double>{2, 5}));
  const Matrix rotation = affine_rotation(affine);
  EXPECT_DOUBLE_EQ(rotation[0][1], 0.6);
  EXPECT_DOUBLE_EQ(rotation[1][1], 0.8);
  const Matrix shear = affine_shear(affine);
  EXPECT_DOUBLE_EQ(shear[0][0], 1);
  EXPECT_DOUBLE_EQ(shear[0][1], 1.5);
  EXPECT_DOUBLE_EQ(shear[1][0], 0.24);
  EXPECT_DOUBLE_EQ(shear[1][1], 1);
}

TEST(Affine, OfAnAxisWithoutLengthHasNoDirection) {
  EXPECT_TRUE(std::isnan(affine_rotation({{0, 5}, {0, 1}})[0][0]));
}

TEST(Affine, LengthsOfAnySizeAreTold) {
  for (const double size : {5e-324, 1e-310, 1e-200, 1.0, 1e200, 1.7e308}) {
    const Matrix affine = {{0, size, 0}, {-size, 0, 0}, {0, 0, 1}};
    EXPECT_EQ(affine_scale(affine), (std::vector<double>{size, size}));
    EXPECT_EQ(affine_rotation(affine), (Matrix{{0, 1}, {-1, 0}}));
    EXPECT_EQ(affine_shear(affine), (Matrix{{1, 0}, {0, 1}}));
  }
  EXPECT_EQ(affine_scale({{3e-200, 0}, {4e-200, 1}}).size(), 1U);
  EXPECT_DOUBLE_EQ(affine_scale({{3e-200, 0, 0}, {4e-200, 0, 0}, {0, 0, 1}})[0], 5e-200);
  EXPECT_TRUE(std::isinf(affine_scale({{-INFINITY, 0}, {0, 1}})[0]));
  EXPECT_TRUE(std::isnan(affine_scale({{NAN, 0}, {0, 1}})[0]));
}

TEST(Affine, RefusesWhatIsNotSquare) {
  EXPECT_THROW(affine_scale({}), Error);
  EXPECT_THROW(affine_translation({{1, 0, 0}, {0, 1, 0}}), Error);
  EXPECT_THROW(affine_shear({{1, 0}, {0}}), Error);
}

TEST(Affine, OfMetadataIsTheStoredOneOrComputed) {
  Metadata metadata;
  EXPECT_EQ(metadata.affine(1), (Matrix{{1, 0}, {0, 1}}));
  metadata.set("spatial", "spacing", List{{Value(2), Value(2.5)}});
  EXPECT_EQ(metadata.affine(2), (Matrix{{2, 0, 0}, {0, 2.5, 0}, {0, 0, 1}}));
  EXPECT_THROW(metadata.affine(3), Error);
  metadata = {};
  const Value row = List{{Value(1), Value(7)}};
  metadata.set("spatial", "affine", List{{row, row}});
  EXPECT_EQ(metadata.affine(1), (Matrix{{1, 7}, {1, 7}}));
  EXPECT_THROW(metadata.affine(2), Error);
}

}  // namespace
}  // namespace mlarray
