// training::LabelIndex. python/mlarray/training/_labels.py makes it Python's.
#include "mlarray/training/label_index.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "gil.hpp"
#include "mlarray/array.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

using training::LabelClass;
using training::LabelIndex;
using training::LabelIndexOptions;
using Joined = std::vector<std::vector<std::int64_t>>;

// All voxels of a class that are kept, axis by axis, as int64 in the machine's byte order.
nb::bytes voxels_of(const LabelIndex& index, std::size_t which) {
  std::vector<std::int64_t> numbers;
  {
    const WithoutGil nogil;
    const auto classes = index.classes();
    const std::int64_t count = which < classes.size() ? classes[which].positions : 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const Shape voxel = index.voxel(which, i);
      numbers.insert(numbers.end(), voxel.begin(), voxel.end());
    }
  }
  return nb::bytes(reinterpret_cast<const char*>(numbers.data()),
                   numbers.size() * sizeof(std::int64_t));
}

// Lists of (labels, bytes of int64 numbers).
LabelIndex from_lists(const Shape& shape,
                      const std::vector<std::pair<std::vector<std::int64_t>, nb::bytes>>& of) {
  std::vector<LabelIndex::Listed> lists;
  for (const auto& [labels, bytes] : of) {
    LabelIndex::Listed listed{labels, std::vector<std::int64_t>(bytes.size() / 8)};
    if (!listed.voxels.empty()) {
      std::memcpy(listed.voxels.data(), bytes.c_str(), listed.voxels.size() * 8);
    }
    lists.push_back(std::move(listed));
  }
  const WithoutGil nogil;
  return LabelIndex::from_lists(shape, lists);
}

}  // namespace

void register_label_index(nb::module_& module) {
  nb::class_<LabelIndexOptions>(module, "LabelIndexOptions", "What an index is made with.")
      .def(
          "__init__",
          [](LabelIndexOptions* self, std::int64_t positions,
             std::optional<std::int64_t> background, Joined joined, int threads) {
            new (self) LabelIndexOptions{positions, background, std::move(joined), threads};
          },
          "positions"_a, "background"_a.none(), "joined"_a, "threads"_a);

  nb::class_<LabelClass>(module, "LabelClass", "One class of a label map.")
      .def_ro("labels", &LabelClass::labels)
      .def_ro("count", &LabelClass::count)
      .def_ro("positions", &LabelClass::positions);

  nb::class_<LabelIndex>(module, "LabelIndex", "Where the classes of a label map are.")
      .def_static("build", &LabelIndex::build, "array"_a, "options"_a,
                  nb::call_guard<WithoutGil>())
      .def_static("of", &LabelIndex::of, "array"_a, nb::call_guard<WithoutGil>())
      .def_static("from_lists", &from_lists, "shape"_a, "lists"_a)
      .def_static(
          "from_bytes",
          [](const nb::bytes& bytes) {
            const std::span data(reinterpret_cast<const std::byte*>(bytes.c_str()),
                                 bytes.size());
            const WithoutGil nogil;
            return LabelIndex::from_bytes(data);
          },
          "data"_a)
      .def("to_bytes",
           [](const LabelIndex& self) {
             const auto bytes = self.bytes();
             return nb::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
           })
      .def_prop_ro("shape", [](const LabelIndex& self) { return self.shape(); })
      .def_prop_ro("classes",
                   [](const LabelIndex& self) {
                     return std::vector<LabelClass>(self.classes().begin(),
                                                    self.classes().end());
                   })
      .def_prop_ro("foreground", &LabelIndex::foreground)
      .def_prop_ro("background", &LabelIndex::background)
      .def_prop_ro("memory", &LabelIndex::memory)
      .def_prop_ro("listed", &LabelIndex::listed)
      .def("find", &LabelIndex::find, "label"_a)
      .def("voxels", &voxels_of, "which"_a)
      .def(
          "draw",
          [](const LabelIndex& self, std::size_t which, std::uint64_t seed, std::uint64_t epoch,
             std::uint64_t index) {
            Random random(seed, epoch, index);
            return self.draw(which, random);
          },
          "which"_a, "seed"_a, "epoch"_a, "index"_a);

  module.def(
      "build_label_index",
      [](const std::filesystem::path& path, const LabelIndexOptions& options,
         CommitLevel level) {
        const WithoutGil nogil;
        return training::build_label_index(path, options, level);
      },
      "path"_a, "options"_a, "level"_a = CommitLevel::ordered,
      nb::sig("def build_label_index(path: str | os.PathLike[str], options: "
              "LabelIndexOptions, level: CommitLevel = ...) -> bool"));
  module.def(
      "build_label_index_in",
      [](Array& array, const LabelIndexOptions& options, CommitLevel level) {
        const WithoutGil nogil;
        return training::build_label_index(array, options, level);
      },
      "array"_a, "options"_a, "level"_a = CommitLevel::ordered,
      nb::sig("def build_label_index_in(array: Array, options: LabelIndexOptions, level: "
              "CommitLevel = ...) -> bool"));
  module.def(
      "store_label_index",
      [](const std::filesystem::path& path, const LabelIndex& index, CommitLevel level) {
        const WithoutGil nogil;
        return training::store_label_index(path, index, level);
      },
      "path"_a, "index"_a, "level"_a = CommitLevel::ordered,
      nb::sig("def store_label_index(path: str | os.PathLike[str], index: LabelIndex, level: "
              "CommitLevel = ...) -> bool"));
  module.def(
      "label_index_of",
      [](const Array& array, const std::filesystem::path& cache,
         const LabelIndexOptions& options) {
        const WithoutGil nogil;
        return training::label_index_of(array, cache, options);
      },
      "array"_a, "cache"_a, "options"_a,
      nb::sig("def label_index_of(array: Array, cache: str | os.PathLike[str], options: "
              "LabelIndexOptions) -> LabelIndex"));
  module.def(
      "nnunet_class_locations",
      [](const std::filesystem::path& pkl, const Shape& shape,
         const std::filesystem::path& cache) {
        const WithoutGil nogil;
        return training::nnunet_class_locations(pkl, shape, cache);
      },
      "pkl"_a, "shape"_a, "cache"_a,
      nb::sig("def nnunet_class_locations(pkl: str | os.PathLike[str], shape: Sequence[int], "
              "cache: str | os.PathLike[str]) -> LabelIndex"));
}

}  // namespace mlarray::bindings
