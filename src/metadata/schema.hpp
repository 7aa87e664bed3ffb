// The one table of metadata fields, and the sections they belong to.
//
// Adding a field is adding one row to kFields (and running tools/generate_meta_fields.py):
// set, get, validation, both encodings and the Python classes follow from it.
#pragma once

#include <span>
#include <string_view>

#include "mlarray/metadata.hpp"

namespace mlarray::metadata {

// Layout version of the metadata; on disk, do not change.
inline constexpr std::string_view kMlarrayVersion = "v0";

using Section = MetadataSection;

std::span<const MetadataField> fields();
std::span<const Section> sections();

// By the name of either generation; nullptr if there is none.
const Section* find_section(std::string_view name);
// The field by its name or, in a section of one value, by the section's. nullptr if none.
const MetadataField* find_field(const Section& section, std::string_view name);
// The field of a section of one value.
const MetadataField& single_field(const Section& section);
// Whether every field of the section is the library's.
bool is_managed(const Section& section);

// Position in the table, for the order in which sections and fields are kept; unknown: last.
int section_rank(std::string_view name);
int field_rank(std::string_view section, std::string_view name);

std::span<const AxisRole> axis_roles();
std::span<const std::string_view> coord_systems();
bool is_spatial_label(std::string_view label);

}  // namespace mlarray::metadata
