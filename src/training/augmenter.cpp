#include "training/augmenter.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "augment/geometry.hpp"
#include "mlarray/error.hpp"
#include "training/stopwatch.hpp"

namespace mlarray::training {
namespace {

void require(bool fits, const std::string& what) {
  if (!fits) throw Error(ErrorKind::invalid_value, what);
}

// The axis without which `patch` is that of the pipeline; -1: they are equal.
int slice_axis_of(const Shape& patch, const Shape& of_pipeline) {
  if (patch == of_pipeline) return -1;
  for (std::size_t a = 0; a < patch.size(); ++a) {
    Shape rest = patch;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(a));
    if (patch[a] == 1 && rest == of_pipeline) return static_cast<int>(a);
  }
  throw Error(ErrorKind::invalid_value,
              "patch is " + to_string(patch) + ", but augment makes patches of " +
                  to_string(of_pipeline) + "; give the same, or one axis of length 1 more");
}

LoaderOptions as_read(const LoaderOptions& options) {
  LoaderOptions read = options;
  read.batch = 1;
  read.image_type = VoxelType::float32;
  read.label_type = VoxelType::int16;
  read.indexes.clear();
  return read;
}

void check_types(const LoaderOptions& options) {
  const VoxelType image = options.image_type;
  require(image == VoxelType::float32 || image == VoxelType::float64 ||
              image == VoxelType::float16 || image == VoxelType::bfloat16,
          "the type of images is none of floats; augmented images are float32, or rounded to "
          "float16, bfloat16 or float64");
  require(options.label_type == VoxelType::stored || options.label_type == VoxelType::int16,
          "the type of labels is neither int16 nor as stored; augmented labels are int16");
  const auto from = options.normalization.from;
  require(
      from != Normalization::From::patch && from != Normalization::From::foreground,
      "a normalisation by the voxels of the patch, of which augmentation reads another part "
      "each time; normalise by constants or by stats");
  require(!options.mask_padding,
          "mask_padding with augment; labels of -1 say what is outside, with label_fill -1 and "
          "remove_outside false");
}

}  // namespace

Augmenter::Augmenter(const OpenCase& first, const std::vector<std::string>& extras,
                     const LoaderOptions& options)
    : pipeline_(options.augment), raw_(options.augment_raw) {
  const augment::Pipeline& pipeline = *pipeline_;
  augment::check(pipeline);
  slice_axis_ = slice_axis_of(options.patch, pipeline.patch);
  check_types(options);
  require(extras.empty(), "cases have '" + (extras.empty() ? "" : extras.front()) +
                              "', which cannot be augmented; leave it out of the cases' extra");
  initial_ = with_slice(pipeline.initial, 1);
  LoaderOptions read = as_read(options);
  read.patch = initial_;
  source_ = layout_of(first, {}, read);
  if (raw_) {
    require(options.image_type == VoxelType::float32,
            "augment_raw gives images of float32; leave image_type as it is");
    made_ = with_batch(source_, options.batch);
    made_.first_extra = static_cast<int>(made_.fields.size());
    return;
  }

  const std::int64_t channels = source_.fields.front().channels;
  const bool labelled = source_.label >= 0;
  made_.patch = options.patch;
  made_.voxels = element_count(options.patch);
  FieldLayout image = source_.fields.front();
  image.kind = kind_of(options.image_type);
  image.dtype = dtype_of(image.kind);
  image.voxel_bytes = size_of(image.kind);
  if (labelled) image.channels = augment::image_channels(pipeline, channels);
  made_.fields.push_back(std::move(image));
  if (labelled) {
    const std::int64_t label_channels =
        source_.fields[static_cast<std::size_t>(source_.label)].channels;
    const std::int64_t least = pipeline.labels.previous.empty() ? 1 : 2;
    require(label_channels >= least,
            "labels have " + std::to_string(label_channels) + " channels, and augment needs " +
                std::to_string(least) + "; give the segmentation of the earlier stage as a " +
                "second file of each label");
    for (const std::int64_t masked : pipeline.labels.masked_channels) {
      require(masked < channels, "labels.masked_channels of augment has " +
                                     std::to_string(masked) + "; images have " +
                                     std::to_string(channels) + " channels");
    }
    made_.label = 1;
    std::int64_t k = 0;
    for (const Shape& shape : augment::label_shapes(pipeline, label_channels)) {
      FieldLayout label = source_.fields[static_cast<std::size_t>(source_.label)];
      if (k > 0) label.name += "_" + std::to_string(k);
      label.channels = shape.front();
      label.shape = with_slice(Shape(shape.begin() + 1, shape.end()), 1);
      made_.fields.push_back(std::move(label));
      ++k;
    }
  }
  made_.first_extra = static_cast<int>(made_.fields.size());
  made_ = with_batch(std::move(made_), options.batch);
}

Shape Augmenter::with_slice(Shape shape, std::int64_t value) const {
  if (slice_axis_ >= 0) shape.insert(shape.begin() + slice_axis_, value);
  return shape;
}

Shape Augmenter::without_slice(Shape shape) const {
  if (slice_axis_ >= 0) shape.erase(shape.begin() + slice_axis_);
  return shape;
}

