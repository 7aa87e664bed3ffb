// Pipelines that are known by a name.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "mlarray/augment/pipeline.hpp"
#include "mlarray/export.hpp"

namespace mlarray::augment {

// nnU-Net's default training (nnunetv2 2.8.1, get_training_transforms) with the same
// distributions, those of a cascade too. What is empty is as its trainer chooses it by the
// shape of the patch: rotations of up to 30 degrees; flat patches, more than 3 times as long as
// their first axis, are turned in their plane alone, by up to 180; two axes by up to 180, or 15
// where one is more than 1.5 times the other; flips along all axes.
struct NnunetOptions {
  Shape patch;
  Shape initial = {};
  std::optional<bool> planar = {};
  std::optional<double> max_angle = {};  // radians
  std::optional<std::vector<std::int64_t>> mirror_axes = {};
  std::vector<std::int64_t> masked_channels = {};  // use_mask_for_norm
  std::vector<std::int64_t> previous = {};         // cascade: its foreground labels
  std::vector<std::vector<std::int64_t>> regions = {};
  std::optional<std::int64_t> ignore_label = {};  // with regions: becomes the last channel
  std::vector<std::vector<double>> scales = {};   // deep supervision
};

// Errors: invalid_value as check().
MLARRAY_EXPORT Pipeline nnunet(const NnunetOptions& options);
// The same for validation: the patch is the initial patch, nothing is random.
MLARRAY_EXPORT Pipeline nnunet_validation(const NnunetOptions& options);

// What MONAI's networks for segmentation are trained with (research-contributions,
// UNETR/BTCV/utils/data_utils.py and main.py): after RandCropByPosNegLabel, which is the
// sampler's part, RandFlip along each axis (0.2), RandRotate90 in the plane of the first two
// axes by 1 to 3 quarters (0.2), RandScaleIntensity by up to 0.1 (0.1) and RandShiftIntensity
// by up to 0.1 (0.1), the same for all channels.
struct MonaiBasicOptions {
  Shape patch;
  double p_flip = 0.2;
  double p_rot90 = 0.2;
  std::vector<std::int64_t> rot90_axes = {0, 1};  // of the same length in the patch
  double p_scale = 0.1;
  double p_shift = 0.1;
};

// Errors: invalid_value as check().
MLARRAY_EXPORT Pipeline monai_basic(const MonaiBasicOptions& options);

// The box that nnU-Net reads around a patch, so that turned and scaled ones lie within
// (compute_initial_patch_size): of an angle in radians, for scales down to 0.85.
MLARRAY_EXPORT Shape nnunet_initial_patch(const Shape& patch, double max_angle, bool planar);

}  // namespace mlarray::augment
