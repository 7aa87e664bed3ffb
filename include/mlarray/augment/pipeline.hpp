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
// examples/cpp/augment.cpp has all of it: the box is shifted by the start of the initial patch,
// read with read_padded(), and converted. A training::Loader does that with
// LoaderOptions::augment and a sampler for `initial`; there `seed` is Draw::seed.
//
// Images are float32, labels int16, both (channels, *spatial) with 2 or 3 spatial axes. The
// initial patch is the box that a sampler draws; the patch is what comes out, and it is around
// the same centre unless something moves it. Nothing outside the initial patch is used: there
// the label is -1, as in nnU-Net, and the image what Spatial::padding says.
//
// Free functions of plain values: safe from any thread, one Workspace for each.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mlarray/augment/transforms.hpp"
#include "mlarray/export.hpp"
#include "mlarray/types.hpp"
#include "mlarray/value.hpp"

namespace mlarray::augment {

struct Pipeline {
  Shape patch;    // spatial, 2 or 3 axes
  Shape initial;  // as many
  Spatial spatial = {};
  std::vector<Intensity> intensity = {};  // in this order
  // Axes that are flipped, each with this probability, after all of the above.
  std::vector<std::int64_t> mirror_axes = {};
  double p_mirror = 0.5;
  Labels labels = {};
  friend bool operator==(const Pipeline&, const Pipeline&) = default;
};

// What was drawn for one sample.
struct Drawn {
  // One transform for one channel.
  struct Step {
    std::int64_t transform = 0;  // in Pipeline::intensity
    std::int64_t channel = 0;
    // sigma, factor, gamma, strength, shift, value or size; blur and low resolution: one for
    // each spatial axis.
    std::array<double, 3> values = {};
    bool invert = false;      // Gamma
    bool keep_stats = false;  // Gamma
    // BlankRectangle: where it starts, then where it stops, in the patch that comes out.
    std::vector<std::int64_t> box = {};
    friend bool operator==(const Step&, const Step&) = default;
  };
  // Spatial's u: how far each control point moves. Along each spatial axis 4 points or more, of
  // which the first and the last are one spacing beyond the patch; 1: the same everywhere.
  struct Elastic {
    Shape points = {};
    std::vector<double> offsets = {};  // for each axis: all points, in C order; voxels
    friend bool operator==(const Elastic&, const Elastic&) = default;
  };
  // One step of Cascade.
  struct Change {
    enum class What { dilate, erode, close, open, remove };
    What what = What::dilate;
    std::int64_t label = 0;   // in Labels::previous
    double value = 0;         // radius; remove: which component, as a share of their number
    std::int64_t other = -1;  // remove: in Labels::previous, what it becomes; -1: nothing
    friend bool operator==(const Change&, const Change&) = default;
  };
  std::uint64_t seed = 0;  // of the noise
  // Spatial's A by rows; two axes: the lower right four. None: no change.
  std::optional<std::array<double, 9>> matrix = {};
  std::array<double, 3> shift = {};  // Spatial's t, of a crop too; two axes: the last two
  std::optional<Elastic> elastic = {};
  // As numpy.transpose takes them, before the flips. Empty: as they are.
  std::vector<std::int64_t> axes = {};
  std::vector<std::int64_t> flips = {};  // axes
  std::vector<Step> steps = {};          // in the order in which they are applied
  std::vector<Change> cascade = {};      // likewise
  friend bool operator==(const Drawn&, const Drawn&) = default;
};

// Nothing of what is drawn depends on anything but these.
// Errors: invalid_value for a pipeline that check() refuses.
MLARRAY_EXPORT Drawn draw(const Pipeline& pipeline, std::uint64_t seed, std::int64_t channels);

// The voxels of the initial patch that apply() reads: the smallest box that holds them, inside
// the initial patch. Where the transform is a copy, the patch itself.
MLARRAY_EXPORT Box support(const Pipeline& pipeline, const Drawn& drawn);

// Where voxels of the patch come from but for what is elastic: the rows of a 3x4 matrix from
// (z, y, x, 1) of the patch that comes out to a place in the initial patch; two axes: z is 0.
MLARRAY_EXPORT std::array<double, 12> placement(const Pipeline& pipeline, const Drawn& drawn);

// Voxels of the support, (channels, *spatial). Rows along the last axis must lie in memory
// without gaps; other strides are free, so that a view of a larger array will do.
struct Source {
  ConstArrayView image;       // float32
  ConstArrayView label = {};  // int16; no data and no shape: no label is made
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
