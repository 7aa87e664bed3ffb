#include "mlarray/orientation.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "mlarray/error.hpp"

namespace mlarray {
namespace {

const Matrix kPlain = {{-2, 0, 0, 9}, {0, 0, 3, 9}, {0, 1, 0, 9}, {0, 0, 0, 1}};

std::string letters_of(const Matrix& affine, std::string_view frame,
                       const std::vector<std::string>& labels = {}) {
  const auto found = orientation_of(affine, frame, labels);
  return found ? found->letters : "";
}

TEST(Orientation, ReadsNamesOfFrames) {
  for (const char* name : {"LPS", "lps", "LPS+", " Lps+ ", "left-posterior-superior",
                           "Left Posterior Superior", "leftposteriorsuperior+"}) {
    EXPECT_EQ(frame_letters(name), "LPS") << name;
  }
  for (const char* name : {"", "+", "scanner", "LP", "LPSS", "PLS", "left-posterior",
                           "left-posterior-superior-3", "LPS++", "unknown"}) {
    EXPECT_EQ(frame_letters(name), "") << name;
  }
}

TEST(Orientation, OfAxesAtRightAngles) {
  EXPECT_EQ(orientation_of(kPlain, "RAS+"), (Orientation{"LSA", 0}));
  EXPECT_EQ(orientation_of(kPlain, "LPS"), (Orientation{"RSP", 0}));
  EXPECT_EQ(letters_of({{1, 0}, {0, 1}}, "RAS"), "R");
  EXPECT_EQ(letters_of({{0, -1, 0}, {1, 0, 0}, {0, 0, 1}}, "RAS"), "AL");
}

TEST(Orientation, LabelsTellWhichRowIsWhich) {
  const Matrix unit = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
  EXPECT_EQ(letters_of(unit, "RAS"), "RAS");
  EXPECT_EQ(letters_of(unit, "RAS", {"spatial_z", "spatial_y", "spatial_x"}), "SAR");
  // Labels that do not name each axis once say nothing.
  EXPECT_EQ(letters_of(unit, "RAS", {"spatial_z", "spatial_z", "spatial_x"}), "RAS");
  EXPECT_EQ(letters_of(unit, "RAS", {"spatial", "spatial", "spatial"}), "RAS");
  EXPECT_EQ(letters_of(unit, "RAS", {"spatial_z"}), "RAS");
  const WorldAxes plane = world_axes({"spatial_z", "spatial_x"}, 2);
  EXPECT_EQ(plane.axes, (std::vector<int>{2, 0}));
  EXPECT_TRUE(plane.named);
  EXPECT_FALSE(world_axes({}, 2).named);
}

TEST(Orientation, TellsHowObliqueAxesAre) {
  const double angle = std::numbers::pi / 9;
  const double c = std::cos(angle);
  const double s = std::sin(angle);
  const auto found =
      orientation_of({{c, -s, 0, 0}, {s, c, 0, 0}, {0, 0, 4, 0}, {0, 0, 0, 1}}, "RAS");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->letters, "RAS");
  EXPECT_NEAR(found->degrees, 20, 1e-9);
}

TEST(Orientation, EachAxisHasALetterOfItsOwn) {
  // Both columns follow x most; without the shear, the second one is y.
  EXPECT_EQ(letters_of({{1, 0.9, 0, 0}, {0, 0.5, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}, "RAS"),
            "RAS");
}

TEST(Orientation, IsEmptyWhereNothingSaysIt) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(orientation_of(kPlain, "scanner"));
  EXPECT_FALSE(orientation_of({{1}}, "RAS"));             // no axes
  EXPECT_FALSE(orientation_of({{0, 0}, {0, 1}}, "RAS"));  // no length
  EXPECT_FALSE(orientation_of({{nan, 0}, {0, 1}}, "RAS"));
  EXPECT_FALSE(orientation_of({{1, 1, 0}, {0, 0, 0}, {0, 0, 1}}, "RAS"));  // one direction
  EXPECT_FALSE(orientation_of(Matrix(5, std::vector<double>(5, 1)), "RAS"));
  EXPECT_THROW(orientation_of({{1, 2}}, "RAS"), Error);
}

TEST(Orientation, SurvivesHugeAndTinyLengths) {
  EXPECT_EQ(letters_of({{0, -1e300, 0}, {1e-300, 0, 0}, {0, 0, 1}}, "RAS"), "AL");
}

TEST(Orientation, OfMetadata) {
  Metadata metadata;
  metadata.set("spatial", "coord_system", "LPS");
  EXPECT_FALSE(orientation_of(metadata, 3)) << "nothing says where the axes are";
  metadata.set_spacing({3, 1, 1});
  EXPECT_EQ(orientation_of(metadata, 3), (Orientation{"LPS", 0}));
  metadata.set_axis_labels({"channel", "spatial_z", "spatial_y", "spatial_x"});
  EXPECT_EQ(orientation_of(metadata, 4), (Orientation{"SPL", 0}));
  EXPECT_THROW(orientation_of(metadata, 3), Error);
}

}  // namespace
}  // namespace mlarray
