// Which pipelines and draws are refused.
#include "augment/checks.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <variant>

#include "augment/elastic.hpp"
#include "augment/fields.hpp"
#include "augment/labels.hpp"
#include "augment/median.hpp"
#include "base/text.hpp"

namespace mlarray::augment {
namespace {

constexpr double kTiny = std::numeric_limits<double>::min();
constexpr double kHuge = std::numeric_limits<float>::max();
constexpr double kWidestBlur = 100;      // sigma
constexpr double kMostVoxels = 1 << 20;  // voxels
// No draw is further from the mean: 53 random bits reach 8.6 deviations.
constexpr double kMostDeviations = 9;

// Between which the numbers of a range lie; those that are not named are above 0.
struct Limits {
  std::string_view name;
  double least, most;
};
constexpr std::array<Limits, 13> kLimits = {{
    {"rotation", -kHuge, kHuge},
    {"shear", -100, 100},
    {"translation", -kMostVoxels, kMostVoxels},
    {"elastic_spacing", kLeastSpacing, kMostVoxels},
    {"elastic_magnitude", 0, kMostVoxels},
    {"sigma", 0, kHuge},
    {"scale", kTiny, 1},
    {"strength", 0, kHuge},
    {"shift", -kHuge, kHuge},
    {"value", -kHuge, kHuge},
    {"count", 0, 1000},
    {"share", kTiny, 1},
    {"size", 1, kLargestMedian + 1},
}};
constexpr Limits kRadius = {"radius", 0, kLargestRadius};

Limits limits_of(std::string_view name) {
  if (name == kRadius.name) return kRadius;
  for (const Limits& one : kLimits) {
    if (one.name == name) return one;
  }
  return {name, kTiny, kHuge};
}

std::string in_words(const Limits& limits) {
  std::string text;
  if (limits.least == kTiny) text += ", above 0";
  if (limits.least > -kHuge && limits.least != kTiny) {
    text += ", from " + base::float_repr(limits.least) + " on";
  }
  if (limits.most < kHuge) text += ", up to " + base::float_repr(limits.most);
  return text;
}

struct Checker {
  std::string where;
  double most_sigma = kHuge;