Augmenter::Sample Augmenter::prepare(const Draw& draw) const {
  Sample sample;
  sample.drawn = augment::draw(*pipeline_, draw.seed, source_.fields.front().channels);
  const Box support = augment::support(*pipeline_, sample.drawn);
  sample.part = draw;
  sample.start = with_slice(support.start, 0);
  sample.part.box.start = with_slice(support.start, 0);
  sample.part.box.stop = with_slice(support.stop, 1);
  for (std::size_t a = 0; a < initial_.size(); ++a) {
    sample.part.box.start[a] += draw.box.start[a];
    sample.part.box.stop[a] += draw.box.start[a];
  }
  sample.layout = source_;
  sample.layout.patch = sample.part.box.shape();
  sample.layout.voxels = element_count(sample.layout.patch);
  sample.layout = with_batch(std::move(sample.layout), 1);
  return sample;
}

void Augmenter::apply(const Sample& sample, const std::byte* source, const BatchLayout& into,
                      std::byte* data, std::int64_t item, ReaderScratch& scratch) const {
  const TimedScope timed(scratch.augment_seconds);
  if (raw_) return put_raw(sample, source, into, data, item);
  const auto view = [&](const FieldLayout& field) {
    Shape shape = without_slice(sample.layout.patch);
    shape.insert(shape.begin(), field.channels);
    return ConstArrayView{source + field.offset, shape, c_strides(shape, field.voxel_bytes)};
  };
  const auto place = [&](const FieldLayout& field) {
    return data + field.offset + item * field.item_bytes;
  };
  augment::Source from{view(sample.layout.fields.front())};
  const FieldLayout& image = into.fields.front();
  const std::int64_t voxels = image.item_bytes / image.voxel_bytes;
  const bool converted = image.kind != Kind::f32;
  std::byte* floats = place(image);
  if (converted) {
    floats = scratch.padded.get(voxels * static_cast<std::int64_t>(sizeof(float))).data();
  }
  augment::Output out{{reinterpret_cast<float*>(floats), static_cast<std::size_t>(voxels)}};
  if (into.label >= 0) {
    from.label = view(sample.layout.fields[static_cast<std::size_t>(sample.layout.label)]);
    for (std::size_t i = static_cast<std::size_t>(into.label); i < into.fields.size(); ++i) {
      const FieldLayout& field = into.fields[i];
      out.labels.emplace_back(reinterpret_cast<std::int16_t*>(place(field)),
                              static_cast<std::size_t>(field.item_bytes / field.voxel_bytes));
    }
  }
  augment::apply(*pipeline_, sample.drawn, from, out, scratch.workspace);
  if (converted) convert(Kind::f32, floats, image.kind, place(image), voxels, nullptr);
}

void Augmenter::put_raw(const Sample& sample, const std::byte* source, const BatchLayout& into,
                        std::byte* data, std::int64_t item) const {
  const augment::Size whole = augment::lift(initial_);
  const augment::Size part = augment::lift(sample.layout.patch);
  const augment::Size start = augment::lift(sample.start, 0);
  for (std::size_t f = 0; f < into.fields.size(); ++f) {
    const FieldLayout& field = into.fields[f];
    const std::byte* from = source + sample.layout.fields[f].offset;
    std::byte* to = data + field.offset + item * field.item_bytes;
    // 0 is all bits 0, and -1 all bits 1.
    const bool label = static_cast<int>(f) == into.label;
    std::fill_n(to, field.item_bytes, label ? std::byte{0xff} : std::byte{0});
    const std::int64_t row = part[2] * field.voxel_bytes;
    for (std::int64_t c = 0; c < field.channels; ++c) {
      for (std::int64_t z = 0; z < part[0]; ++z) {
        for (std::int64_t y = 0; y < part[1]; ++y, from += row) {
          const std::int64_t line = (c * whole[0] + start[0] + z) * whole[1] + start[1] + y;
          std::copy_n(from, row, to + (line * whole[2] + start[2]) * field.voxel_bytes);
        }
      }
    }
  }
}

Matrix moved_affine(const Matrix& image, const Shape& start) {
  Matrix affine = image;
  for (std::size_t row = 0; row < start.size(); ++row) {
    for (std::size_t a = 0; a < start.size(); ++a) {
      affine[row].back() += image[row][a] * static_cast<double>(start[a]);
    }
  }
  return affine;
}

Matrix Augmenter::affine(const Matrix& image, const Draw& draw, const Sample& sample) const {
  const augment::Pipeline& pipeline = *pipeline_;
  const std::size_t axes = pipeline.patch.size();
  const std::size_t skipped = 3 - axes;
  const std::array<double, 12> place = augment::placement(pipeline, sample.drawn);
  Matrix affine = moved_affine(image, draw.box.start);
  if (raw_) return affine;
  const Matrix before = affine;
  // Axes of the image that the pipeline has.
  std::vector<std::size_t> axis;
  for (std::size_t a = 0; a < initial_.size(); ++a) {
    if (static_cast<int>(a) != slice_axis_) axis.push_back(a);
  }
  for (std::size_t row = 0; row < initial_.size(); ++row) {
    for (std::size_t j = 0; j < axes; ++j) {
      double sum = 0;
      for (std::size_t i = 0; i < axes; ++i) {
        sum += before[row][axis[i]] * place[4 * (skipped + i) + skipped + j];
      }
      affine[row][axis[j]] = sum;
      affine[row].back() += before[row][axis[j]] * place[4 * (skipped + j) + 3];
    }
  }
  return affine;
}

}  // namespace mlarray::training
