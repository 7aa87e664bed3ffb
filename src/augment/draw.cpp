#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>

#include "augment/elastic.hpp"
#include "augment/geometry.hpp"
#include "mlarray/augment/pipeline.hpp"
#include "mlarray/error.hpp"
#include "mlarray/random.hpp"

namespace mlarray::augment {
namespace {

using Matrix = std::array<double, 9>;

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 3; ++k) c[3 * i + j] += a[3 * i + k] * b[3 * k + j];
    }
  }
  return c;
}

// What each part is drawn from, so that one that is switched on does not shift the others.
enum : std::uint64_t {
  kNoise = 0,
  kMatrix = 1,
  kMirror = 2,
  kFirstTransform = 3,
  kShear = std::uint64_t{1} << 32,
  kTranslation,
  kElastic,
  kCrop,
  kQuarterTurns,
  kSwap,
  kCascade,
};

double value_of(const Range& range, Random& random) {
  if (range.law == Range::Law::normal) return range.low + range.high * random.normal();
  if (range.law == Range::Law::halves) {
    if (random.chance(0.5) && range.low < 1) return random.uniform(range.low, 1);
    return random.uniform(std::max(range.low, 1.0), range.high);
  }
  return random.uniform(range.low, range.high);
}

// Rotation around the first, second and third axis, in this order, after scaling and shear.
Matrix turned(const std::array<double, 3>& angles, const Matrix& shear,
              const std::array<double, 3>& scales) {
  const auto [a, b, c] = angles;
  const Matrix first = {1, 0, 0, 0, std::cos(a), -std::sin(a), 0, std::sin(a), std::cos(a)};
  const Matrix second = {std::cos(b), 0, std::sin(b), 0, 1, 0, -std::sin(b), 0, std::cos(b)};
  const Matrix third = {std::cos(c), -std::sin(c), 0, std::sin(c), std::cos(c), 0, 0, 0, 1};
  const Matrix stretched = {scales[0], 0, 0, 0, scales[1], 0, 0, 0, scales[2]};
  return product(third, product(second, product(first, product(shear, stretched))));
}

std::optional<Matrix> draw_matrix(const Pipeline& pipeline, Random random, Random more) {
  const Spatial& spatial = pipeline.spatial;
  const bool turn = random.chance(spatial.p_rotation);
  const bool scale = random.chance(spatial.p_scaling);
  const bool slant = more.chance(spatial.p_shear);
  if (!turn && !scale && !slant) return std::nullopt;
  const bool plane = pipeline.patch.size() == 2 || spatial.planar;
  std::array<double, 3> angles{};
  std::array<double, 3> scales = {1, 1, 1};
  if (turn) {
    for (std::size_t i = 0; i < (plane ? 1U : 3U); ++i) {
      angles[i] = value_of(spatial.rotation, random);
    }
  }
  if (scale) {
    const double same = value_of(spatial.scaling, random);
    for (std::size_t i = plane ? 1 : 0; i < 3; ++i) {
      scales[i] = spatial.same_scale ? same : value_of(spatial.scaling, random);
    }
  }
  Matrix shear = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  if (slant) {
    for (std::size_t i = plane ? 1 : 0; i < 3; ++i) {
      for (std::size_t j = plane ? 1 : 0; j < 3; ++j) {
        if (i != j) shear[3 * i + j] = value_of(spatial.shear, more);
      }
    }
  }
  return turned(angles, shear, scales);
}

// Translation and crop.
std::array<double, 3> draw_shift(const Pipeline& pipeline, Random random, Random crop) {
  const Spatial& spatial = pipeline.spatial;
  std::array<double, 3> shift{};
  const std::size_t skipped = 3 - pipeline.patch.size();
  const std::size_t first = spatial.planar && skipped == 0 ? 1 : skipped;
  if (random.chance(spatial.p_translation)) {
    for (std::size_t i = first; i < 3; ++i) shift[i] = value_of(spatial.translation, random);
  }
  if (spatial.random_crop) {
    for (std::size_t i = first; i < 3; ++i) {
      const std::int64_t patch = pipeline.patch[i - skipped];
      const std::int64_t initial = pipeline.initial[i - skipped];
      if (initial <= patch) continue;
      const auto start = crop.below(static_cast<std::uint64_t>(initial - patch + 1));
      shift[i] += static_cast<double>(start) - static_cast<double>(initial / 2 - patch / 2);
    }
  }
  return shift;
}

