#include "mlarray/affine.hpp"

#include <cmath>
#include <cstddef>
#include <string>

#include "metadata/rules.hpp"
#include "mlarray/error.hpp"

namespace mlarray {
namespace {

void require_length(const char* what, std::size_t found, std::size_t expected) {
  if (found != expected) {
    throw metadata::wrong_length("spatial." + std::string(what), "a list", found, expected,
                                 "spatial");
  }
}

// Number of spatial axes of a checked affine.
std::size_t axes_of(const Matrix& affine) {
  bool square = !affine.empty();
  for (const auto& row : affine) square = square && row.size() == affine.size();
  if (!square) {
    throw Error(ErrorKind::invalid_value,
                "affine: expected a square matrix of (axes + 1) x (axes + 1) numbers");
  }
  return affine.size() - 1;
}

// Where squares overflow or vanish, they are taken of what is left without the common exponent.
double column_length(const Matrix& affine, std::size_t column, std::size_t n) {
  double sum = 0.0;
  double largest = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    sum += affine[i][column] * affine[i][column];
    largest = std::fmax(largest, std::fabs(affine[i][column]));
  }
  const bool safe = sum > 1e-280 && sum < 1e300;
  if (safe || largest == 0.0 || std::isnan(sum) || std::isinf(largest)) return std::sqrt(sum);
  const int exponent = std::ilogb(largest);
  sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const double item = std::scalbn(affine[i][column], -exponent);
    sum += item * item;
  }
  return std::scalbn(std::sqrt(sum), exponent);
}

}  // namespace

Matrix make_affine(int axes, const std::vector<double>& spacing,
                   const std::vector<double>& origin, const Matrix& direction) {
  if (axes < 0) throw Error(ErrorKind::invalid_value, "affine: number of axes below 0");
  const auto n = static_cast<std::size_t>(axes);
  if (!spacing.empty()) require_length("spacing", spacing.size(), n);
  if (!origin.empty()) require_length("origin", origin.size(), n);
  if (!direction.empty()) {
    require_length("direction", direction.size(), n);
    for (const auto& row : direction) require_length("direction", row.size(), n);
  }
  Matrix affine(n + 1, std::vector<double>(n + 1, 0.0));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const double cosine = direction.empty() ? (i == j ? 1.0 : 0.0) : direction[i][j];
      affine[i][j] = cosine == 0.0 ? 0.0 : cosine * (spacing.empty() ? 1.0 : spacing[j]);
    }
    affine[i][n] = origin.empty() ? 0.0 : origin[i];
  }
  affine[n][n] = 1.0;
  return affine;
}

std::optional<AffineParts> affine_parts(const Matrix& affine) {
  const std::size_t n = axes_of(affine);
  for (std::size_t i = 0; i <= n; ++i) {
    for (std::size_t j = 0; j <= n; ++j) {
      if (!std::isfinite(affine[i][j])) return std::nullopt;
    }
    if (affine[n][i] != (i == n ? 1.0 : 0.0)) return std::nullopt;
  }
  AffineParts parts{affine_scale(affine), affine_translation(affine), affine_rotation(affine)};
  for (const double length : parts.spacing) {
    if (length == 0.0 || !std::isfinite(length)) return std::nullopt;
  }
  return parts;
}

std::vector<double> affine_translation(const Matrix& affine) {
  const std::size_t n = axes_of(affine);
  std::vector<double> translation(n);
  for (std::size_t i = 0; i < n; ++i) translation[i] = affine[i][n];
  return translation;
}

std::vector<double> affine_scale(const Matrix& affine) {
  const std::size_t n = axes_of(affine);
  std::vector<double> scale(n);
  for (std::size_t j = 0; j < n; ++j) scale[j] = column_length(affine, j, n);
  return scale;
}

Matrix affine_rotation(const Matrix& affine) {
  const std::size_t n = axes_of(affine);
  const std::vector<double> scale = affine_scale(affine);
  Matrix rotation(n, std::vector<double>(n));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) rotation[i][j] = affine[i][j] / scale[j];
  }
  return rotation;
}

Matrix affine_shear(const Matrix& affine) {
  const std::size_t n = axes_of(affine);
  const std::vector<double> scale = affine_scale(affine);
  const Matrix rotation = affine_rotation(affine);
  Matrix shear(n, std::vector<double>(n));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0.0;
      for (std::size_t k = 0; k < n; ++k) sum += rotation[k][i] * affine[k][j];
      shear[i][j] = sum / scale[i];
    }
  }
  return shear;
}

}  // namespace mlarray
