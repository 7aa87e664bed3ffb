#include "training/placing.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "mlarray/error.hpp"

namespace mlarray::training {
namespace {

constexpr std::uint64_t kSeedPurpose = 0x73656564;  // of Draw::seed

}  // namespace

void check_patch(const Shape& patch) {
  const bool fits =
      !patch.empty() && patch.size() < static_cast<std::size_t>(kMaxDims) &&
      std::all_of(
          patch.begin(), patch.end(), [](std::int64_t n) { return n > 0 && n < kFurthest; });
  if (!fits) {
    throw Error(ErrorKind::invalid_value,
                "a patch of shape " + to_string(patch) +
                    "; it has 1 to 15 axes, and at least one voxel along each");
  }
}

std::int64_t centered_start(std::int64_t image, std::int64_t patch) {
  return -((patch - image) / 2);
}

Draw draw_at(const DrawPlace& place, const Random& random) {
  Draw draw;
  draw.index = place.index;
  draw.seed = random.split(kSeedPurpose).next();
  return draw;
}

void check_case_weights(std::int64_t weights, const CaseInfo& cases) {
  if (weights == 0 || weights == cases.count()) return;
  throw Error(ErrorKind::invalid_value, std::to_string(weights) + " case_weights for " +
                                            std::to_string(cases.count()) +
                                            " cases; give one for each, or none");
}

Placing::Placing(Shape patch, Border border, Shape pad)
    : patch_(std::move(patch)), border_(border), pad_(std::move(pad)) {
  check_patch(patch_);
  if (pad_.empty()) return;
  const bool wrong = std::any_of(pad_.begin(), pad_.end(),
                                 [](std::int64_t n) { return n < 0 || n >= kFurthest; });
  if (pad_.size() != patch_.size() || wrong || border_ != Border::nnunet) {
    throw Error(ErrorKind::invalid_value,
                "a pad of " + to_string(pad_) + " for a patch of shape " + to_string(patch_) +
                    "; give 0 or more, below 2^40, for each axis, with nnU-Net's border");
  }
}

void Placing::check(const Shape& image) const {
  const bool empty = std::any_of(image.begin(), image.end(), [](auto n) { return n < 1; });
  if (image.size() == patch_.size() && !empty) return;
  throw Error(ErrorKind::invalid_value,
              "a patch of shape " + to_string(patch_) + " of an image of shape " +
                  to_string(image) +
                  (empty ? ", which has no voxels" : "; both must have the same axes"));
}

Starts Placing::starts(const Shape& image, std::size_t axis) const {
  const std::int64_t size = image[axis];
  const std::int64_t patch = patch_[axis];
  if (border_ == Border::inside) {
    if (size >= patch) return {0, size - patch};
    const std::int64_t start = centered_start(size, patch);
    return {start, start};
  }
  std::int64_t pad = pad_.empty() ? 0 : pad_[axis];
  if (pad + size < patch) pad = patch - size;
  return {-(pad / 2 + pad % 2), size + pad / 2 + pad % 2 - patch};
}

Box Placing::anywhere(const Shape& image, Random& random) const {
  check(image);
  Box box{Shape(patch_.size()), Shape(patch_.size())};
  for (std::size_t a = 0; a < patch_.size(); ++a) {
    const Starts range = starts(image, a);
    const auto count = static_cast<std::uint64_t>(range.last - range.first + 1);
    box.start[a] = range.first + static_cast<std::int64_t>(random.below(count));
    box.stop[a] = box.start[a] + patch_[a];
  }
  return box;
}

Box Placing::around(const Shape& image, const Shape& center) const {
  check(image);
  Box box{Shape(patch_.size()), Shape(patch_.size())};
  for (std::size_t a = 0; a < patch_.size(); ++a) {
    const Starts range = starts(image, a);
    std::int64_t start = std::max(center[a] - patch_[a] / 2, range.first);
    if (border_ == Border::inside) start = std::min(start, range.last);
    box.start[a] = start;
    box.stop[a] = start + patch_[a];
  }
  return box;
}

}  // namespace mlarray::training