std::optional<Drawn::Elastic> draw_elastic(const Pipeline& pipeline, Random random) {
  const Spatial& spatial = pipeline.spatial;
  if (!random.chance(spatial.p_elastic)) return std::nullopt;
  const double spacing = value_of(spatial.elastic_spacing, random);
  const double magnitude = value_of(spatial.elastic_magnitude, random);
  Drawn::Elastic elastic;
  const std::size_t axes = pipeline.patch.size();
  const bool planar = spatial.planar && axes == 3;
  for (std::size_t i = 0; i < axes; ++i) {
    elastic.points.push_back(planar && i == 0 ? 1 : points_along(pipeline.patch[i], spacing));
  }
  const std::int64_t count = element_count(elastic.points);
  for (std::size_t i = 0; i < axes; ++i) {
    for (std::int64_t k = 0; k < count; ++k) {
      const bool still = (planar && i == 0) || pipeline.patch[i] == 1;
      elastic.offsets.push_back(still ? 0 : random.uniform(-magnitude, magnitude));
    }
  }
  return elastic;
}

// Quarter turns, exchanged axes and flips, as numpy.transpose and then numpy.flip.
void draw_order(const Pipeline& pipeline, const Random& random, Drawn& drawn) {
  const Spatial& spatial = pipeline.spatial;
  const std::size_t axes = pipeline.patch.size();
  std::vector<std::int64_t> order(axes);
  std::iota(order.begin(), order.end(), 0);
  std::vector<bool> flips(axes);
  Random swap = random.split(kSwap);
  if (swap.chance(spatial.p_swap)) {
    const std::vector<std::int64_t>& list = spatial.swap_axes;
    for (std::size_t i = list.size(); i > 1; --i) {
      const auto j = static_cast<std::size_t>(swap.below(i));
      std::swap(order[static_cast<std::size_t>(list[i - 1])],
                order[static_cast<std::size_t>(list[j])]);
    }
  }
  Random turns = random.split(kQuarterTurns);
  if (turns.chance(spatial.p_rot90)) {
    const auto a = static_cast<std::size_t>(spatial.rot90_axes[0]);
    const auto b = static_cast<std::size_t>(spatial.rot90_axes[1]);
    const std::uint64_t quarters = 1 + turns.below(3);
    if (quarters != 2) std::swap(order[a], order[b]);
    flips[a] = quarters != 3;
    flips[b] = quarters != 1;
  }
  Random mirror = random.split(kMirror);
  for (const std::int64_t axis : pipeline.mirror_axes) {
    const auto i = static_cast<std::size_t>(axis);
    if (mirror.chance(pipeline.p_mirror)) flips[i] = !flips[i];
  }
  if (!std::is_sorted(order.begin(), order.end())) drawn.axes = order;
  for (std::size_t i = 0; i < axes; ++i) {
    if (flips[i]) drawn.flips.push_back(static_cast<std::int64_t>(i));
  }
}

// Some of the labels of an earlier stage, in random order.
std::vector<std::int64_t> some_labels(std::int64_t count, double probability, Random& random) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[static_cast<std::size_t>(random.below(i))]);
  }
  std::erase_if(order, [&](std::int64_t) { return !random.chance(probability); });
  return order;
}

void draw_cascade(const Labels& labels, Random random, Drawn& drawn) {
  const auto count = static_cast<std::int64_t>(labels.previous.size());
  const Cascade& cascade = labels.cascade;
  if (count == 0) return;
  if (random.chance(cascade.p_operator)) {
    for (const std::int64_t label : some_labels(count, cascade.p_operator_label, random)) {
      const auto what = static_cast<Drawn::Change::What>(random.below(4));
      drawn.cascade.push_back({what, label, value_of(cascade.radius, random), -1});
    }
  }
  if (random.chance(cascade.p_remove_component)) {
    for (const std::int64_t label :
         some_labels(count, cascade.p_remove_component_label, random)) {
      Drawn::Change change{Drawn::Change::What::remove, label, random.uniform(), -1};
      if (random.chance(cascade.p_fill_other) && count > 1) {
        const auto other =
            static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(count - 1)));
        change.other = other + (other >= label ? 1 : 0);
      }
      drawn.cascade.push_back(change);
    }
  }
}

// Draws of one transform: what its fields have in common, and then values of each channel.
class Draws {
 public:
  Draws(const Shape& patch, std::int64_t channels, std::int64_t transform, Random random,
        std::vector<Drawn::Step>& steps)
      : patch_(patch),
        axes_(patch.size()),
        channels_(channels),
        transform_(transform),
        random_(random),
        steps_(steps) {}

