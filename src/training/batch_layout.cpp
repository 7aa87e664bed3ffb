#include "training/batch_layout.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "mlarray/error.hpp"

namespace mlarray::training {
namespace {

constexpr std::int64_t kFieldAlignment = 64;
constexpr std::int64_t kMostBatchBytes = std::int64_t{1} << 62;

FieldLayout field(const std::string& name, const FileGroup& group, VoxelType type) {
  const OpenFile& first = group.files.front();
  FieldLayout field;
  field.name = name;
  field.channels = group.channels;
  if (type == VoxelType::stored) {
    field.dtype = first.dtype;
    field.kind = kind_of(first.dtype);
    field.is_stored = true;
    field.voxel_bytes = first.dtype.itemsize();
    return field;
  }
  if (kind_of(first.dtype) == Kind::other) {
    throw Error(ErrorKind::invalid_type,
                "'" + first.path + "' has elements of " + base::quote(first.dtype.text()) +
                    ", which cannot be converted; ask for them as stored, or save numbers in "
                    "the byte order of this machine",
                first.path);
  }
  field.kind = kind_of(type);
  field.dtype = dtype_of(field.kind);
  field.voxel_bytes = size_of(field.kind);
  return field;
}

void check_fill(const FieldLayout& field, double fill, const char* option) {
  if (fill == 0) return;
  std::array<std::byte, 8> voxel;
  const bool fits =
      field.kind != Kind::other && convert(Kind::f64, reinterpret_cast<const std::byte*>(&fill),
                                           field.kind, voxel.data(), 1, nullptr);
  if (fits && !is_integer(field.kind)) return;
  const auto whole = fits ? whole_number(field.kind, voxel.data()) : std::nullopt;
  if (whole && static_cast<double>(*whole) == fill) return;
  throw Error(ErrorKind::invalid_value,
              std::string(option) + " is " + base::float_repr(fill) + ", which " + field.name +
                  " of type " + base::quote(field.dtype.text()) +
                  " cannot hold; choose a type for " + field.name + " that can");
}

}  // namespace

BatchLayout layout_of(const OpenCase& first, const std::vector<std::string>& extras,
                      const LoaderOptions& options) {
  BatchLayout layout;
  layout.patch = options.patch;
  layout.voxels = element_count(options.patch);
  layout.fields.push_back(field("image", first.image, options.image_type));
  if (options.normalization.from == Normalization::From::none) {
    check_fill(layout.fields.back(), options.image_fill, "image_fill");
  } else if (layout.fields.back().kind == Kind::other) {
    throw Error(ErrorKind::invalid_type, "'" + first.image.files.front().path +
                                             "' has elements that cannot be normalised");
  }
  if (!first.label.files.empty()) {
    layout.label = static_cast<int>(layout.fields.size());
    layout.fields.push_back(field("label", first.label, options.label_type));
    check_fill(layout.fields.back(), options.label_fill, "label_fill");
  }
  layout.first_extra = static_cast<int>(layout.fields.size());
  for (std::size_t i = 0; i < extras.size(); ++i) {
    layout.fields.push_back(field(extras[i], first.extra[i], VoxelType::stored));
  }
  if (options.mask_padding) {
    layout.inside = static_cast<int>(layout.fields.size());
    FieldLayout inside;
    inside.name = "inside";
    inside.dtype = DType::of<std::uint8_t>();
    inside.kind = Kind::u8;
    layout.fields.push_back(inside);
  }
  return with_batch(std::move(layout), options.batch);
}

const Shape& shape_of(const BatchLayout& layout, const FieldLayout& field) {
  return field.shape.empty() ? layout.patch : field.shape;
}

BatchLayout with_batch(BatchLayout layout, std::int64_t batch) {
  layout.batch = batch;
  layout.bytes = 0;
  for (FieldLayout& field : layout.fields) {
    // None: of a sample of which nothing is read.
    const std::int64_t voxels = element_count(shape_of(layout, field));
    const std::int64_t most = kMostBatchBytes / std::max<std::int64_t>(voxels, 1) /
                              field.voxel_bytes / batch /
                              std::max<std::int64_t>(field.channels, 1);
    const std::int64_t item_bytes = most == 0 ? 0 : voxels * field.voxel_bytes * field.channels;
    if (most == 0 || item_bytes * batch > kMostBatchBytes - layout.bytes) {
      throw Error(ErrorKind::invalid_value, "a batch of " + std::to_string(batch) +
                                                " patches of shape " + to_string(layout.patch) +
                                                " has more bytes than memory can have");
    }
    field.item_bytes = item_bytes;
    field.offset = layout.bytes;
    const std::int64_t bytes = field.item_bytes * batch;
    layout.bytes += (bytes + kFieldAlignment - 1) / kFieldAlignment * kFieldAlignment;
  }
  return layout;
}

}  // namespace mlarray::training
