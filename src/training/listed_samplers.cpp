// Draws in an order that is known before: a grid over every case, and boxes of the caller's.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mlarray/error.hpp"
#include "mlarray/training/sampler.hpp"
#include "training/placing.hpp"

namespace mlarray::training {
namespace {

// Which of `count` a place shows: in order; after a failure, any other one.
std::int64_t number_at(const DrawPlace& place, std::int64_t count) {
  if (place.attempt == 0) return place.index % count;
  Random random = random_of(place);
  return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(count)));
}

class GridSampler final : public Sampler {
 public:
  GridSampler(const Shape& patch, const GridOptions& options)
      : patch_(patch), overlap_(options.overlap) {
    check_patch(patch_);
    if (overlap_.empty()) overlap_.assign(patch_.size(), 0);
    bool fits = overlap_.size() == patch_.size();
    for (std::size_t a = 0; fits && a < patch_.size(); ++a) {
      fits = overlap_[a] >= 0 && overlap_[a] < patch_[a];
    }
    if (!fits) {
      throw Error(ErrorKind::invalid_value,
                  "an overlap of " + to_string(overlap_) + " for a patch of shape " +
                      to_string(patch_) + "; give one for each axis, less than the patch");
    }
  }

  Draw draw(const CaseInfo& cases, const DrawPlace& place) const override {
    if (before_.empty()) return bound(cases)->draw(cases, place);
    const std::int64_t number = number_at(place, before_.back());
    const auto it = std::upper_bound(before_.begin(), before_.end(), number) - 1;
    Draw draw = draw_at(place, random_of(place));
    draw.case_index = it - before_.begin();
    const Shape image = cases.shape(draw.case_index);
    std::int64_t rest = number - *it;
    draw.box = {Shape(patch_.size()), Shape(patch_.size())};
    for (std::size_t a = patch_.size(); a-- > 0;) {
      const std::int64_t boxes = count(image, a);
      const std::int64_t at = rest % boxes;
      rest /= boxes;
      draw.box.start[a] = image[a] <= patch_[a]
                              ? centered_start(image[a], patch_[a])
                              : std::min(at * (patch_[a] - overlap_[a]), image[a] - patch_[a]);
      draw.box.stop[a] = draw.box.start[a] + patch_[a];
    }
    return draw;
  }

  std::optional<std::int64_t> length(const CaseInfo& cases) const override {
    if (!before_.empty()) return before_.back();
    return boxes_before(cases).back();
  }

  std::shared_ptr<const Sampler> bound(const CaseInfo& cases) const override {
    auto copy = std::make_shared<GridSampler>(*this);
    copy->before_ = boxes_before(cases);
    return copy;
  }

 private:
  std::int64_t count(const Shape& image, std::size_t a) const {
    const std::int64_t step = patch_[a] - overlap_[a];
    const std::int64_t more = std::max<std::int64_t>(image[a] - patch_[a], 0);
    return (more + step - 1) / step + 1;
  }

  // How many boxes come before each case, and at the end how many there are.
  std::vector<std::int64_t> boxes_before(const CaseInfo& cases) const {
    std::vector<std::int64_t> before{0};
    before.reserve(static_cast<std::size_t>(cases.count()) + 1);
    for (std::int64_t i = 0; i < cases.count(); ++i) {
      const Shape image = cases.shape(i);
      std::int64_t boxes = 0;
      if (!image.empty()) {  // of a case that cannot be read and may be left out
        if (image.size() != patch_.size()) {
          throw Error(ErrorKind::invalid_value,
                      "a patch of shape " + to_string(patch_) + " of case " + cases.name(i) +
                          " with an image of shape " + to_string(image) +
                          "; both must have the same axes");
        }
        boxes = 1;
        for (std::size_t a = 0; a < patch_.size(); ++a) boxes *= count(image, a);
      }
      before.push_back(before.back() + boxes);
    }
    if (before.back() == 0) throw Error(ErrorKind::invalid_value, "no case has a box");
    return before;
  }