  void operator()(const GaussianNoise& t) {
    each(t, [&] { return one(t.sigma); });
  }
  void operator()(const GaussianBlur& t) {
    each(t, [&] { return along_axes(t.sigma, t.same_axes); });
  }
  void operator()(const Brightness& t) {
    each(t, [&] { return one(t.factor); });
  }
  void operator()(const Contrast& t) {
    each(t, [&] { return one(t.factor); });
  }
  void operator()(const LowResolution& t) {
    each(t, [&] {
      Values values = along_axes(t.scale, t.same_axes);
      for (double& value : values) value = static_cast<double>(static_cast<float>(value));
      for (const std::int64_t axis : t.fixed_axes) values[static_cast<std::size_t>(axis)] = 1;
      return values;
    });
  }
  void operator()(const RicianNoise& t) {
    each(t, [&] { return one(t.sigma); });
  }
  void operator()(const Sharpening& t) {
    each(t, [&] { return one(t.strength); });
  }
  void operator()(const BrightnessAdditive& t) {
    each(t, [&] { return one(t.shift); });
  }
  void operator()(const MedianFilter& t) {
    each(t, [&] { return Values{std::floor(value_of(t.size, random_)), 0, 0}; });
  }
  // Boxes that are drawn once for all channels are the same boxes.
  void operator()(const BlankRectangle& t) {
    const std::size_t first = steps_.size();
    each(t, [&] { return Values{}; });
    std::vector<Drawn::Step> chosen(steps_.begin() + static_cast<std::ptrdiff_t>(first),
                                    steps_.end());
    steps_.resize(first);
    std::vector<Drawn::Step> boxes;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      if (i == 0 || !t.same_channels) boxes = rectangles(t);
      for (Drawn::Step& box : boxes) {
        box.channel = chosen[i].channel;
        steps_.push_back(box);
      }
    }
  }
  void operator()(const Gamma& t) {
    const std::size_t before = steps_.size();
    each(t, [&] { return one(t.gamma); });
    for (std::size_t i = before; i < steps_.size(); ++i) {
      steps_[i].keep_stats = random_.chance(t.p_keep_stats);
      steps_[i].invert = random_.chance(t.p_invert);
    }
  }

 private:
  using Values = std::array<double, 3>;

  Values one(const Range& range) { return {value_of(range, random_), 0, 0}; }
  Values along_axes(const Range& range, bool same) {
    Values values{};
    const double first = value_of(range, random_);
    for (std::size_t i = 0; i < axes_; ++i) {
      values[i] = same || i == 0 ? first : value_of(range, random_);
    }
    return values;
  }
  std::vector<Drawn::Step> rectangles(const BlankRectangle& t) {
    const auto count = static_cast<std::int64_t>(value_of(t.count, random_));
    std::vector<Drawn::Step> boxes;
    for (std::int64_t k = 0; k < count; ++k) {
      Drawn::Step step{transform_, 0, one(t.value)};
      const Values shares = along_axes(t.share, t.same_axes);
      std::vector<std::int64_t> stop;
      for (std::size_t a = 0; a < axes_; ++a) {
        const auto wanted = std::nearbyint(shares[a] * static_cast<double>(patch_[a]));
        const auto size =
            std::clamp<std::int64_t>(static_cast<std::int64_t>(wanted), 1, patch_[a]);
        const auto room = static_cast<std::uint64_t>(patch_[a] - size + 1);
        step.box.push_back(static_cast<std::int64_t>(random_.below(room)));
        stop.push_back(step.box.back() + size);
      }
      step.box.insert(step.box.end(), stop.begin(), stop.end());
      boxes.push_back(std::move(step));
    }
    return boxes;
  }
  template <class T, class F>
  void each(const T& transform, const F& values) {
    if (!random_.chance(transform.p)) return;
    std::optional<Values> same;
    for (std::int64_t channel = 0; channel < channels_; ++channel) {
      if (!random_.chance(transform.p_channel)) continue;
      if (!same || !transform.same_channels) same = values();
      steps_.push_back({transform_, channel, *same});
    }
  }

  const Shape& patch_;
  std::size_t axes_;
  std::int64_t channels_, transform_;
  Random random_;
  std::vector<Drawn::Step>& steps_;
};

}  // namespace

Drawn draw(const Pipeline& pipeline, std::uint64_t seed, std::int64_t channels) {
  check(pipeline);
  constexpr std::int64_t kMostChannels = 1 << 20;
  if (channels < 0 || channels > kMostChannels) {
    throw Error(ErrorKind::invalid_value, "channels is " + std::to_string(channels) +
                                              "; it is from 0 to " +
                                              std::to_string(kMostChannels));
  }
  const Random random(seed);
  Drawn drawn;
  drawn.seed = Random(random.split(kNoise)).next();
  drawn.matrix = draw_matrix(pipeline, random.split(kMatrix), random.split(kShear));
  drawn.shift = draw_shift(pipeline, random.split(kTranslation), random.split(kCrop));
  drawn.elastic = draw_elastic(pipeline, random.split(kElastic));
  draw_order(pipeline, random, drawn);
  for (std::size_t i = 0; i < pipeline.intensity.size(); ++i) {
    Draws draws(pipeline.patch, channels, static_cast<std::int64_t>(i),
                random.split(kFirstTransform + i), drawn.steps);
    std::visit(draws, pipeline.intensity[i]);
  }
  draw_cascade(pipeline.labels, random.split(kCascade), drawn);
  return drawn;
}

}  // namespace mlarray::augment
