#include "mlarray/augment/presets.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "mlarray/error.hpp"

namespace mlarray::augment {
namespace {

// compute_initial_patch_size of nnU-Net divides by the lower end of a range of scales that is
// not the one it draws from (0.7 to 1.4).
constexpr double kLeastScale = 0.85;
constexpr double kFlat = 3;      // nnU-Net's ANISO_THRESHOLD
constexpr double kOblong = 1.5;  // two axes

double degrees(double angle) { return angle * std::numbers::pi / 180; }

bool flat(const Shape& patch) {
  const auto longest = *std::max_element(patch.begin(), patch.end());
  return patch.size() == 3 &&
         static_cast<double>(longest) > kFlat * static_cast<double>(patch[0]);
}

double angle_for(const Shape& patch, bool planar) {
  if (patch.size() == 3) return degrees(planar ? 180 : 30);
  const auto [least, most] = std::minmax_element(patch.begin(), patch.end());
  const bool oblong = static_cast<double>(*most) > kOblong * static_cast<double>(*least);
  return degrees(oblong ? 15 : 180);
}

Labels labels_for(const NnunetOptions& options) {
  Labels labels;
  labels.previous = options.previous;
  labels.regions = options.regions;
  if (!options.regions.empty() && options.ignore_label) {
    labels.regions.push_back({*options.ignore_label});
  }
  labels.scales = options.scales;
  return labels;
}

void check_patch(const Shape& patch) {
  const bool fits = (patch.size() == 2 || patch.size() == 3) &&
                    std::all_of(patch.begin(), patch.end(), [](auto n) { return n > 0; });
  if (!fits) {
    throw Error(ErrorKind::invalid_value,
                "patch is " + to_string(patch) + "; two or three lengths above 0 are needed");
  }
}

}  // namespace

Shape nnunet_initial_patch(const Shape& patch, double max_angle, bool planar) {
  check_patch(patch);
  const double angle = std::min(max_angle, std::numbers::pi / 2);
  const double c = std::cos(angle);
  const double s = std::sin(angle);
  std::vector<double> size(patch.begin(), patch.end());
  // The corner of the patch, turned around each axis alone.
  const auto turn = [&](std::size_t i, std::size_t j) {
    const auto a = static_cast<double>(patch[i]);
    const auto b = static_cast<double>(patch[j]);
    size[i] = std::max(size[i], std::abs(a * c + b * s));
    size[j] = std::max(size[j], std::abs(b * c - a * s));
  };
  if (patch.size() == 2) {
    turn(0, 1);
  } else {
    turn(1, 2);
    turn(2, 0);
    turn(0, 1);
  }
  Shape initial;
  for (const double length : size) {
    initial.push_back(static_cast<std::int64_t>(length / kLeastScale));
  }
  if (planar && patch.size() == 3) initial[0] = patch[0];
  return initial;
}

Pipeline nnunet(const NnunetOptions& options) {
  check_patch(options.patch);
  Pipeline pipeline;
  pipeline.patch = options.patch;
  const bool planar = options.patch.size() == 3 && options.planar.value_or(flat(options.patch));
  const double angle = options.max_angle.value_or(angle_for(options.patch, planar));
  pipeline.initial = options.initial.empty()
                         ? nnunet_initial_patch(options.patch, angle, planar)
                         : options.initial;

  pipeline.spatial.p_rotation = 0.2;
  pipeline.spatial.rotation = {-angle, angle};
  pipeline.spatial.p_scaling = 0.2;
  pipeline.spatial.scaling = {0.7, 1.4};
  pipeline.spatial.planar = planar;

  GaussianNoise noise;
  noise.p = 0.1;
  GaussianBlur blur;
  blur.p = 0.2;
  blur.p_channel = 0.5;
  Brightness brightness;
  brightness.p = 0.15;
  Contrast contrast;
  contrast.p = 0.15;
  LowResolution low;
  low.p = 0.25;
  low.p_channel = 0.5;
  if (planar) low.fixed_axes = {0};
  Gamma inverted;
  inverted.p = 0.1;
  inverted.p_invert = 1;
  Gamma upright;
  upright.p = 0.3;
  pipeline.intensity = {noise, blur, brightness, contrast, low, inverted, upright};

  std::vector<std::int64_t> all(options.patch.size());
  std::iota(all.begin(), all.end(), 0);
  pipeline.mirror_axes = options.mirror_axes.value_or(all);
  pipeline.labels = labels_for(options);
  pipeline.labels.masked_channels = options.masked_channels;
  if (!options.previous.empty()) {
    Cascade& cascade = pipeline.labels.cascade;
    cascade.p_operator = 0.4;
    cascade.p_operator_label = 0.5;
    cascade.radius = {1, 8};
    cascade.p_remove_component = 0.2;
    cascade.p_remove_component_label = 0.5;
    cascade.largest_component = 0.15;
  }
  check(pipeline);
  return pipeline;
}

Pipeline nnunet_validation(const NnunetOptions& options) {
  check_patch(options.patch);
  Pipeline pipeline;
  pipeline.patch = options.patch;
  pipeline.initial = options.patch;
  pipeline.labels = labels_for(options);
  check(pipeline);
  return pipeline;
}

Pipeline monai_basic(const MonaiBasicOptions& options) {
  check_patch(options.patch);
  Pipeline pipeline;
  pipeline.patch = options.patch;
  pipeline.initial = options.patch;
  pipeline.spatial.p_rot90 = options.p_rot90;
  pipeline.spatial.rot90_axes = options.rot90_axes;
  Brightness scale;
  scale.p = options.p_scale;
  scale.same_channels = true;
  scale.factor = {0.9, 1.1};
  BrightnessAdditive shift;
  shift.p = options.p_shift;
  shift.same_channels = true;
  shift.shift = {-0.1, 0.1};
  pipeline.intensity = {scale, shift};
  pipeline.mirror_axes.resize(options.patch.size());
  std::iota(pipeline.mirror_axes.begin(), pipeline.mirror_axes.end(), 0);
  pipeline.p_mirror = options.p_flip;
  check(pipeline);
  return pipeline;
}

}  // namespace mlarray::augment
