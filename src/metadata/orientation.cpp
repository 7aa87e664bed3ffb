#include "mlarray/orientation.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <numeric>
#include <utility>

namespace mlarray {
namespace {

// Decreasing and increasing in RAS.
constexpr std::array<std::pair<char, char>, 3> kLetters = {
    {{'L', 'R'}, {'P', 'A'}, {'I', 'S'}}};
constexpr std::array<std::string_view, 3> kWorldLabels = {"spatial_x", "spatial_y",
                                                          "spatial_z"};
constexpr std::array<std::pair<std::string_view, char>, 6> kWords = {{{"left", 'L'},
                                                                      {"right", 'R'},
                                                                      {"posterior", 'P'},
                                                                      {"anterior", 'A'},
                                                                      {"inferior", 'I'},
                                                                      {"superior", 'S'}}};

constexpr std::string_view kBlanks = " \t\n\v\f\r";

using Column = std::vector<double>;

double product(const Column& one, const Column& other) {
  return std::inner_product(one.begin(), one.end(), other.begin(), 0.0);
}

double length(const Column& column) {
  double sum = 0;
  for (const double item : column) sum = std::hypot(sum, item);
  return sum;
}

// "left-posterior-superior": its letters; nothing if there is something else between the words.
std::optional<std::string> letters_of_words(std::string_view text) {
  std::string letters;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '-' || kBlanks.find(text[at]) != std::string_view::npos) {
      ++at;
      continue;
    }
    std::size_t length = 0;
    for (const auto& [word, letter] : kWords) {
      if (!text.substr(at).starts_with(word)) continue;
      letters += letter;
      length = word.size();
    }
    if (length == 0) return std::nullopt;
    at += length;
  }
  return letters;
}

// Turns columns p and q of U S, and those of V with them, until they are at right angles.
// False if they are.
bool turn(std::vector<Column>& turned, std::vector<Column>& basis, std::size_t p,
          std::size_t q) {
  const double a = product(turned[p], turned[p]);
  const double b = product(turned[q], turned[q]);
  const double c = product(turned[p], turned[q]);
  if (std::fabs(c) <= std::numeric_limits<double>::epsilon() * std::sqrt(a * b)) return false;
  const double half = (b - a) / (2 * c);
  const double tangent = std::copysign(1 / (std::fabs(half) + std::hypot(1.0, half)), half);
  const double cosine = 1 / std::hypot(1.0, tangent);
  for (auto* vectors : {&turned, &basis}) {
    Column& x = (*vectors)[p];
    Column& y = (*vectors)[q];
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double u = x[i];
      const double v = y[i];
      x[i] = cosine * (u - tangent * v);
      y[i] = cosine * (tangent * u + v);
    }
  }
  return true;
}

// The columns of the orthogonal matrix that is nearest to these (polar decomposition). The
// singular value decomposition behind it is by Jacobi's rotations of pairs of columns.
// Directions of singular values that are 0 are left out.
std::vector<Column> without_shear(const std::vector<Column>& columns) {
  constexpr int kRounds = 40;
  const std::size_t count = columns.size();
  std::vector<Column> turned = columns;                  // the columns of U S
  std::vector<Column> basis(count, Column(count, 0.0));  // those of V
  for (std::size_t i = 0; i < count; ++i) basis[i][i] = 1;
  bool again = true;
  for (int round = 0; again && round < kRounds; ++round) {
    again = false;
    for (std::size_t p = 0; p < count; ++p) {
      for (std::size_t q = p + 1; q < count; ++q) again = turn(turned, basis, p, q) || again;
    }
  }
  Column singular;
  for (const Column& column : turned) singular.push_back(length(column));
  const double least = *std::ranges::max_element(singular) * static_cast<double>(count) *
                       std::numeric_limits<double>::epsilon();
  std::vector<Column> nearest(count, Column(count, 0.0));
  for (std::size_t i = 0; i < count; ++i) {
    if (!(singular[i] > least)) continue;
    for (std::size_t axis = 0; axis < count; ++axis) {
      for (std::size_t row = 0; row < count; ++row) {
        nearest[axis][row] += turned[i][row] / singular[i] * basis[i][axis];
      }
    }
  }
  return nearest;
}

struct Direction {
  std::size_t row = 0;
  int sign = 1;
};

double largest(const Column& column) {
  double most = 0;
  for (const double item : column) most = std::max(most, std::fabs(item));
  return most;
}