  Shape patch_;
  Shape overlap_;
  std::vector<std::int64_t> before_;
};

// A permutation of 0 ... count - 1 that takes no memory: a Feistel network over the next power
// of four, applied until the number is below `count`.
std::int64_t shuffled(std::int64_t number, std::int64_t count, const Random& random) {
  int half = 1;
  while ((std::int64_t{1} << (2 * half)) < count) ++half;
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  auto value = static_cast<std::uint64_t>(number);
  do {
    std::uint64_t left = value >> half;
    std::uint64_t right = value & mask;
    for (std::uint64_t round = 0; round < 6; ++round) {
      const std::uint64_t mixed = random.split((round << 40) + right).next();
      left = std::exchange(right, left ^ (mixed & mask));
    }
    value = left << half | right;
  } while (value >= static_cast<std::uint64_t>(count));
  return static_cast<std::int64_t>(value);
}

class ListedSampler final : public Sampler {
 public:
  ListedSampler(const Shape& patch, std::vector<ListedBox> boxes, bool shuffle)
      : patch_(patch), boxes_(std::move(boxes)), shuffle_(shuffle) {
    check_patch(patch_);
    if (boxes_.empty()) throw Error(ErrorKind::invalid_value, "no boxes are listed");
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      const Shape& start = boxes_[i].start;
      const bool near = std::all_of(start.begin(), start.end(), [](std::int64_t at) {
        return at > -kFurthest && at < kFurthest;
      });
      if (start.size() == patch_.size() && boxes_[i].case_index >= 0 && near) continue;
      throw Error(ErrorKind::invalid_value,
                  "box " + std::to_string(i) + " starts at " + to_string(start) + " of case " +
                      std::to_string(boxes_[i].case_index) + "; the patch has shape " +
                      to_string(patch_) + ", cases count from 0, and starts are within 2^40");
    }
  }

  Draw draw(const CaseInfo& cases, const DrawPlace& place) const override {
    const auto count = static_cast<std::int64_t>(boxes_.size());
    std::int64_t number = number_at(place, count);
    if (shuffle_ && place.attempt == 0) {
      const Random random(place.seed, static_cast<std::uint64_t>(place.epoch));
      number = shuffled(number, count,
                        random.split(static_cast<std::uint64_t>(place.index / count)));
    }
    const ListedBox& box = boxes_[static_cast<std::size_t>(number)];
    if (box.case_index >= cases.count()) fail(static_cast<std::size_t>(number), cases);
    Draw draw = draw_at(place, random_of(place));
    draw.case_index = box.case_index;
    draw.box = Box::at(box.start, patch_);
    return draw;
  }

  std::optional<std::int64_t> length(const CaseInfo&) const override {
    return static_cast<std::int64_t>(boxes_.size());
  }

  std::shared_ptr<const Sampler> bound(const CaseInfo& cases) const override {
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      if (boxes_[i].case_index >= cases.count()) fail(i, cases);
    }
    return nullptr;
  }

 private:
  [[noreturn]] void fail(std::size_t i, const CaseInfo& cases) const {
    throw Error(ErrorKind::out_of_bounds, "box " + std::to_string(i) + " is of case " +
                                              std::to_string(boxes_[i].case_index) +
                                              ", but there are " +
                                              std::to_string(cases.count()));
  }

  Shape patch_;
  std::vector<ListedBox> boxes_;
  bool shuffle_;
};

}  // namespace

std::shared_ptr<const Sampler> grid_sampler(const Shape& patch, const GridOptions& options) {
  return std::make_shared<GridSampler>(patch, options);
}

std::shared_ptr<const Sampler> listed_sampler(const Shape& patch, std::vector<ListedBox> boxes,
                                              bool shuffle) {
  return std::make_shared<ListedSampler>(patch, std::move(boxes), shuffle);
}

}  // namespace mlarray::training
