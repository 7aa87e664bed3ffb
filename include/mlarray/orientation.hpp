// Which way the axes of an image point in the body. Pure functions; safe from any thread.
//
// A frame is named by the directions in which its coordinates grow: "RAS" grows to the right,
// to the front (anterior) and to the head (superior). A trailing '+' says the same. Frames are
// in the order x, y, z: left-right, back-front, foot-head.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mlarray/affine.hpp"
#include "mlarray/export.hpp"
#include "mlarray/metadata.hpp"

namespace mlarray {

struct Orientation {
  std::string letters;  // one per axis of space: the direction that it follows most, "LPS"
  double degrees = 0;   // the largest angle between an axis and the direction of its letter
  friend bool operator==(const Orientation&, const Orientation&) = default;
};

// Of an affine with one to three axes of space, whose positions are in the frame
// `coord_system`. `labels`: those of the axes of space, of axis_labels; they tell which row of
// the affine is x, y or z; without such labels, the rows are x, y, z in this order: give arrays
// (z, y, x) the labels spatial_z, spatial_y, spatial_x. The letters are those that nibabel
// gives, also of axes that are not at right angles.
// Empty if no frame of letters is named, or an axis has no length or no direction of its own.
// Errors: invalid_value for a matrix that is not square.
MLARRAY_EXPORT std::optional<Orientation> orientation_of(
    const Matrix& affine, std::string_view coord_system,
    const std::vector<std::string>& labels = {});

// Of an image with `ndim` axes in all: by its affine, or spacing, origin and direction, and its
// coord_system and axis_labels. Empty also if it has none of the first four.
// Errors: as Metadata::affine and Metadata::spatial_axes.
MLARRAY_EXPORT std::optional<Orientation> orientation_of(const Metadata& metadata, int ndim);

// The three letters of a frame: "LPS" of "LPS+", "lps" and "left-posterior-superior". Empty
// where the text does not name one.
MLARRAY_EXPORT std::string frame_letters(std::string_view coord_system);

// Which world axis (0 is x, 1 is y, 2 is z) each row of an affine of `count` axes of space is.
struct WorldAxes {
  std::vector<int> axes;
  bool named = false;  // whether the labels say it
};
MLARRAY_EXPORT WorldAxes world_axes(const std::vector<std::string>& labels, int count);

}  // namespace mlarray
