// How arrays are cut into chunks and blocks, as functions on plain ints.
#include "mlarray/layout.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "bindings.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

using Lengths = std::vector<std::int64_t>;
using PatchArgument = std::optional<std::variant<std::int64_t, Lengths>>;
using Heuristic = Layout (*)(const Shape&, const Lengths&, const std::vector<bool>&,
                             std::int64_t, const CacheSizes&);

nb::dict to_dict(const Layout& layout) {
  nb::dict result;
  result["chunk_size"] = nb::cast(layout.chunk);
  result["block_size"] = nb::cast(layout.block);
  result["patch_size"] = layout.patch.empty() ? nb::none() : nb::cast(layout.patch);
  return result;
}

nb::dict choose(const Shape& shape, std::int64_t itemsize, const PatchArgument& patch,
                const std::optional<Shape>& chunk, const std::optional<Shape>& block,
                const std::vector<bool>& spatial_axes) {
  LayoutRequest request;
  request.patch = AutomaticLayout{};
  if (patch) {
    std::visit([&](const auto& lengths) { request.patch = lengths; }, *patch);
  }
  request.chunk = chunk;
  request.block = block;
  request.spatial_axes = spatial_axes;
  return to_dict(choose_layout(shape, itemsize, request));
}

template <Heuristic heuristic>
nb::dict call(const Shape& shape, const Lengths& patch, const std::vector<bool>& spatial_axes,
              std::int64_t itemsize, std::int64_t l1_bytes, std::int64_t l3_bytes,
              double safety_factor) {
  return to_dict(
      heuristic(shape, patch, spatial_axes, itemsize, {l1_bytes, l3_bytes, safety_factor}));
}

template <Heuristic heuristic>
void register_heuristic(nb::module_& module, const char* name, const char* doc) {
  const CacheSizes caches;
  module.def(name, &call<heuristic>, "shape"_a, "patch"_a,
             "spatial_axes"_a = std::vector<bool>{}, "itemsize"_a = 4,
             "l1_bytes"_a = caches.l1_bytes, "l3_bytes"_a = caches.l3_bytes,
             "safety_factor"_a = caches.safety_factor, doc);
}

}  // namespace

void register_layout(nb::module_& module) {
  module.attr("DEFAULT_PATCH_SIZE") = kDefaultPatchSize;
  module.def("choose_layout", &choose, "shape"_a, "itemsize"_a, nb::kw_only(),
             "patch"_a = nb::none(), "chunk"_a = nb::none(), "block"_a = nb::none(),
             "spatial_axes"_a = std::vector<bool>{},
             "Chunk, block and patch sizes for an array; no mask: all axes are spatial; "
             "neither patch nor sizes: in memory order.");
  register_heuristic<&layout_for_patch_nd>(module, "layout_for_patch_nd",
                                           "Sizes by the heuristic of 0.0.54: any number of "
                                           "axes, one patch length per spatial one.");
  register_heuristic<&layout_for_patch_2d3d>(
      module, "layout_for_patch_2d3d",
      "Sizes by the heuristic of 0.0.33: 2 or 3 spatial axes, at most one other.");
}

}  // namespace mlarray::bindings
