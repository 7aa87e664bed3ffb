// CodecParams and SaveOptions: plain structs, made by python/mlarray/_options.py.
#include "mlarray/options.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bindings.hpp"
#include "mlarray/error.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

using FilterSlots = std::array<std::uint8_t, 6>;

decltype(LayoutRequest::patch) patch_from_python(const nb::object& patch) {
  if (patch.is_none()) {
    return AutomaticLayout{};
  }
  if (nb::isinstance<nb::str>(patch)) {
    const auto word = nb::cast<std::string>(patch);
    if (word != "default") {
      throw Error(ErrorKind::invalid_value,
                  "patch_size is '" + word +
                      "'; give 'default', an int, one int per spatial axis, or None");
    }
    return DefaultPatch{};
  }
  if (nb::isinstance<nb::int_>(patch)) {
    return nb::cast<std::int64_t>(patch);
  }
  return nb::cast<std::vector<std::int64_t>>(patch);
}

using Numbers = nb::typed<nb::dict, nb::str, int>;

// The words of some values, each with its number in Blosc2.
template <class T>
Numbers numbers_of(std::span<const T> values) {
  nb::dict numbers;
  for (const T value : values) {
    numbers[nb::str(to_string(value).c_str())] = static_cast<int>(value);
  }
  return nb::borrow<Numbers>(numbers);
}

void init_codec(CodecParams* self, int codec, int level, const FilterSlots& filters,
                const FilterSlots& filters_meta, bool split, bool adaptive) {
  if (codec < 0 || codec > 255) {
    throw Error(ErrorKind::invalid_value,
                "codec " + std::to_string(codec) + " is not in the range 0 to 255");
  }
  new (self)
      CodecParams{static_cast<Codec>(codec), level, filters, filters_meta, split, adaptive};
}

void init_save_options(SaveOptions* self, const nb::object& patch,
                       const std::optional<Shape>& chunk, const std::optional<Shape>& block,
                       const std::vector<bool>& spatial_axes,
                       const std::optional<CodecParams>& codec, bool legacy_metadata,
                       bool store_metadata, int threads, CommitLevel level, bool verify) {
  SaveOptions options;
  options.layout.patch = patch_from_python(patch);
  options.layout.chunk = chunk;
  options.layout.block = block;
  options.layout.spatial_axes = spatial_axes;
  options.codec = codec;
  options.metadata_encoding =
      legacy_metadata ? MetadataEncoding::legacy : MetadataEncoding::current;
  options.store_metadata = store_metadata;
  options.threads = threads;
  options.level = level;
  options.verify = verify;
  new (self) SaveOptions(std::move(options));
}

}  // namespace

void register_options(nb::module_& module) {
  nb::enum_<Preset>(module, "Preset", "What the library aims for where no codec is named.")
      .value("fast", Preset::fast)
      .value("balanced", Preset::balanced)
      .value("small", Preset::small);

  nb::enum_<CommitLevel>(module, "CommitLevel", "What a power cut may do to what was written.")
      .value("none", CommitLevel::none)
      .value("ordered", CommitLevel::ordered)
      .value("durable", CommitLevel::durable);

  nb::class_<CodecParams>(module, "CodecParams", "How voxels are compressed.")
      .def("__init__", &init_codec, nb::kw_only(), "codec"_a, "level"_a, "filters"_a,
           "filters_meta"_a, "split"_a, "adaptive"_a = false)
      .def_static(
          "preset_for",
          [](const std::string& dtype, Preset preset) {
            return codec_for(preset, DType::parse(dtype));
          },
          "dtype"_a, "preset"_a = Preset::fast,
          "What a preset means for elements of this dtype.")
      .def(
          "for_dtype",
          [](const CodecParams& self, const std::string& dtype) {
            return codec_for(self, DType::parse(dtype));
          },
          "dtype"_a, "The same as elements of this dtype can be written with.")
      .def_prop_ro("codec",
                   [](const CodecParams& self) { return static_cast<int>(self.codec); })
      .def_prop_ro(
          "codec_name", [](const CodecParams& self) { return to_string(self.codec); },
          "Its word; its number if it has none.")
      .def_ro("level", &CodecParams::level)
      .def_ro("filters", &CodecParams::filters)
      .def_ro("filters_meta", &CodecParams::filters_meta)
      .def_ro("split", &CodecParams::split)
      .def_ro("adaptive", &CodecParams::adaptive);

  module.def("codec_numbers", [] { return numbers_of(codecs()); }, "Codecs by their words.");
  module.def("filter_numbers", [] { return numbers_of(filters()); }, "Filters by their words.");

  nb::class_<SaveOptions>(module, "SaveOptions", "How an array is laid out and written.")
      .def("__init__", &init_save_options, nb::kw_only(), "patch"_a.none() = "default",
           "chunk"_a = nb::none(), "block"_a = nb::none(),
           "spatial_axes"_a = std::vector<bool>{}, "codec"_a = nb::none(),
           "legacy_metadata"_a = false, "store_metadata"_a = true, "threads"_a = 0,
           "level"_a = CommitLevel::ordered, "verify"_a = false)
      .def(
          "check_layout",
          [](const SaveOptions& self, const Shape& shape, std::int64_t itemsize) {
            choose_layout(shape, itemsize, self.layout);
          },
          "shape"_a, "itemsize"_a, "Refuses sizes that do not fit an array.");
}

}  // namespace mlarray::bindings
