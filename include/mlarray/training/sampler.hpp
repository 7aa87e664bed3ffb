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
  // Told once for each text, as a warning to the user.
  virtual void warn(const std::string& text) const = 0;
};

// Where the box of a draw may lie.
enum class Border {
  inside,  // within the image; centred along an axis where the image is smaller than the patch
  nnunet,  // as nnU-Net 2: start uniform in -pad // 2 ... size - patch + pad // 2 + pad % 2,
           // pad being what the image lacks to the size of the patch; a centre is clipped below
           // only
};

// Where in an epoch and a batch a draw is.
struct DrawPlace {
  std::uint64_t seed = 0;
  std::int64_t epoch = 0;
  std::int64_t index = 0;     // of the sample in the epoch
  std::int64_t in_batch = 0;  // index % batch size
  std::int64_t batch = 1;     // the batch size
  std::int64_t attempt =
      0;  // 1 and more: what was drawn at this place before could not be read
};

class MLARRAY_EXPORT Sampler {
 public:
  virtual ~Sampler();
  virtual Draw draw(const CaseInfo& cases, const DrawPlace& place) const = 0;
  // How many samples an epoch has by nature; nothing: as many as one asks for.
  virtual std::optional<std::int64_t> length(const CaseInfo& cases) const;
};

// All cases and all boxes are equally likely, or cases by weight.
struct UniformOptions {
  std::vector<double> case_weights = {};  // one for each case; empty: all the same
  Border border = Border::inside;
};
MLARRAY_EXPORT std::shared_ptr<const Sampler> uniform_sampler(
    const Shape& patch, const UniformOptions& options = {});

// How many of a batch's samples are put around a voxel of a drawn class.
enum class Forced {
  last,         // the last round(batch * foreground) of each batch: nnU-Net's rule
  probability,  // each sample by itself: nnU-Net's probabilistic oversampling, MONAI's ratio
};

// A share of the samples is drawn around a voxel of a class: first the case, then one of the
// classes that it has, then one of its voxels. Where a case has none of the classes, the sample
// is drawn uniformly from it, and one warning names the case.
struct BalancedOptions {
  double foreground = 1.0 / 3;  // share of samples with a drawn class. MONAI: pos / (pos + neg)
  Forced forced = Forced::probability;
  std::vector<std::int64_t> classes = {};  // to draw from; empty: all of the index's foreground
  std::vector<double> class_weights = {};  // one for each of `classes`; empty: all the same
  std::vector<double> case_weights = {};   // one for each case
  // The class first, from all, then a case that has it: rare classes come as often as others.
  // Needs the index of every case at once.
  bool class_first = false;
  // The other samples avoid the classes: their centre is background (MONAI's negatives).
  bool negatives = false;
  Border border = Border::inside;
};
MLARRAY_EXPORT std::shared_ptr<const Sampler> balanced_sampler(
    const Shape& patch, const BalancedOptions& options = {});

// Every case in boxes of a grid, in order: for validation and inference. The last box along an
// axis ends at the image's end. An epoch is every box of every case once.
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
