// Affine matrices of images: from voxel index to position, both in the order of the spatial
// axes, lengths in the unit of the spacing (commonly mm). Pure functions; safe from any thread.
#pragma once

#include <optional>
#include <vector>

#include "mlarray/export.hpp"

namespace mlarray {

// Rows of equal length. An affine of n spatial axes has n + 1 rows and columns.
using Matrix = std::vector<std::vector<double>>;

// direction * diag(spacing) with `origin` as last column; an empty argument counts as its
// identity (ones, zeros, unit matrix).
// Errors: invalid_value for a length other than `axes`.
MLARRAY_EXPORT Matrix make_affine(int axes, const std::vector<double>& spacing,
                                  const std::vector<double>& origin, const Matrix& direction);

// What make_affine() makes an affine of.
struct AffineParts {
  std::vector<double> spacing;
  std::vector<double> origin;
  Matrix direction;  // column j is the direction of axis j; not orthogonal where M has shear
};
// Empty where no parts give the affine: a last row other than 0 ... 0 1, a number that is not
// finite, or an axis of length 0, which has no direction.
// Errors: invalid_value for a matrix that is not square or is empty.
MLARRAY_EXPORT std::optional<AffineParts> affine_parts(const Matrix& affine);

// The parts of an affine M | t, M being n x n.
// Errors of all: invalid_value for a matrix that is not square or is empty.
MLARRAY_EXPORT std::vector<double> affine_translation(const Matrix& affine);  // t
// Length of each column of M.
MLARRAY_EXPORT std::vector<double> affine_scale(const Matrix& affine);
// M with its columns divided by the scale: orthonormal only where M has no shear. NaN in the
// column of an axis of scale 0.
MLARRAY_EXPORT Matrix affine_rotation(const Matrix& affine);
// rotation^T * M with row i divided by scale[i]: the unit matrix where M has no shear.
MLARRAY_EXPORT Matrix affine_shear(const Matrix& affine);

}  // namespace mlarray
