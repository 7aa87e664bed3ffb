// Salvage. python/mlarray/_salvage.py makes the report Python's.
#include "mlarray/salvage.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstddef>
#include <filesystem>
#include <optional>

#include "bindings.hpp"
#include "cancel.hpp"
#include "gil.hpp"
#include "value.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

const char* metadata_name(const SalvageReport& report) {
  switch (report.metadata) {
    case SalvagedMetadata::verified:
      return "verified";
    case SalvagedMetadata::unverified:
      return "unverified";
    case SalvagedMetadata::older:
      return "older";
    case SalvagedMetadata::lost:
      return "lost";
    case SalvagedMetadata::absent:
      return "absent";
  }
  return "";
}

SalvageReport run(const std::filesystem::path& bad,
                  const std::optional<std::filesystem::path>& good, nb::handle fill,
                  bool only_verified, bool assume_order, std::optional<std::size_t> state,
                  const std::optional<std::filesystem::path>& like, int threads,
                  CommitLevel level, const Cancel* cancel) {
  SalvageOptions options;
  options.fill = value_from_python(fill, "fill");
  options.only_verified = only_verified;
  options.assume_order = assume_order;
  options.state = state;
  options.like = like.value_or("");
  options.threads = threads;
  options.level = level;
  options.progress = ended_by(cancel, "salvage");
  const WithoutGil nogil;
  return salvage(bad, good.value_or(""), options);
}

}  // namespace

void register_salvage(nb::module_& module) {
  nb::class_<SalvageState>(module, "SalvageState", "A commit that was found in a file.")
      .def_ro("offset", &SalvageState::offset)
      .def_ro("end", &SalvageState::end)
      .def_ro("sealed", &SalvageState::sealed)
      .def_ro("named", &SalvageState::named)
      .def_ro("foreign", &SalvageState::foreign);

  nb::class_<SalvageReport>(module, "SalvageReport", "What was saved of a file.")
      .def_ro("states", &SalvageReport::states)
      .def_ro("state", &SalvageReport::state)
      .def_ro("newer_lost", &SalvageReport::newer_lost)
      .def_ro("may_be_older", &SalvageReport::may_be_older)
      .def_ro("whole_state", &SalvageReport::whole_state)
      .def_ro("shape", &SalvageReport::shape)
      .def_prop_ro("dtype", [](const SalvageReport& self) { return self.dtype.text(); })
      .def_ro("voxels", &SalvageReport::voxels)
      .def_ro("verified_voxels", &SalvageReport::verified_voxels)
      .def_ro("unverified_voxels", &SalvageReport::unverified_voxels)
      .def_ro("lost_voxels", &SalvageReport::lost_voxels)
      .def_ro("lost", &SalvageReport::lost)
      .def_ro("lost_is_complete", &SalvageReport::lost_is_complete)
      .def_ro("unverified", &SalvageReport::unverified)
      .def_ro("unverified_is_complete", &SalvageReport::unverified_is_complete)
      .def_prop_ro("metadata", &metadata_name)
      .def_ro("notes", &SalvageReport::notes)
      .def_prop_ro("complete", &SalvageReport::complete)
      .def_prop_ro("verified", &SalvageReport::verified);

  module.def("salvage", &run, "bad"_a, "good"_a.none() = nb::none(), "fill"_a = 0,
             "only_verified"_a = false, "assume_order"_a = false, "state"_a.none() = nb::none(),
             "like"_a.none() = nb::none(), "threads"_a = 0, "level"_a = CommitLevel::durable,
             "cancel"_a.none() = nb::none(),
             nb::sig("def salvage(bad: str | os.PathLike[str], good: str | os.PathLike[str] | "
                     "None = None, fill: object = 0, only_verified: bool = False, "
                     "assume_order: bool = False, state: int | "
                     "None = None, like: str | os.PathLike[str] | None = None, threads: int = "
                     "0, level: CommitLevel = ..., cancel: Cancel | None = None) -> "
                     "SalvageReport"));
}

}  // namespace mlarray::bindings
