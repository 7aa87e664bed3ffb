// Samplers: which box of which case comes next. They read no image, and of labels the index
// alone.
//
// A sampler is asked for the draw at an index of an epoch, and answers the same each time: the
// order depends on neither threads, workers nor ranks. Immutable; called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mlarray/export.hpp"
#include "mlarray/random.hpp"
#include "mlarray/training/draw.hpp"
#include "mlarray/training/label_index.hpp"

namespace mlarray::training {

// What a sampler may know of the cases. What it asks for is opened or built on demand.
class MLARRAY_EXPORT CaseInfo {
 public:
  virtual ~CaseInfo();
  virtual std::int64_t count() const = 0;
  virtual Shape shape(std::int64_t case_index) const = 0;  // spatial; opens the case
  // Nothing: a case without labels.
  virtual std::shared_ptr<const LabelIndex> labels(std::int64_t case_index) const = 0;
  // The channel axis of the label map, which the positions of its index count in. Nothing: it
  // has none, or it is not known; then it is the first axis that does not fit the image's
  // shape.
  virtual std::optional<int> label_channel_axis(std::int64_t case_index) const;
  // Told once for each text, as a warning to the user.
  virtual void warn(const std::string& text) const = 0;
  // As warnings and errors say it; if not overridden, "3" for the case 3.
  virtual std::string name(std::int64_t case_index) const;
};

// Where the box of a draw may lie.
enum class Border {
  inside,  // within the image; centred along an axis where the image is smaller than the patch
  nnunet,  // as nnU-Net 2: start uniform in -pad // 2 ... size - patch + pad // 2 + pad % 2
           // (// rounds down), pad being what the image lacks to the size of the patch, at
           // least `pad` of the options; a centre is clipped below only
};

// Where in an epoch and a batch a draw is.
struct DrawPlace {
  std::uint64_t seed = 0;
  std::int64_t epoch = 0;
  std::int64_t index = 0;     // of the sample in the epoch
  std::int64_t in_batch = 0;  // index % batch size
  std::int64_t batch = 1;     // the batch size
  // From 1 on: what was drawn at this place before could not be read.
  std::int64_t attempt = 0;
};

class MLARRAY_EXPORT Sampler {
 public:
  virtual ~Sampler();
  virtual Draw draw(const CaseInfo& cases, const DrawPlace& place) const = 0;
  // How many samples an epoch has by nature; nothing: as many as one asks for.
  virtual std::optional<std::int64_t> length(const CaseInfo& cases) const;
  // The same sampler for these cases, with what it needs of all of them looked up once; null:
  // there is nothing to look up. Without it, draw() looks up each time. Errors: invalid_value
  // for options that do not fit the cases; those of opening a case.
  virtual std::shared_ptr<const Sampler> bound(const CaseInfo& cases) const;
};

// Of a place, the numbers that its draw is made of: with each attempt, others.
inline Random random_of(const DrawPlace& place) {
  const Random random(place.seed, static_cast<std::uint64_t>(place.epoch),
                      static_cast<std::uint64_t>(place.index));
  return place.attempt == 0 ? random : random.split(static_cast<std::uint64_t>(place.attempt));
}

// All cases and all boxes are equally likely, or cases by weight.
struct UniformOptions {
  std::vector<double> case_weights = {};  // one for each case; empty: all the same
  Border border = Border::inside;
  Shape pad = {};  // of Border::nnunet, voxels per axis: its initial patch less its final one
};
MLARRAY_EXPORT std::shared_ptr<const Sampler> uniform_sampler(
    const Shape& patch, const UniformOptions& options = {});

// How many of a batch's samples are put around a voxel of a drawn class.
enum class Forced {
  last,         // of each batch, from place round(batch * (1 - foreground)) on: nnU-Net's rule,
                // halves to the even number
  probability,  // each sample by itself: nnU-Net's probabilistic oversampling, MONAI's ratio
};

// A share of the samples is drawn around a voxel of a class: first the case, then one of the
// classes that it has, then one of its voxels. Where a case has none of the classes, the sample
// is drawn uniformly from it, and one warning names case and classes.
struct BalancedOptions {
  double foreground = 1.0 / 3;  // share of samples with a drawn class. MONAI: pos / (pos + neg)
  Forced forced = Forced::probability;
  // To draw from. Empty: where the index has joined classes, these; else all labels above 0.
  std::vector<std::int64_t> classes = {};
  std::vector<double> class_weights = {};  // one for each of `classes`; empty: all the same
  std::vector<double> case_weights = {};   // one for each case
  // The class first, from all, then a case that has it: rare classes come as often as others.
  // Needs the index of every case at once.
  bool class_first = false;
  // The other samples avoid the classes: their centre is a voxel of another one (MONAI's
  // negatives). Needs positions of the background: LabelIndexOptions::background empty.
  bool negatives = false;
  // The other samples are put around a voxel of the joined class of these labels, which is not
  // drawn from unless there is nothing else: nnU-Net's annotated voxels, where labels are
  // ignored.
  std::vector<std::int64_t> others = {};
  Border border = Border::inside;
  Shape pad = {};  // as UniformOptions
};
MLARRAY_EXPORT std::shared_ptr<const Sampler> balanced_sampler(
    const Shape& patch, const BalancedOptions& options = {});

// Every case in boxes of a grid, in order: for validation. The last box along an axis ends at
// the image's end; along an axis where the image is smaller than the patch, there is one box,
// with the image in its middle. An epoch is every box of every case once. An Aggregator has
// other boxes: list those of Aggregator::boxes_of() with listed_sampler(), in batches of 1 or
// with drop_last off, and leave out what then repeats the first boxes of the epoch.
struct GridOptions {
  Shape overlap = {};  // voxels per axis, less than the patch; empty: none
};
MLARRAY_EXPORT std::shared_ptr<const Sampler> grid_sampler(const Shape& patch,
                                                           const GridOptions& options = {});

// The boxes that the caller lists, in their order or shuffled by epoch.
struct ListedBox {
  std::int64_t case_index = 0;
  Shape start;  // centre - patch / 2 for who has centres
};
MLARRAY_EXPORT std::shared_ptr<const Sampler> listed_sampler(const Shape& patch,
                                                             std::vector<ListedBox> boxes,
                                                             bool shuffle = false);

// Slices: for 2-D patches of 3-D cases, give a patch with 1 along an axis, as (1, 256, 256).

}  // namespace mlarray::training
