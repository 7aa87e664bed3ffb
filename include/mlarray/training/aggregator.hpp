// Aggregator: predictions of overlapping patches, blended into one .mla file, with few of them
// in memory.
//
//   AggregatorOptions options;
//   options.image = image.metadata();
//   Aggregator out("prediction.mla", image.shape(), {128, 128, 128}, 5, options);
//   for (const Box& box : out.boxes()) out.add(box, predict(image, box));  // (classes, *patch)
//   out.finish();
//
// What is blended: at each voxel the mean of the scores of all patches that cover it, weighted
// by `blend`. Then, where asked for, the scores are resampled to the original grid. Then the
// argmax or softmax is taken. The result is that of the same computation with all scores in
// memory, and the same for any number of threads.
//
// Memory: a score is dropped as soon as no later box adds to it, so what is held is about
//   classes * bytes of a score * overlap * the lengths of the other axes,
// where overlap is what two neighbouring patches share along the axis where that is the least
// part of the image: the longest for a patch of equal sides. 5 classes, patches of 128 voxels
// that share 64, an image of 300 x 400 x 400: 5 * 4 * 64 * 300 * 400 = 154 MB, and some more
// for the row of patches that is being added. memory_bound() is a bound of it, known before the
// first box; with `max_memory`, what is more waits on the disk. On top of it come some MB for
// each thread, and the chunks that are being compressed.
//
// Thread safety: one caller at a time. A forked child can only let go of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "mlarray/export.hpp"
#include "mlarray/metadata.hpp"
#include "mlarray/options.hpp"
#include "mlarray/types.hpp"

namespace mlarray::training {

enum class Blend {
  gaussian,  // exp(-d^2 / 2 sigma^2) along each axis, d from voxel patch / 2, sigma = patch /
             // 8: nnU-Net's
  constant,
};

enum class Output {
  argmax,   // (*shape), uint8 or, above 256 classes, uint16: the first of the greatest scores
  softmax,  // (classes, *shape), float32 or float16
  logits,   // the blended scores as they are, (classes, *shape), float32 or float16
};

struct AggregatorOptions {
  // From one box to the next along each axis, in voxels, at most: boxes are spread evenly, so
  // that the last one ends where the image does. Empty: patch * (1 - overlap).
  Shape step = {};
  double overlap = 0.5;  // share of the patch, in [0, 1); nnU-Net's 0.5
  Blend blend = Blend::gaussian;
  Output output = Output::argmax;
  bool half = false;  // softmax and logits are stored as float16
  // Scores are blended in float16, as nnU-Net does: half of the memory, and three digits.
  bool half_scores = false;
  // Bytes of scores in memory. What is more waits in a temporary file beside the result, which
  // takes the rest of what is held without a limit; scores of one box are always in memory. 0:
  // no limit.
  std::int64_t max_memory = 0;
  // The grid of the file, where predictions are on another: scores are resampled linearly
  // along each axis (voxel centres as of scipy.ndimage.zoom with grid_mode, edges repeated).
  // Empty: the image's shape.
  Shape original_shape = {};
  // Where the image lies in the original grid, if it was cropped before it was resampled.
  // Outside, class 0 is predicted: label 0, softmax 1 of class 0, logits 0.
  std::optional<Box> crop = {};
  // Metadata of the image whose grid the file has. The file gets its geometry, source and
  // extra, without its statistics and boxes. Axes that are not spatial are left out, and
  // softmax and logits have a first axis "channel".
  Metadata image = {};
  SaveOptions save = {};  // `verify` is refused: use Array::verify() of the result
  int threads = 0;        // 0: the process-wide number
};

class MLARRAY_EXPORT Aggregator {
 public:
  // Begins the file, beside `path`. `shape`, `patch`: the spatial axes, 1 to 8 of them; a patch
  // may be longer than the image, and 1 along an axis. `classes` at least 1.
  // Errors: invalid_value naming the option, its value and the limit; as Array::create.
  Aggregator(const std::filesystem::path& path, const Shape& shape, const Shape& patch,
             std::int64_t classes, const AggregatorOptions& options = {});
  ~Aggregator();  // without finish(): nothing is left of the file, and what was there stays
  Aggregator(Aggregator&&) noexcept;
  Aggregator& operator=(Aggregator&&) noexcept;

  // The boxes that cover the image, in the order in which they must be added. Along an axis
  // where the image is shorter than the patch, the box leaves it, by as much on both sides:
  // read it padded. What is predicted outside is not used.
  const std::vector<Box>& boxes() const;
  // The same before there is one, when the number of classes is not known yet. Errors:
  // invalid_value.
  static std::vector<Box> boxes_of(const Shape& shape, const Shape& patch,
                                   const AggregatorOptions& options = {});
  // Scores of the next box, (classes, *patch), C order. Errors: invalid_value for another box,
  // naming the one that is expected, for another number of scores, and for scores that are not
  // finite or beyond 1e30 (with half_scores 60000): nothing has changed, add again. io, after
  // which every call is invalid_use; so is a call after finish() or in a forked child.
  void add(const Box& box, std::span<const float> scores);
  // The same of float16, as its bits.
  void add(const Box& box, std::span<const std::uint16_t> scores);
  // Writes what is left, and gives the file its name. Errors: invalid_use while boxes are
  // missing, naming the first; as Array::save.
  void finish();

  std::int64_t added() const;  // boxes so far
  // Bytes of scores, and of labels or scores that wait for their chunk to be whole: now, at
  // most so far, and at most until the end, which is known from the start.
  std::int64_t memory() const;
  std::int64_t memory_peak() const;
  std::int64_t memory_bound() const;
  // Shape and type of the file.
  Shape file_shape() const;
  DType file_dtype() const;

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace mlarray::training
