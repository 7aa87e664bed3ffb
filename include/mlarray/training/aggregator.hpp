// Aggregator: predictions of overlapping patches, blended into one .mla of the image's
// geometry, with no more of them in memory than a slab along the longest axis.
//
//   Aggregator out("prediction.mla", image.shape(), {128, 128, 128}, 5, options);
//   for (const Box& box : out.boxes()) out.add(box, predict(image, box));   // (classes,
//   *patch) out.finish(metadata);
//
// Memory: classes * 4 bytes * (patch along the longest axis + its step) * the other axes.
// Thread safety: one caller at a time.
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
  gaussian,  // weight exp(-d^2 / 2 sigma^2) per axis, sigma = patch / 8: nnU-Net's
  constant,
};

enum class Output {
  argmax,   // uint8 or uint16 labels: the first of the greatest blended scores
  softmax,  // float32 or float16, (classes, *shape)
  logits,   // the blended scores as they are
};

struct AggregatorOptions {
  Shape step = {};  // from one box to the next; empty: half a patch, nnU-Net's
  Blend blend = Blend::gaussian;
  Output output = Output::argmax;
  bool half = false;  // softmax and logits as float16
  // The grid of the file, where predictions are on another: scores are resampled linearly
  // before the argmax, by slab. Empty: the image's shape.
  Shape original_shape = {};
  // Where the image lies in the original grid, if it was cropped before it was resampled.
  std::optional<Box> crop = {};
  SaveOptions save = {};
  int threads = 0;
};

class MLARRAY_EXPORT Aggregator {
 public:
  // Errors: invalid_value for shapes that do not fit; as Array::create.
  Aggregator(const std::filesystem::path& path, const Shape& shape, const Shape& patch,
             std::int64_t classes, const AggregatorOptions& options = {});
  ~Aggregator();  // without finish(): nothing is left of the file
  Aggregator(Aggregator&&) noexcept;
  Aggregator& operator=(Aggregator&&) noexcept;

  // The boxes that cover the image, in the order that keeps a slab in memory. A box may leave
  // an image smaller than the patch: read it padded, and what is outside is not used.
  const std::vector<Box>& boxes() const;
  // Scores of one of them, (classes, *patch), C order. Errors: invalid_value for another size,
  // a box that is not of boxes(), one that lies before what is written, NaN.
  void add(const Box& box, std::span<const float> scores);
  // Writes what is left, and gives the file its name. Errors: invalid_use while boxes are
  // missing, naming the first; as Array::save.
  void finish(const Metadata& metadata = {});
  // Bytes of scores and weights in memory now, at most so far.
  std::int64_t memory() const;

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace mlarray::training
