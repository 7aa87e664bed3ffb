#include "training/aggregator_options.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "mlarray/error.hpp"

namespace mlarray::training {
namespace {

constexpr std::size_t kMostAxes = 8;
constexpr std::int64_t kMostLabels = 65536;
constexpr std::int64_t kLongest = std::int64_t{1} << 24;  // tables have an entry for each voxel

[[noreturn]] void refuse(const std::string& text) {
  throw Error(ErrorKind::invalid_value, text);
}

// `what` must be lengths of at least 1, one for each axis of the image.
void check_lengths(const std::string& what, const Shape& lengths, const Shape& shape) {
  if (lengths.size() != shape.size()) {
    refuse(what + " " + to_string(lengths) + " for an image of shape " + to_string(shape) +
           ": give one length for each axis");
  }
  if (std::ranges::any_of(lengths, [](std::int64_t length) { return length < 1; })) {
    refuse(what + " " + to_string(lengths) + " must be at least 1 along each axis");
  }
  if (std::ranges::any_of(lengths, [](std::int64_t length) { return length > kLongest; })) {
    refuse(what + " " + to_string(lengths) + " must be at most " + std::to_string(kLongest) +
           " along each axis");
  }
}

void check_crop(const Shape& shape, const AggregatorOptions& options) {
  const Box& crop = *options.crop;
  if (options.original_shape.empty()) {
    refuse("crop without original_shape: give the shape of the image before it was cropped");
  }
  check_lengths("crop", crop.shape(), shape);
  for (std::size_t a = 0; a < shape.size(); ++a) {
    if (crop.start.size() != shape.size() || crop.stop.size() != shape.size() ||
        crop.start[a] < 0 || crop.stop[a] > options.original_shape[a]) {
      refuse("crop " + to_string(crop.start) + " to " + to_string(crop.stop) +
             " leaves the original shape " + to_string(options.original_shape));
    }
  }
}

std::vector<Value> of_spatial_axes(const List& list, const std::vector<bool>& spatial) {
  std::vector<Value> kept;
  for (std::size_t i = 0; i < std::min(list.items.size(), spatial.size()); ++i) {
    if (spatial[i]) kept.push_back(list.items[i]);
  }
  return kept;
}

}  // namespace

void check_options(const Shape& shape, const Shape& patch, std::int64_t classes,
                   const AggregatorOptions& options) {
  if (shape.empty() || shape.size() > kMostAxes) {
    refuse("an image of shape " + to_string(shape) + " has " + std::to_string(shape.size()) +
           " axes: give its spatial axes, 1 to " + std::to_string(kMostAxes));
  }
  check_lengths("shape", shape, shape);
  check_lengths("patch", patch, shape);
  if (!options.step.empty()) {
    check_lengths("step", options.step, shape);
    for (std::size_t a = 0; a < shape.size(); ++a) {
      if (options.step[a] > patch[a]) {
        refuse("step " + to_string(options.step) + " leaves gaps between patches of " +
               to_string(patch) + ": it must be at most the patch");
      }
    }
  }
  if (!(options.overlap >= 0 && options.overlap < 1)) {
    refuse("overlap " + base::float_repr(options.overlap) +
           " must be a share of the patch, from 0 to below 1");
  }
  if (classes < 1 || (options.output == Output::argmax && classes > kMostLabels)) {
    refuse("classes " + std::to_string(classes) + ": give 1 to " + std::to_string(kMostLabels));
  }
  if (options.max_memory < 0) {
    refuse("max_memory " + std::to_string(options.max_memory) +
           ": give the bytes of scores to hold in memory, or 0 for no limit");
  }
  if (options.half && options.output == Output::argmax) {
    refuse("half is for softmax and logits, and the output is argmax: labels are integers");
  }
  if (options.save.verify) {
    refuse(
        "save.verify compares the file with scores that are gone when it is finished: call "
        "Array::verify() afterwards");
  }
  if (!options.original_shape.empty()) {
    check_lengths("original_shape", options.original_shape, shape);
  }
  if (options.crop) check_crop(shape, options);
  // That these can be counted.
  Shape scores = patch;
  scores.insert(scores.begin(), classes);
  element_count(scores);
}

Shape prediction_shape(const Shape& shape, std::int64_t classes,
                       const AggregatorOptions& options) {
  Shape file = options.original_shape.empty() ? shape : options.original_shape;
  if (options.output != Output::argmax) file.insert(file.begin(), classes);
  return file;
}

DType prediction_dtype(std::int64_t classes, const AggregatorOptions& options) {
  if (options.output == Output::argmax) {
    return classes <= 256 ? DType::of<std::uint8_t>() : DType::of<std::uint16_t>();
  }
  return options.half ? DType::parse("<f2") : DType::of<float>();
}

Metadata prediction_metadata(std::size_t axes, const AggregatorOptions& options) {
  Metadata metadata = options.image;
  for (const MetadataField& field : Metadata::fields()) {
    if (field.section == "stats" || field.section == "bbox") {
      metadata.set(field.section, field.name, {});
    }
  }
  const bool labels_only = options.output == Output::argmax;
  metadata.set("is_seg", "is_seg", labels_only ? Value(true) : Value());

  // Labels of the axes, then their units, of the spatial ones and of a channel before them.
  const Value labels = metadata.get("spatial", "axis_labels");
  const Value units = metadata.get("spatial", "axis_units");
  const List* const named = labels.get_if<List>();
  std::vector<bool> spatial(axes, true);
  if (named != nullptr) spatial = metadata.spatial_axes(static_cast<int>(named->items.size()));
  List kept{std::vector<Value>(axes, Value("spatial"))};
  if (named != nullptr) kept.items = of_spatial_axes(*named, spatial);
  if (kept.items.size() != axes) {
    refuse("the metadata's axis_labels name " + std::to_string(kept.items.size()) +
           " spatial axes, but the image has " + std::to_string(axes) +
           ": give the metadata of the image that is predicted");
  }
  if (!labels_only) kept.items.insert(kept.items.begin(), Value("channel"));
  if (named != nullptr || !labels_only) {
    metadata.set("spatial", "axis_labels", Value(std::move(kept)));
  }
  if (const List* const list = units.get_if<List>()) {
    List kept_units{of_spatial_axes(*list, spatial)};
    if (!labels_only) kept_units.items.insert(kept_units.items.begin(), Value(""));
    metadata.set("spatial", "axis_units", Value(std::move(kept_units)));
  }
  return metadata;
}

}  // namespace mlarray::training
