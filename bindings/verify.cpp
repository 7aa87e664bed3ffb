// Verification: the switches, and the reports. python/mlarray/_verify.py makes them Python's.
#include "mlarray/verify.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <filesystem>
#include <string>

#include "bindings.hpp"
#include "cancel.hpp"
#include "gil.hpp"
#include "mlarray/array.hpp"
#include "mlarray/process.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

VerifyOptions options(bool decode, int threads, const Cancel* cancel) {
  VerifyOptions out;
  out.decode = decode;
  out.threads = threads;
  out.progress = ended_by(cancel, "verification");
  return out;
}

}  // namespace

void register_verify(nb::module_& module) {
  nb::class_<Cancel>(module, "Cancel", "Ends verifications early, from another thread.")
      .def(nb::init<>())
      .def("cancel", [](Cancel& self) { self.cancelled = true; });

  nb::class_<Damage>(module, "Damage", "One place that cannot be trusted.")
      .def_ro("chunk", &Damage::chunk)
      .def_ro("block", &Damage::block)
      .def_prop_ro("start", [](const Damage& self) { return self.voxels.start; })
      .def_prop_ro("stop", [](const Damage& self) { return self.voxels.stop; })
      .def_ro("what", &Damage::what);

  nb::class_<VerifyReport>(module, "VerifyReport", "What of a file is verified.")
      .def_prop_ro("seal", [](const VerifyReport& self) { return to_string(self.seal); })
      .def_ro("opened", &VerifyReport::opened)
      .def_ro("chunks", &VerifyReport::chunks)
      .def_ro("blocks", &VerifyReport::blocks)
      .def_ro("verified_blocks", &VerifyReport::verified_blocks)
      .def_ro("unverified_blocks", &VerifyReport::unverified_blocks)
      .def_ro("damaged_blocks", &VerifyReport::damaged_blocks)
      .def_ro("damage", &VerifyReport::damage)
      .def_ro("damage_is_complete", &VerifyReport::damage_is_complete);

  module.def(
      "verify_file",
      [](const std::filesystem::path& path, bool decode, int threads, Cancel* cancel) {
        const WithoutGil nogil;
        return verify_file(path, options(decode, threads, cancel));
      },
      "path"_a, "decode"_a = true, "threads"_a = 0, "cancel"_a.none() = nb::none(),
      nb::sig(
          "def verify_file(path: str | os.PathLike[str], decode: bool = True, threads: int = "
          "0, cancel: Cancel | None = None) -> VerifyReport"));
  module.def(
      "verify_array",
      [](const Array& array, bool decode, int threads) {
        const WithoutGil nogil;
        return array.verify(options(decode, threads, nullptr));
      },
      "array"_a, "decode"_a = true, "threads"_a = 0);
  module.def("set_verification", &set_verification, "on"_a,
             "Whether seals and checksums are verified where no call says it, process-wide.");
  module.def("verification", &verification, "Whether they are.");
}

}  // namespace mlarray::bindings
