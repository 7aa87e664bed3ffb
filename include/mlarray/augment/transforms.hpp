// Transforms of a Pipeline: plain data, each with its parameters, their ranges, the probability
// and the formula.
//
// Sources of formulas and names, as semantics: batchgeneratorsv2 0.3.6 ("bg2") and MONAI 1.6.1.
// docs/augmentation.md has a picture of each, and the main differences from bg2.
#pragma once

#include <array>
#include <cstdint>
#include <variant>
#include <vector>

#include "mlarray/types.hpp"

namespace mlarray::augment {

// A number that is drawn for each sample. Where a whole number is needed, it is rounded down.
struct Range {
  enum class Law {
    uniform,  // in [low, high)
    halves,   // half of the draws in [low, 1), the others in [1, high): nnU-Net's for factors
    normal,   // of mean `low` and standard deviation `high`
  };
  double low = 0;
  double high = 0;
  Law law = Law::uniform;
  friend bool operator==(const Range&, const Range&) = default;
};

// Between the voxels of an image. cubic: of four voxels along each axis, with the weights of
// Keys 1981 ("Cubic convolution interpolation for digital image processing"), a = -1/2.
enum class Interpolation { linear, cubic };

// Of an image, outside of the initial patch: a value; the nearest voxel; the voxels reflected
// at the border, without the border twice.
enum class Padding { constant, edge, reflect };

// Which voxel of the initial patch is shown where. Voxel o of the patch shows what is at
//
//   A (o - (patch - 1) / 2 + u(o)) + (initial - 1) / 2 + t
//
// of the initial patch. A = Rz Ry Rx H S: the scales S on the diagonal; the shear H, 1 on the
// diagonal; the rotations R. around the first, second and third axis. u is elastic, t the
// translation. Then axes are exchanged. A label is the one with most weight among the corners
// of linear interpolation; where the best are level after weights were rounded to 11 bits, the
// nearest voxel's if it is one of them, else the least. Where nothing lies between voxels, they
// are copied, from initial / 2 - patch / 2 + t on, rounded down.
//
// Rotation, scaling, their order, label votes, exchange: bg2's SpatialTransform and
// TransposeAxesTransform. Shear, translation: MONAI's RandAffine. Quarter turns: RandRotate90.
struct Spatial {
  double p_rotation = 0;
  Range rotation = {};  // radians, for each axis alone; two spatial axes: one angle
  double p_scaling = 0;
  Range scaling = {1, 1};  // above 1: more is seen, smaller
  bool same_scale = true;  // for all axes
  bool planar = false;     // three axes, of which the first is left alone: "dummy 2-D"
  double p_shear = 0;
  Range shear = {};  // each factor of H off its diagonal
  double p_translation = 0;
  Range translation = {};  // voxels, for each axis alone
  // A free-form deformation (Rueckert et al. 1999): control points, this many voxels apart or
  // fewer so that they span the patch, are moved along each axis by a number that is uniform in
  // [-magnitude, magnitude); cubic B-splines between them. Nothing folds while the magnitude is
  // below 0.4 of the spacing (Choi and Lee 2000). bg2 blurs noise and moves its mean to 0.
  double p_elastic = 0;
  Range elastic_spacing = {32, 64};
  Range elastic_magnitude = {0, 8};
  // The patch is drawn uniformly among those that lie in the initial patch, by whole voxels;
  // else it is in the middle. bg2 moves it by fractions of a voxel where it interpolates.
  bool random_crop = false;
  double p_rot90 = 0;  // one, two or three quarter turns, as numpy.rot90
  std::vector<std::int64_t> rot90_axes = {0, 1};
  double p_swap = 0;  // these axes in any order, which may be the one before
  std::vector<std::int64_t> swap_axes = {};
  Interpolation interpolation = Interpolation::linear;
  Padding padding = Padding::constant;  // of the image; labels are -1 there
  double image_fill = 0;                // of constant padding
  friend bool operator==(const Spatial&, const Spatial&) = default;
};

// Each of the following is applied to a sample with probability `p`, then to each of its
// channels with `p_channel`; `same_channels`: what is drawn is drawn once for all of them.

// x + sigma n, n normal and of its own for each voxel. bg2's GaussianNoiseTransform.
struct GaussianNoise {
  double p = 0, p_channel = 1;
  bool same_channels = true;
  Range sigma = {0, 0.1};
  friend bool operator==(const GaussianNoise&, const GaussianNoise&) = default;
};

// A Gaussian of sigma voxels along each axis, cut off after 3 sigma and made to sum to 1; the
// image is reflected at its borders, without the border twice. Its length is 6 sigma + 0.5,
// rounded to an odd number. bg2's GaussianBlurTransform.
struct GaussianBlur {
  double p = 0, p_channel = 1;
  bool same_channels = false, same_axes = false;
  Range sigma = {0.5, 1};
  friend bool operator==(const GaussianBlur&, const GaussianBlur&) = default;
};

// f x. bg2's MultiplicativeBrightnessTransform, MONAI's RandScaleIntensity (f = 1 + factor).
struct Brightness {
  double p = 0, p_channel = 1;
  bool same_channels = false;
  Range factor = {0.75, 1.25, Range::Law::halves};
  friend bool operator==(const Brightness&, const Brightness&) = default;
};

// f (x - mean) + mean, and cut to the range of x if `keep_range`. bg2's ContrastTransform.
struct Contrast {
  double p = 0, p_channel = 1;
  bool same_channels = false;
  Range factor = {0.75, 1.25, Range::Law::halves};
  bool keep_range = true;
  friend bool operator==(const Contrast&, const Contrast&) = default;
};

// Fewer voxels, round(scale * n) along each axis, each the nearest one, then as many as before,
// interpolated linearly. bg2's SimulateLowResolutionTransform.
struct LowResolution {
  double p = 0, p_channel = 1;
  bool same_channels = false, same_axes = true;
  Range scale = {0.5, 1};
  std::vector<std::int64_t> fixed_axes = {};  // keep their resolution
  friend bool operator==(const LowResolution&, const LowResolution&) = default;
};

// ((x - min) / (max - min))^g (max - min) + min, of -x and negated again where inverted; then
// shifted and stretched to the mean and standard deviation of before where these are kept.
// bg2's GammaTransform.
struct Gamma {
  double p = 0, p_channel = 1;
  bool same_channels = false;
  Range gamma = {0.7, 1.5, Range::Law::halves};
  double p_invert = 0;
  double p_keep_stats = 1;
  friend bool operator==(const Gamma&, const Gamma&) = default;
};

// sqrt((x - min + sigma n)^2 + (sigma m)^2) + min, n and m normal and of their own for each
// voxel: the noise of magnitude images of MR (Gudbjartsson and Patz 1995). Then shifted and
// stretched to the mean and standard deviation of before, if these are kept.
// bg2's RicianNoiseTransform.
struct RicianNoise {
  double p = 0, p_channel = 1;
  bool same_channels = true;
  Range sigma = {0, 0.1};
  bool keep_stats = true;
  friend bool operator==(const RicianNoise&, const RicianNoise&) = default;
};

// x + s L(x), L the sum of the differences to the 4 or 6 neighbours, of which those beyond the
// border are the voxel itself; cut to the range of x if `keep_range`. bg2's
// SharpeningTransform, whose flags are probabilities.
struct Sharpening {
  double p = 0, p_channel = 1;
  bool same_channels = false;
  Range strength = {0.1, 1};
  bool keep_range = false;
  friend bool operator==(const Sharpening&, const Sharpening&) = default;
};

// x + b. bg2's BrightnessAdditiveTransform, which draws uniformly between mean and deviation
// for synchronised channels; MONAI's RandShiftIntensity.
struct BrightnessAdditive {
  double p = 0, p_channel = 1;
  bool same_channels = false;
  Range shift = {0, 0.5, Range::Law::normal};
  friend bool operator==(const BrightnessAdditive&, const BrightnessAdditive&) = default;
};

// Boxes of one value, or of the mean of what was there: `count` of them, each a share of the
// axis long, rounded, at least one voxel; anywhere inside. bg2's BlankRectangleTransform.
struct BlankRectangle {
  double p = 0, p_channel = 1;
  bool same_channels = false, same_axes = false;
  Range count = {1, 5};  // 1 to 4
  Range share = {0.1, 0.33};
  Range value = {0, 0};
  bool mean = false;  // instead of `value`
  friend bool operator==(const BlankRectangle&, const BlankRectangle&) = default;
};

// The median of `size` voxels along each axis, from size / 2 before; image reflected, with the
// border twice; of an even number the higher one of the middle. bg2's MedianFilterTransform,
// which is SciPy's median_filter.
struct MedianFilter {
  double p = 0, p_channel = 1;
  bool same_channels = false;
  Range size = {2, 8};  // 2 to 7
  friend bool operator==(const MedianFilter&, const MedianFilter&) = default;
};

using Intensity =
    std::variant<GaussianNoise, GaussianBlur, Brightness, Contrast, LowResolution, Gamma,
                 RicianNoise, Sharpening, BrightnessAdditive, BlankRectangle, MedianFilter>;

// What is done to the labels of an earlier stage, each a channel of 0 and 1, so that a network
// learns not to trust them. Labels are taken in random order. bg2's
// ApplyRandomBinaryOperatorTransform,
// RemoveRandomConnectedComponentFromOneHotEncodingTransform.
struct Cascade {
  // One of dilate, erode, close, open, by the voxels that are no further away than the radius.
  // What a label gains, the others lose.
  double p_operator = 0;        // of a sample,
  double p_operator_label = 1;  // then of each label
  Range radius = {1, 8};        // voxels
  // One component, of voxels that touch at least at a corner, becomes 0.
  double p_remove_component = 0;
  double p_remove_component_label = 1;
  double largest_component = 0.15;  // only those that are a smaller share of the patch
  double p_fill_other = 0;          // that it becomes 1 in another label
  friend bool operator==(const Cascade&, const Cascade&) = default;
};

// What becomes of the labels once they lie in the patch. In this order:
struct Labels {
  // Channels of the image that are `masked_value` wherever the first label channel is negative.
  // bg2's MaskImageTransform.
  std::vector<std::int64_t> masked_channels = {};
  double masked_value = 0;
  bool remove_outside = true;  // -1, which is outside, becomes 0
  // Pairs: this label becomes that one. One after the other. bg2's RemoveLabelTransform.
  std::vector<std::array<std::int64_t, 2>> remove = {};
  // The second label channel, a segmentation of an earlier stage, goes to the image: one
  // channel for each of these labels, 1 where it is that label, else 0. bg2's
  // MoveSegAsOneHotToDataTransform.
  std::vector<std::int64_t> previous = {};
  Cascade cascade = {};
  // The first label channel becomes one channel for each of these: 1 where it is any of the
  // labels, else 0. One label each: "one-hot". Empty: it stays.
  std::vector<std::vector<std::int64_t>> regions = {};
  // Resolutions at which labels are wanted, a factor for each axis: each the nearest voxel of
  // round(factor * n). Empty: the patch as it is.
  std::vector<std::vector<double>> scales = {};
  friend bool operator==(const Labels&, const Labels&) = default;
};

}  // namespace mlarray::augment