// A row of its own for each column, with its sign; the clearest column chooses first.
std::optional<std::vector<Direction>> nearest_rows(const std::vector<Column>& columns) {
  constexpr double kNothing = 1e-8;
  std::vector<std::size_t> order(columns.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return largest(columns[a]) > largest(columns[b]);
  });
  std::vector<bool> taken(columns.size(), false);
  std::vector<Direction> chosen(columns.size());
  for (const std::size_t axis : order) {
    const Column& column = columns[axis];
    std::size_t best = columns.size();
    for (std::size_t row = 0; row < columns.size(); ++row) {
      if (taken[row]) continue;
      if (best == columns.size() || std::fabs(column[row]) > std::fabs(column[best]))
        best = row;
    }
    if (!(std::fabs(column[best]) > kNothing)) return std::nullopt;  // nothing is left for it
    chosen[axis] = {best, column[best] > 0 ? 1 : -1};
    taken[best] = true;
  }
  return chosen;
}

}  // namespace

std::string frame_letters(std::string_view coord_system) {
  const std::size_t first = coord_system.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  const std::size_t last = coord_system.find_last_not_of(kBlanks);
  std::string text(coord_system.substr(first, last - first + 1));
  for (char& letter : text) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  if (text.ends_with('+')) text.pop_back();
  if (auto letters = letters_of_words(text)) text = *std::move(letters);
  for (char& letter : text) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  }
  if (text.size() != kLetters.size()) return {};
  for (std::size_t i = 0; i < kLetters.size(); ++i) {
    if (text[i] != kLetters[i].first && text[i] != kLetters[i].second) return {};
  }
  return text;
}

WorldAxes world_axes(const std::vector<std::string>& labels, int count) {
  WorldAxes world;
  if (labels.size() == static_cast<std::size_t>(count)) {
    for (const std::string& label : labels) {
      for (int axis = 0; axis < 3; ++axis) {
        const bool named = label == kWorldLabels[static_cast<std::size_t>(axis)];
        if (named && std::ranges::count(world.axes, axis) == 0) world.axes.push_back(axis);
      }
    }
    world.named = world.axes.size() == labels.size();
  }
  if (!world.named) {
    world.axes.resize(static_cast<std::size_t>(std::max(count, 0)));
    std::iota(world.axes.begin(), world.axes.end(), 0);
  }
  return world;
}

std::optional<Orientation> orientation_of(const Matrix& affine, std::string_view coord_system,
                                          const std::vector<std::string>& labels) {
  const std::string letters = frame_letters(coord_system);
  const std::size_t count = affine_translation(affine).size();
  if (letters.empty() || count < 1 || count > kLetters.size()) return std::nullopt;
  const std::vector<int> world = world_axes(labels, static_cast<int>(count)).axes;
  // As rows x, y, z: ties are decided in this order.
  std::vector<std::size_t> rows(count);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  std::ranges::sort(rows, {}, [&](std::size_t row) { return world[row]; });
  std::vector<Column> cosines(count);
  for (std::size_t axis = 0; axis < count; ++axis) {
    for (const std::size_t row : rows) cosines[axis].push_back(affine[row][axis]);
    const double size = length(cosines[axis]);
    if (!(std::isfinite(size) && size > 0)) return std::nullopt;
    for (double& item : cosines[axis]) item /= size;
  }
  const auto best = nearest_rows(without_shear(cosines));
  if (!best) return std::nullopt;
  Orientation found;
  for (std::size_t axis = 0; axis < count; ++axis) {
    const auto [row, sign] = (*best)[axis];
    const auto of_world = static_cast<std::size_t>(world[rows[row]]);
    const auto [low, high] = kLetters[of_world];
    const char positive = letters[of_world];
    found.letters += sign > 0 ? positive : (positive == high ? low : high);
    const double cosine = std::clamp(sign * cosines[axis][row], -1.0, 1.0);
    found.degrees = std::max(found.degrees, std::acos(cosine) * 180 / std::numbers::pi);
  }
  return found;
}

std::optional<Orientation> orientation_of(const Metadata& metadata, int ndim) {
  bool known = false;
  for (const char* name : {"affine", "spacing", "origin", "direction"}) {
    known = known || !metadata.get("spatial", name).is_none();
  }
  if (!known) return std::nullopt;
  const std::vector<bool> spatial = metadata.spatial_axes(ndim);
  std::vector<std::string> labels;
  if (const List* all = metadata.get("spatial", "axis_labels").get_if<List>()) {
    for (std::size_t axis = 0; axis < all->items.size(); ++axis) {
      const auto* text = all->items[axis].get_if<std::string>();
      if (spatial[axis] && text) labels.push_back(*text);
    }
  }
  const auto* frame = metadata.get("spatial", "coord_system").get_if<std::string>();
  return orientation_of(metadata.affine(static_cast<int>(std::ranges::count(spatial, true))),
                        frame ? std::string_view(*frame) : std::string_view(), labels);
}

}  // namespace mlarray
