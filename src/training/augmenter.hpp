// Samples that are augmented: what is read for each, and what becomes of it. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "mlarray/augment/pipeline.hpp"
#include "mlarray/training/loader.hpp"
#include "training/batch_layout.hpp"
#include "training/open_cases.hpp"
#include "training/patch_reader.hpp"

namespace mlarray::training {

// Immutable; called from any thread, each with a scratch of its own.
class Augmenter {
 public:
  // Of options with `augment`. Errors: invalid_value for options and cases that cannot be
  // augmented.
  Augmenter(const OpenCase& first, const std::vector<std::string>& extras,
            const LoaderOptions& options);

  // What samplers draw boxes of: the pipeline's, with the axis of a slice.
  const Shape& initial() const { return initial_; }
  // What is read of a whole initial patch, and what batches are.
  const BatchLayout& source() const { return source_; }
  const BatchLayout& made() const { return made_; }

  // What is read for one sample, and what is done to it.
  struct Sample {
    augment::Drawn drawn;
    Draw part;           // its box is the support
    Shape start;         // of the support in the initial patch
    BatchLayout layout;  // of the support, one item
  };
  // The box of `draw` has the shape initial().
  Sample prepare(const Draw& draw) const;

  // Of what was read to `source`, sample `item` of a batch at `data`.
  void apply(const Sample& sample, const std::byte* source, const BatchLayout& into,
             std::byte* data, std::int64_t item, ReaderScratch& scratch) const;

  // From voxel of the patch to position, of an image with this affine.
  Matrix affine(const Matrix& image, const Draw& draw, const Sample& sample) const;

 private:
  // Shapes of the pipeline with the axis along which a slice has one voxel, and without.
  Shape with_slice(Shape shape, std::int64_t value) const;
  Shape without_slice(Shape shape) const;
  void put_raw(const Sample& sample, const std::byte* source, const BatchLayout& into,
               std::byte* data, std::int64_t item) const;

  std::shared_ptr<const augment::Pipeline> pipeline_;
  bool raw_ = false;
  int slice_axis_ = -1;  // of a pipeline with an axis less; -1: none
  Shape initial_;
  BatchLayout source_;
  BatchLayout made_;
};

// From voxel of a box that starts here to position.
Matrix moved_affine(const Matrix& image, const Shape& start);

}  // namespace mlarray::training
