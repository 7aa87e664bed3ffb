#include "metadata.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "mlarray/affine.hpp"
#include "mlarray/orientation.hpp"
#include "value.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

nb::object check_field(const std::string& section, const std::string& name, nb::handle value) {
  const MetadataField& field = Metadata::field(section, name);
  return value_to_python(Metadata::checked(field, value_from_python(value, field.path())));
}

void check_section(const std::string& name, const nb::dict& values) {
  const Value tree = value_from_python(values, name);
  Metadata::check_section(name, *tree.get_if<Map>());
}

std::optional<int> channel_axis_in(nb::handle labels) {
  const Value value = value_from_python(labels, "spatial.axis_labels");
  const List* list = value.get_if<List>();
  return list ? channel_axis_of(*list) : std::nullopt;
}

void register_table(nb::module_& module) {
  nb::class_<MetadataField>(module, "MetadataField", "One row of the table of fields.")
      .def_ro("section", &MetadataField::section)
      .def_ro("name", &MetadataField::name)
      .def_ro("kind", &MetadataField::kind)
      .def_ro("extent", &MetadataField::extent)
      .def_ro("legacy_name", &MetadataField::legacy_name)
      .def_ro("doc", &MetadataField::doc)
      .def_ro("read_only", &MetadataField::read_only);
  nb::class_<MetadataSection>(module, "MetadataSection", "A group of fields.")
      .def_ro("name", &MetadataSection::name)
      .def_ro("legacy_name", &MetadataSection::legacy_name)
      .def_ro("single", &MetadataSection::single, "Whether it stands for its only field.");
  module.def("metadata_fields", [] {
    const auto fields = Metadata::fields();
    return std::vector<MetadataField>(fields.begin(), fields.end());
  });
  module.def("metadata_sections", [] {
    const auto sections = Metadata::sections();
    return std::vector<MetadataSection>(sections.begin(), sections.end());
  });
  module.def("axis_roles", [] {
    std::vector<std::string_view> names;
    for (const auto& role : Metadata::axis_roles()) names.push_back(role.name);
    return names;
  });
  module.def("coord_systems", [] {
    const auto names = Metadata::coord_systems();
    return std::vector<std::string_view>(names.begin(), names.end());
  });
}

void register_rules(nb::module_& module) {
  module.def("metadata_check_field", &check_field, "section"_a, "name"_a, "value"_a.none(),
             "The value as the field keeps it: a copy of plain Python objects.");
  module.def("metadata_check_section", &check_section, "section"_a, "values"_a,
             nb::sig("def metadata_check_section(section: str, "
                     "values: dict[str, typing.Any]) -> None"),
             "Checks what the fields of a section demand of each other.");
  module.def(
      "metadata_check",
      [](nb::handle tree, int ndim) { metadata_from_python(tree).check(ndim); }, "tree"_a,
      "ndim"_a = -1);
  module.def(
      "labels_for_channel_axis",
      [](std::int64_t channel_axis, int ndim) {
        return value_to_python(labels_for_channel_axis(channel_axis, ndim));
      },
      "channel_axis"_a, "ndim"_a,
      nb::sig("def labels_for_channel_axis(channel_axis: int, "
              "ndim: int) -> list[str]"));
  module.def("channel_axis_of", &channel_axis_in, "labels"_a.none());
}

void register_affine(nb::module_& module) {
  module.def("affine_translation", &affine_translation, "affine"_a);
  module.def("affine_scale", &affine_scale, "affine"_a);
  module.def("affine_rotation", &affine_rotation, "affine"_a);
  module.def("affine_shear", &affine_shear, "affine"_a);
  module.def("frame_letters", &frame_letters, "coord_system"_a,
             "The three letters of a frame; '' if the text does not name one.");
  module.def(
      "world_axes",
      [](const std::vector<std::string>& labels, int count) {
        WorldAxes world = world_axes(labels, count);
        return std::pair(std::move(world.axes), world.named);
      },
      "labels"_a, "count"_a,
      "Which world axis each row of an affine is; whether labels say so.");
  module.def(
      "orientation_of",
      [](const Matrix& affine, const std::string& coord_system,
         const std::vector<std::string>& labels) {
        auto found = orientation_of(affine, coord_system, labels);
        return found ? std::optional(std::pair(std::move(found->letters), found->degrees))
                     : std::nullopt;
      },
      "affine"_a, "coord_system"_a, "labels"_a,
      "Letters of the axes, and the largest angle in degrees.");
}

}  // namespace

Metadata metadata_from_python(nb::handle tree) {
  return Metadata::from_unchecked(value_from_python(tree, ""));
}

nb::object metadata_to_python(const Metadata& metadata, bool include_none) {
  return value_to_python(metadata.to_value(include_none));
}

void register_metadata(nb::module_& module) {
  register_value(module);
  register_table(module);
  register_rules(module);
  register_affine(module);
  nb::class_<Metadata>(module, "Metadata", "The metadata of one image, as a value.")
      .def(
          "__init__",
          [](Metadata* self, nb::handle tree) {
            new (self) Metadata(metadata_from_python(tree));
          },
          "tree"_a.none() = nb::none(), "Takes everything; `check` tells what is wrong.")
      .def_static(
          "from_value",
          [](nb::handle tree) { return Metadata::from_value(value_from_python(tree, "")); },
          "tree"_a, "Refuses unknown keys and wrong values.")
      .def("to_tree", &metadata_to_python, "include_none"_a = false,
           nb::sig("def to_tree(self, include_none: bool = False) -> dict[str, typing.Any]"))
      .def(
          "to_json",
          [](const Metadata& self, bool include_none, int indent) {
            return to_json(self.to_value(include_none), indent);
          },
          "include_none"_a = false, "indent"_a = -1)
      .def(
          "get",
          [](const Metadata& self, std::string_view section, std::string_view name) {
            return value_to_python(self.get(section, name));
          },
          "section"_a, "name"_a,
          nb::sig("def get(self, section: str, name: str) -> typing.Any"),
          "One field, None if it is unset; of a field read from a file, as it lies there.")
      .def("check", &Metadata::check, "ndim"_a)
      .def("spatial_axes", &Metadata::spatial_axes, "ndim"_a)
      .def(
          "filled_from",
          [](const Metadata& self, const Metadata& other) {
            Metadata filled = self;
            filled.fill_from(other);
            return filled;
          },
          "other"_a, "With what is unset here taken from another image.")
      .def("ndim", &Metadata::ndim)
      .def("spatial_ndim", &Metadata::spatial_ndim)
      .def("affine", &Metadata::affine, "spatial_ndim"_a)
      .def(
          "__eq__", [](const Metadata& self, const Metadata& other) { return self == other; },
          nb::is_operator(), nb::sig("def __eq__(self, other: object, /) -> bool"));
}

}  // namespace mlarray::bindings
