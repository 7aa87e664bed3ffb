#include "metadata/schema.hpp"

#include <algorithm>
#include <array>

namespace mlarray::metadata {
namespace {

constexpr std::array kSections = {
    Section{"source", "original", true},
    Section{"extra", "extra", true},
    Section{"spatial", "spatial", false},
    Section{"stats", "stats", false},
    Section{"bbox", "bbox", false},
    Section{"is_seg", "is_seg", true},
    Section{"blosc2", "_blosc2", false},
    Section{"_has_array", "_has_array", true},
    Section{"_image_meta_format", "_image_meta_format", true},
    Section{"_mlarray_version", "_mlarray_version", true},
};

constexpr bool kReadOnly = true;

// section, name, kind, extent, legacy name, doc, read-only. Kinds: rules.cpp.
// clang-format off
constexpr std::array kFields = {
    MetadataField{"source", "data", "json_object", "", "data",
        "Metadata of the original image (DICOM tags, NIfTI header), as JSON-like data.", false},
    MetadataField{"extra", "data", "json_object", "", "data",
        "Anything else, as JSON-like data.", false},

    MetadataField{"spatial", "spacing", "number_list", "spatial", "spacing",
        "Distance between voxels, per spatial axis, in axis_units (commonly mm).", false},
    MetadataField{"spatial", "origin", "number_list", "spatial", "origin",
        "Position of voxel (0, ..., 0), per spatial axis, in axis_units.", false},
    MetadataField{"spatial", "direction", "matrix", "spatial", "direction",
        "Direction cosines; column j is the direction of spatial axis j.", false},
    MetadataField{"spatial", "affine", "matrix", "spatial+1", "",
        "Homogeneous matrix from voxel index to position; excludes spacing, origin, direction.", false},
    MetadataField{"spatial", "shape", "size_list", "axes", "shape",
        "Length of every axis of the array, in voxels.", kReadOnly},
    MetadataField{"spatial", "axis_labels", "string_list", "axes", "channel_axis",
        "Role of every axis: spatial, spatial_x, spatial_y, spatial_z, channel, temporal, ...", false},
    MetadataField{"spatial", "coord_system", "string", "", "",
        "World convention of the positions: RAS, LPS, RAS+, LPS+, unknown, other.", false},
    MetadataField{"spatial", "axis_units", "string_list", "axes", "",
        "Unit of every axis, for example mm.", false},
    MetadataField{"spatial", "_num_spatial_axes", "count", "", "",
        "Number of spatial axes, counted from axis_labels.", kReadOnly},
    MetadataField{"spatial", "_num_non_spatial_axes", "count", "", "",
        "Number of other axes, counted from axis_labels.", kReadOnly},

    MetadataField{"stats", "min", "number", "", "min", "Least voxel value.", false},
    MetadataField{"stats", "max", "number", "", "max", "Greatest voxel value.", false},
    MetadataField{"stats", "mean", "number", "", "mean", "Mean voxel value.", false},
    MetadataField{"stats", "median", "number", "", "median", "Median voxel value.", false},
    MetadataField{"stats", "std", "number", "", "std", "Standard deviation of the voxel values.", false},
    MetadataField{"stats", "percentile_min", "number", "", "percentile_min",
        "Value at the lower percentile.", false},
    MetadataField{"stats", "percentile_max", "number", "", "percentile_max",
        "Value at the upper percentile.", false},
    MetadataField{"stats", "percentile_mean", "number", "", "percentile_mean",
        "Mean of the values between the percentiles.", false},
    MetadataField{"stats", "percentile_median", "number", "", "percentile_median",
        "Median of the values between the percentiles.", false},
    MetadataField{"stats", "percentile_std", "number", "", "percentile_std",
        "Standard deviation of the values between the percentiles.", false},
    MetadataField{"stats", "percentile_min_key", "number", "", "percentile_min_key",
        "Which percentile percentile_min is, for example 0.05.", false},
    MetadataField{"stats", "percentile_max_key", "number", "", "percentile_max_key",
        "Which percentile percentile_max is, for example 0.95.", false},

    MetadataField{"bbox", "bboxes", "box_list", "", "bboxes",
        "Boxes: per box and axis a pair of lower and upper bound, in voxels.", false},
    MetadataField{"bbox", "scores", "number_list", "", "scores", "Confidence of every box.", false},
    MetadataField{"bbox", "labels", "label_list", "", "labels",
        "Class of every box: text or number.", false},

    MetadataField{"is_seg", "is_seg", "bool", "", "is_seg",
        "Whether the array is a segmentation; None: not known.", false},

    MetadataField{"blosc2", "chunk_size", "size_list", "axes", "chunk_size",
        "Length of a chunk along every axis, in voxels.", kReadOnly},
    MetadataField{"blosc2", "block_size", "size_list", "axes", "block_size",
        "Length of a block along every axis, in voxels.", kReadOnly},
    MetadataField{"blosc2", "patch_size", "size_list", "spatial", "patch_size",
        "Patch that the layout was made for, per spatial axis, in voxels.", kReadOnly},
    MetadataField{"blosc2", "cparams", "json_object", "", "",
        "Compression parameters: codec, clevel, ... in Blosc2's numbers.", kReadOnly},
    MetadataField{"blosc2", "dparams", "json_object", "", "",
        "Decompression parameters that the writer asked for.", kReadOnly},

    MetadataField{"_has_array", "has_array", "flag", "", "has_array",
        "Whether the file holds an array, or metadata only.", kReadOnly},
    MetadataField{"_image_meta_format", "image_meta_format", "string", "", "image_meta_format",
        "Name of the format that source comes from.", kReadOnly},
    MetadataField{"_mlarray_version", "mlarray_version", "string", "", "mlarray_version",
        "Version of this layout of metadata.", kReadOnly},
};
// clang-format on

constexpr std::array kAxisRoles = {
    AxisRole{"spatial", true},   AxisRole{"spatial_x", true},    AxisRole{"spatial_y", true},
    AxisRole{"spatial_z", true}, AxisRole{"non_spatial", false}, AxisRole{"channel", false},
    AxisRole{"temporal", false}, AxisRole{"continuous", false},  AxisRole{"components", false},
};

constexpr std::array<std::string_view, 6> kCoordSystems = {"RAS",  "LPS",     "RAS+",
                                                           "LPS+", "unknown", "other"};

}  // namespace

std::span<const MetadataField> fields() { return kFields; }
std::span<const Section> sections() { return kSections; }
std::span<const AxisRole> axis_roles() { return kAxisRoles; }
std::span<const std::string_view> coord_systems() { return kCoordSystems; }

const Section* find_section(std::string_view name) {
  for (const Section& section : kSections) {
    if (section.name == name || section.legacy_name == name) return &section;
  }
  return nullptr;
}

const MetadataField* find_field(const Section& section, std::string_view name) {
  for (const MetadataField& field : kFields) {
    if (field.section != section.name) continue;
    if (field.name == name || (section.single && section.name == name)) return &field;
  }
  return nullptr;
}

const MetadataField& single_field(const Section& section) {
  return *find_field(section, section.name);
}

bool is_managed(const Section& section) {
  return std::ranges::all_of(kFields, [&](const MetadataField& field) {
    return field.section != section.name || field.read_only;
  });
}

int section_rank(std::string_view name) {
  const auto* found = std::ranges::find(kSections, name, &Section::name);
  return static_cast<int>(found - kSections.begin());
}

int field_rank(std::string_view section, std::string_view name) {
  const auto* found = std::ranges::find_if(kFields, [&](const MetadataField& field) {
    return field.section == section && field.name == name;
  });
  return static_cast<int>(found - kFields.begin());
}

bool is_spatial_label(std::string_view label) {
  return std::ranges::any_of(
      kAxisRoles, [&](const AxisRole& role) { return role.spatial && role.name == label; });
}

}  // namespace mlarray::metadata
