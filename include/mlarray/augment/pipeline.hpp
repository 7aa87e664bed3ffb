// Pipeline: what is done to one sample of a batch, as plain data.
//
// Everything random is drawn before a voxel is read. What was drawn (`Drawn`) says which box is
// needed, and only that is read; then one thread makes the sample:
//
//   const Pipeline pipeline = nnunet({.patch = {128, 128, 128}});
//   const Drawn drawn = draw(pipeline, seed, channels);
//   const Box box = support(pipeline, drawn);         // in voxels of the initial patch
//   apply(pipeline, drawn, {image, label}, out, workspace);
//
// Images are float32, labels int16, both (channels, *spatial) with 2 or 3 spatial axes. The
// initial patch is the box that a sampler draws; the patch is what comes out, and it is around
// the same centre. Nothing outside the initial patch is used: there the image is 0 and the
// label -1, as in nnU-Net.
//
// Free functions of plain values: safe from any thread, one Workspace for each.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "mlarray/export.hpp"
#include "mlarray/types.hpp"
#include "mlarray/value.hpp"

namespace mlarray::augment {

// A number that is drawn for each sample.
struct Range {
  enum class Law {
    uniform,  // in [low, high)
    halves,   // half of the draws in [low, 1), the others in [1, high): nnU-Net's for factors
  };
  double low = 0;
  double high = 0;
  Law law = Law::uniform;
  friend bool operator==(const Range&, const Range&) = default;
};

// Rotation and scaling around the centre: voxel o of the patch shows what is at
//
//   Rz Ry Rx S (o - (patch - 1) / 2) + (initial - 1) / 2
//
// of the initial patch, S the scales on the diagonal, R. the rotations around the first, second
// and third axis. The image is interpolated linearly. A label is the one with most weight among
// the corners; where the best are level after weights were rounded to 11 bits, the nearest
// voxel's if it is one of them, else the least. Without rotation and scaling voxels are copied.
struct Spatial {
  double p_rotation = 0;
  Range rotation = {};  // radians, for each axis alone; two spatial axes: one angle
  double p_scaling = 0;
  Range scaling = {1, 1};  // above 1: more is seen, smaller
  bool same_scale = true;  // for all axes
  bool planar = false;     // three axes, of which the first is left alone: "dummy 2-D"
  friend bool operator==(const Spatial&, const Spatial&) = default;
};

// Each of the following is applied to a sample with probability `p`, then to each of its
// channels with `p_channel`; `same_channels`: what is drawn is drawn once for all of them.

// x + sigma n, n normal and of its own for each voxel.
struct GaussianNoise {
  double p = 0, p_channel = 1;
  bool same_channels = true;
  Range sigma = {0, 0.1};
  friend bool operator==(const GaussianNoise&, const GaussianNoise&) = default;
};

// A Gaussian of sigma voxels along each axis, cut off after 3 sigma and made to sum to 1; the
// image is reflected at its borders, without the border twice. Its length is 6 sigma + 0.5,
// rounded to an odd number.
struct GaussianBlur {
  double p = 0, p_channel = 1;
  bool same_channels = false, same_axes = false;
  Range sigma = {0.5, 1};
  friend bool operator==(const GaussianBlur&, const GaussianBlur&) = default;
};

// f x.
struct Brightness {
  double p = 0, p_channel = 1;
  bool same_channels = false;
  Range factor = {0.75, 1.25, Range::Law::halves};
  friend bool operator==(const Brightness&, const Brightness&) = default;
};

// f (x - mean) + mean, and cut to the range of x if `keep_range`.
struct Contrast {
  double p = 0, p_channel = 1;
  bool same_channels = false;
  Range factor = {0.75, 1.25, Range::Law::halves};
  bool keep_range = true;
  friend bool operator==(const Contrast&, const Contrast&) = default;
};

// Fewer voxels, round(scale * n) along each axis, each the nearest one, then as many as before,
// interpolated linearly.
struct LowResolution {
  double p = 0, p_channel = 1;
  bool same_channels = false, same_axes = true;
  Range scale = {0.5, 1};
  std::vector<std::int64_t> fixed_axes = {};  // keep their resolution
  friend bool operator==(const LowResolution&, const LowResolution&) = default;
};

// ((x - min) / (max - min))^g (max - min) + min, of -x and negated again where inverted; then
// shifted and stretched to the mean and standard deviation of before where these are kept.
struct Gamma {
  double p = 0, p_channel = 1;
  bool same_channels = false;
  Range gamma = {0.7, 1.5, Range::Law::halves};
  double p_invert = 0;
  double p_keep_stats = 1;
  friend bool operator==(const Gamma&, const Gamma&) = default;
};

using Intensity =
    std::variant<GaussianNoise, GaussianBlur, Brightness, Contrast, LowResolution, Gamma>;

// What becomes of the labels once they lie in the patch. In this order:
struct Labels {
  // Channels of the image that are 0 wherever the first label channel is negative.
  std::vector<std::int64_t> masked_channels = {};
  bool remove_outside = true;  // -1, which is outside, becomes 0
  // The second label channel, a segmentation of an earlier stage, goes to the image: one
  // channel for each of these labels, 1 where it is that label, else 0.
  std::vector<std::int64_t> previous = {};
  // The first label channel becomes one channel for each of these: 1 where it is any of the
  // labels, else 0. Empty: it stays.
  std::vector<std::vector<std::int64_t>> regions = {};
  // Resolutions at which labels are wanted, a factor for each axis: each the nearest voxel of
  // round(factor * n). Empty: the patch as it is.
  std::vector<std::vector<double>> scales = {};
  friend bool operator==(const Labels&, const Labels&) = default;
};

struct Pipeline {
  Shape patch;    // spatial, 2 or 3 axes
  Shape initial;  // as many
  Spatial spatial = {};
  std::vector<Intensity> intensity = {};  // in this order
  // Axes that are flipped, each with probability 1/2, after all of the above.
  std::vector<std::int64_t> mirror_axes = {};
  Labels labels = {};
  friend bool operator==(const Pipeline&, const Pipeline&) = default;
};

// What was drawn for one sample.
struct Drawn {
  // One transform for one channel.
  struct Step {
    std::int64_t transform = 0;  // in Pipeline::intensity
    std::int64_t channel = 0;
    // sigma, factor or gamma; blur and low resolution: one for each spatial axis.
    std::array<double, 3> values = {};
    bool invert = false;      // Gamma
    bool keep_stats = false;  // Gamma
    friend bool operator==(const Step&, const Step&) = default;
  };
  std::uint64_t seed = 0;  // of the noise
  // The matrix of Spatial's formula by rows; two axes: the lower right four. None: a copy.
  std::optional<std::array<double, 9>> matrix = {};
  std::vector<std::int64_t> flips = {};  // axes
  std::vector<Step> steps = {};          // in the order in which they are applied
  friend bool operator==(const Drawn&, const Drawn&) = default;
};

// Nothing of what is drawn depends on anything but these.
// Errors: invalid_value for a pipeline that check() refuses.
MLARRAY_EXPORT Drawn draw(const Pipeline& pipeline, std::uint64_t seed, std::int64_t channels);

// The voxels of the initial patch that apply() reads: the smallest box that holds them, inside
// the initial patch. Where the transform is a copy, the patch itself.
MLARRAY_EXPORT Box support(const Pipeline& pipeline, const Drawn& drawn);

// Voxels of the support, (channels, *spatial). Rows along the last axis must lie in memory
// without gaps; other strides are free, so that a view of a larger array will do.
struct Source {
  ConstArrayView image;       // float32
  ConstArrayView label = {};  // int16; no data: no label is made
};

// C order without gaps. image: (image_channels(), *patch). labels: one for each of
// label_shapes().
struct Output {
  std::span<float> image;
  std::vector<std::span<std::int16_t>> labels = {};
};

// Channels of the image that come out of so many.
MLARRAY_EXPORT std::int64_t image_channels(const Pipeline& pipeline, std::int64_t channels);
// (channels, *spatial) of each of the labels, from so many label channels.
MLARRAY_EXPORT std::vector<Shape> label_shapes(const Pipeline& pipeline, std::int64_t channels);

// Memory that calls of one thread share, so that they need not ask for it each time.
class MLARRAY_EXPORT Workspace {
 public:
  Workspace();
  ~Workspace();
  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// Makes one sample. Uses the calling thread alone.
// Errors: invalid_value for shapes that do not fit the support or the output, a `drawn` of
// another pipeline or of other channels.
MLARRAY_EXPORT void apply(const Pipeline& pipeline, const Drawn& drawn, const Source& source,
                          const Output& out, Workspace& workspace);

// Errors: invalid_value that names the field, its value and what is allowed.
MLARRAY_EXPORT void check(const Pipeline& pipeline);

// As a tree of plain data and back, for JSON. Reading refuses names it does not know; what is
// missing has its default.
// Errors: invalid_value, invalid_type; both name the field ("intensity[2].sigma").
MLARRAY_EXPORT Value to_value(const Pipeline& pipeline);
MLARRAY_EXPORT Pipeline pipeline_from(const Value& value);
MLARRAY_EXPORT Value to_value(const Drawn& drawn);
MLARRAY_EXPORT Drawn drawn_from(const Value& value);

// The instruction sets that this CPU can do, the one in use first: "avx512", "avx2",
// "baseline". Results differ by rounding alone.
MLARRAY_EXPORT std::vector<std::string> instruction_sets();
// For tests and measurements: all later calls of the process use this one. Errors:
// invalid_value for one that is not of instruction_sets(). "": the best.
MLARRAY_EXPORT void use_instruction_set(const std::string& name);

}  // namespace mlarray::augment