  std::string at(std::string_view name) const {
    return where.empty() ? std::string(name) : where + "." + std::string(name);
  }
  void operator()(std::string_view name, double value) const {
    if (name == "image_fill") return;
    if (!(value >= 0 && value <= 1)) {
      refuse(ErrorKind::invalid_value, at(name),
             "is " + base::float_repr(value) + "; a probability from 0 to 1 is needed");
    }
  }
  void operator()(std::string_view name, const Range& range) const {
    Limits limits = limits_of(name);
    if (name == "sigma") limits.most = most_sigma;
    const bool finite = std::isfinite(range.low) && std::isfinite(range.high);
    if (range.law == Range::Law::normal) {
      if (limits.least > -1 || !finite || range.high < 0) {
        refuse(
            ErrorKind::invalid_value, at(name),
            "is normal with mean " + base::float_repr(range.low) + " and deviation " +
                base::float_repr(range.high) +
                (limits.least > -1 ? "; only numbers that may be below 0 can be normal"
                                   : "; finite numbers, the deviation from 0 on, are needed"));
      }
      if (std::abs(range.low) + kMostDeviations * range.high > limits.most) {
        refuse(ErrorKind::invalid_value, at(name),
               "is normal with mean " + base::float_repr(range.low) + " and deviation " +
                   base::float_repr(range.high) + "; nine deviations may reach " +
                   base::float_repr(limits.most) + " at most");
      }
      return;
    }
    if (!finite || range.low > range.high || range.low < limits.least ||
        range.high > limits.most) {
      refuse(ErrorKind::invalid_value, at(name),
             "is from " + base::float_repr(range.low) + " to " + base::float_repr(range.high) +
                 "; two finite numbers, the lower one first" + in_words(limits) +
                 ", are needed");
    }
    if (name == "size" && range.low > kLargestMedian) {
      refuse(ErrorKind::invalid_value, at(name),
             "begins at " + base::float_repr(range.low) + "; windows have up to " +
                 std::to_string(kLargestMedian) + " voxels");
    }
    if (range.law == Range::Law::halves && range.high < 1) {
      refuse(ErrorKind::invalid_value, at(name),
             "goes up to " + base::float_repr(range.high) +
                 "; \"halves\" needs a number of 1 or above");
    }
  }
  template <class T>
  void operator()(std::string_view, const T&) const {}
};

void check_axes(const std::vector<std::int64_t>& axes, const std::string& where,
                std::size_t count) {
  for (const std::int64_t axis : axes) {
    if (axis < 0 || axis >= static_cast<std::int64_t>(count)) {
      refuse(ErrorKind::invalid_value, where,
             "has axis " + std::to_string(axis) + "; the patch has axes 0 to " +
                 std::to_string(count - 1));
    }
    if (std::count(axes.begin(), axes.end(), axis) > 1) {
      refuse(ErrorKind::invalid_value, where, "has axis " + std::to_string(axis) + " twice");
    }
  }
}

void check_label(std::int64_t label, const std::string& where) {
  if (label < std::numeric_limits<std::int16_t>::min() ||
      label > std::numeric_limits<std::int16_t>::max()) {
    refuse(ErrorKind::invalid_value, where,
           "has label " + std::to_string(label) + "; labels are from -32768 to 32767");
  }
}

void check_sizes(const Pipeline& pipeline) {
  constexpr std::int64_t kLongest = 1 << 20;
  const std::size_t axes = pipeline.patch.size();
  if ((axes != 2 && axes != 3) || pipeline.initial.size() != axes) {
    refuse(ErrorKind::invalid_value, "patch",
           "is " + to_string(pipeline.patch) + " and initial " + to_string(pipeline.initial) +
               "; both need two lengths, or both three");
  }
  for (const Shape* shape : {&pipeline.patch, &pipeline.initial}) {
    for (const std::int64_t length : *shape) {
      if (length < 1 || length > kLongest) {
        refuse(
            ErrorKind::invalid_value, shape == &pipeline.patch ? "patch" : "initial",
            "is " + to_string(*shape) + "; lengths are from 1 to " + std::to_string(kLongest));
      }
    }
    if (element_count(*shape) > std::numeric_limits<std::int32_t>::max()) {
      refuse(ErrorKind::invalid_value, shape == &pipeline.patch ? "patch" : "initial",
             "is " + to_string(*shape) + "; the limit is 2^31 - 1 voxels");
    }
  }
  if (pipeline.spatial.planar && axes == 3 && pipeline.patch[0] != pipeline.initial[0]) {
    refuse(ErrorKind::invalid_value, "initial",
           "is " + to_string(pipeline.initial) + "; a planar transform of the patch " +
               to_string(pipeline.patch) + " needs the same first length");
  }
}

void check_lengths(const std::vector<std::int64_t>& axes, const std::string& where,
                   const Pipeline& pipeline) {
  for (const std::int64_t axis : axes) {
    const std::int64_t first = pipeline.patch[static_cast<std::size_t>(axes[0])];
    if (pipeline.patch[static_cast<std::size_t>(axis)] != first) {
      refuse(ErrorKind::invalid_value, where,
             "has axes of different length of the patch " + to_string(pipeline.patch) +
                 "; only such of one length can be exchanged: name others, or set the "
                 "probability to 0");
    }
    if (pipeline.spatial.planar && axis == 0 && pipeline.patch.size() == 3) {
      refuse(ErrorKind::invalid_value, where,
             "has axis 0, which a planar transform leaves alone");
    }
  }
}

void check_spatial(const Pipeline& pipeline) {
  const Spatial& spatial = pipeline.spatial;
  const std::size_t axes = pipeline.patch.size();
  if (spatial.p_rot90 > 0) {
    check_axes(spatial.rot90_axes, "spatial.rot90_axes", axes);
    if (spatial.rot90_axes.size() != 2) {
      refuse(ErrorKind::invalid_value, "spatial.rot90_axes",
             "has " + std::to_string(spatial.rot90_axes.size()) + " axes; two are needed");
    }
    check_lengths(spatial.rot90_axes, "spatial.rot90_axes", pipeline);
  }
  check_axes(spatial.swap_axes, "spatial.swap_axes", axes);
  if (spatial.p_swap > 0) check_lengths(spatial.swap_axes, "spatial.swap_axes", pipeline);
  std::int64_t points = spatial.p_elastic > 0 ? 1 : 0;
  for (const std::int64_t length : pipeline.patch) {
    points *= points_along(length, spatial.elastic_spacing.low);
  }
  if (points > kMostPoints) {
    refuse(ErrorKind::invalid_value, "spatial.elastic_spacing",
           "goes down to " + base::float_repr(spatial.elastic_spacing.low) + ", which makes " +
               std::to_string(points) + " control points; the limit is " +
               std::to_string(kMostPoints));
  }
  if (!std::isfinite(spatial.image_fill)) {
    refuse(ErrorKind::invalid_value, "spatial.image_fill",
           "is " + base::float_repr(spatial.image_fill) + "; a finite number is needed");
  }
}

void check_labels(const Labels& labels, std::size_t axes, const Shape& patch) {
  Checker checker{"labels.cascade"};
  Cascade cascade = labels.cascade;
  fields(checker, cascade);
  if (!std::isfinite(labels.masked_value)) {
    refuse(ErrorKind::invalid_value, "labels.masked_value",
           "is " + base::float_repr(labels.masked_value) + "; a finite number is needed");
  }
  for (const auto& pair : labels.remove) {
    for (const std::int64_t label : pair) check_label(label, "labels.remove");
  }
  for (const std::int64_t channel : labels.masked_channels) {
    if (channel < 0) {
      refuse(ErrorKind::invalid_value, "labels.masked_channels",
             "has channel " + std::to_string(channel) + "; they count from 0");
    }
  }
  for (const std::int64_t label : labels.previous) check_label(label, "labels.previous");
  for (const auto& region : labels.regions) {
    for (const std::int64_t label : region) check_label(label, "labels.regions");
  }
  for (std::size_t k = 0; k < labels.scales.size(); ++k) {
    const std::string where = "labels.scales[" + std::to_string(k) + "]";
    const std::vector<double>& factors = labels.scales[k];
    if (factors.size() != axes) {
      refuse(ErrorKind::invalid_value, where,
             "has " + std::to_string(factors.size()) + " factors; the patch has " +
                 std::to_string(axes) + " axes");
    }
    for (std::size_t axis = 0; axis < axes; ++axis) {
      if (!(factors[axis] > 0 && factors[axis] <= 1) ||
          scaled_length(patch[axis], factors[axis]) < 1) {
        refuse(ErrorKind::invalid_value, where,
               "has " + base::float_repr(factors[axis]) +
                   "; factors up to 1 that leave a voxel of " + std::to_string(patch[axis]) +
                   " are needed");
      }
    }
  }
}

// What the values of a step are, by its transform.
struct StepLimits {
  double least, most;
  bool each_axis;
};
StepLimits step_limits(const Intensity& transform) {
  if (std::holds_alternative<LowResolution>(transform)) return {kTiny, 1, true};
  if (std::holds_alternative<GaussianBlur>(transform)) return {0, kWidestBlur, true};
  if (std::holds_alternative<MedianFilter>(transform)) return {1, kLargestMedian, false};
  const bool below = std::holds_alternative<BrightnessAdditive>(transform) ||
                     std::holds_alternative<BlankRectangle>(transform);
  return {below ? -kHuge : 0, kHuge, false};
}

void check_box(const Drawn::Step& step, const Shape& patch) {
  const std::size_t axes = patch.size();
  bool fits = step.box.size() == 2 * axes;
  for (std::size_t a = 0; fits && a < axes; ++a) {
    fits =
        step.box[a] >= 0 && step.box[a] < step.box[axes + a] && step.box[axes + a] <= patch[a];
  }
  if (fits) return;
  misfit("a step of transform " + std::to_string(step.transform) + " has the box " +
         to_string(step.box) + "; start and stop inside the patch " + to_string(patch) +
         " are needed");
}

// A warp in the plane leaves the first axis alone: of another pipeline's matrix, voxels outside
// of the plane would be read.
void check_matrix(const std::array<double, 9>& m, bool planar) {
  for (const double value : m) {
    if (!(std::abs(value) <= kHuge)) {
      misfit("the matrix has " + base::float_repr(value) + "; finite numbers are needed");
    }
  }
  if (!planar || (m[0] == 1 && m[1] == 0 && m[2] == 0 && m[3] == 0 && m[6] == 0)) return;
  misfit(
      "the matrix turns or scales the first axis, which this pipeline leaves alone: its first "
      "row and column must be 1, 0, 0; was it drawn by another pipeline?");
}

void check_elastic(const Drawn::Elastic& elastic, std::size_t axes) {
  bool fits = elastic.points.size() == axes;
  for (const std::int64_t n : elastic.points) fits = fits && (n == 1 || (n >= 4 && n <= 1024));
  if (!fits || element_count(elastic.points) > kMostPoints) {
    misfit("elastic has points " + to_string(elastic.points) + "; " + std::to_string(axes) +
           " numbers, 1 or from 4 to 1024, and at most " + std::to_string(kMostPoints) +
           " points are needed");
  }
  const auto wanted = static_cast<std::size_t>(element_count(elastic.points)) * axes;
  if (elastic.offsets.size() != wanted) {
    misfit("elastic has " + std::to_string(elastic.offsets.size()) + " offsets; " +
           std::to_string(wanted) + " are needed");
  }
  for (const double offset : elastic.offsets) {
    if (!(std::abs(offset) <= kMostVoxels)) {
      misfit("elastic has the offset " + base::float_repr(offset) + "; the limit is " +
             base::float_repr(kMostVoxels) + " voxels");
    }
  }
}

}  // namespace

void refuse(ErrorKind kind, const std::string& where, const std::string& what) {
  throw Error(kind, (where.empty() ? "the pipeline" : where) + " " + what);
}

void misfit(const std::string& message) { throw Error(ErrorKind::invalid_value, message); }

void check_place(const Pipeline& pipeline, const Drawn& drawn) {
  const std::size_t axes = pipeline.patch.size();
  const auto count = static_cast<std::int64_t>(axes);
  for (const std::int64_t axis : drawn.flips) {
    if (axis < 0 || axis >= count) {
      misfit("flips has axis " + std::to_string(axis) + "; the patch has axes 0 to " +
             std::to_string(count - 1));
    }
  }
  const bool planar = axes == 3 && pipeline.spatial.planar;
  if (drawn.matrix) check_matrix(*drawn.matrix, planar);
  for (std::size_t i = 0; i < 3; ++i) {
    const double shift = drawn.shift[i];
    const bool free = i >= 3 - axes && !(planar && i == 0);
    if (!(std::abs(shift) <= (free ? kMostVoxels : 0))) {
      misfit("shift has " + base::float_repr(shift) + " along axis " + std::to_string(i) +
             " of three; the limit is " + base::float_repr(free ? kMostVoxels : 0));
    }
  }
  if (!drawn.axes.empty()) {
    bool fits = drawn.axes.size() == axes;
    for (std::size_t i = 0; fits && i < axes; ++i) {
      const std::int64_t axis = drawn.axes[i];
      fits = axis >= 0 && axis < count &&
             std::count(drawn.axes.begin(), drawn.axes.end(), axis) == 1 &&
             pipeline.patch[static_cast<std::size_t>(axis)] == pipeline.patch[i] &&
             !(planar && i == 0 && axis != 0);
    }
    if (!fits) {
      misfit("axes is " + to_string(drawn.axes) + "; an order of the axes of the patch " +
             to_string(pipeline.patch) + " that keeps its shape" +
             (planar ? ", and its first axis," : "") + " is needed");
    }
  }
  if (drawn.elastic) check_elastic(*drawn.elastic, axes);
}

void check_changes(const Pipeline& pipeline, const Drawn& drawn, std::int64_t channels) {
  const auto transforms = static_cast<std::int64_t>(pipeline.intensity.size());
  for (const Drawn::Step& step : drawn.steps) {
    if (step.transform < 0 || step.transform >= transforms || step.channel < 0 ||
        step.channel >= channels) {
      misfit("a step is for transform " + std::to_string(step.transform) + " and channel " +
             std::to_string(step.channel) + "; there are " + std::to_string(transforms) +
             " transforms and " + std::to_string(channels) + " channels");
    }
    const Intensity& transform = pipeline.intensity[static_cast<std::size_t>(step.transform)];
    const StepLimits limits = step_limits(transform);
    for (std::size_t i = 0; i < (limits.each_axis ? pipeline.patch.size() : 1); ++i) {
      const double value = step.values[i];
      if (value >= limits.least && value <= limits.most) continue;
      misfit("a step of transform " + std::to_string(step.transform) + " has the value " +
             base::float_repr(value) + "; numbers from " + base::float_repr(limits.least) +
             " to " + base::float_repr(limits.most) + " are needed");
    }
    if (std::holds_alternative<BlankRectangle>(transform)) check_box(step, pipeline.patch);
  }
  const auto labels = static_cast<std::int64_t>(pipeline.labels.previous.size());
  for (const Drawn::Change& change : drawn.cascade) {
    const bool removes = change.what == Drawn::Change::What::remove;
    const double most = removes ? 1 : kLargestRadius;
    if (change.label < 0 || change.label >= labels || change.other < -1 ||
        change.other >= labels || !(change.value >= 0 && change.value <= most)) {
      misfit("cascade has label " + std::to_string(change.label) + ", other " +
             std::to_string(change.other) + " and value " + base::float_repr(change.value) +
             "; there are " + std::to_string(labels) +
             " labels of an earlier stage, and values are from 0 to " + base::float_repr(most));
    }
  }
}

void check(const Pipeline& pipeline) {
  check_sizes(pipeline);
  Spatial spatial = pipeline.spatial;
  Checker checker{"spatial"};
  fields(checker, spatial);
  check_spatial(pipeline);
  for (std::size_t i = 0; i < pipeline.intensity.size(); ++i) {
    checker.where = "intensity[" + std::to_string(i) + "]";
    Intensity copy = pipeline.intensity[i];
    // A blur reads as far as that; noise has the size that images have.
    const bool blurs = std::holds_alternative<GaussianBlur>(copy);
    checker.most_sigma = blurs ? kWidestBlur : kHuge;
    std::visit([&](auto& t) { fields(checker, t); }, copy);
    if (const auto* low = std::get_if<LowResolution>(&copy)) {
      check_axes(low->fixed_axes, checker.at("fixed_axes"), pipeline.patch.size());
    }
  }
  Checker{}("p_mirror", pipeline.p_mirror);
  check_axes(pipeline.mirror_axes, "mirror_axes", pipeline.patch.size());
  check_labels(pipeline.labels, pipeline.patch.size(), pipeline.patch);
}

}  // namespace mlarray::augment
