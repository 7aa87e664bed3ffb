// mlarray._core: the table of contents of the extension.
#include <nanobind/nanobind.h>

#include "bindings.hpp"
#include "mlarray/version.hpp"

NB_MODULE(_core, module) {
  module.doc() = "The C++ core of mlarray. Use the classes of the package `mlarray` instead.";
  module.attr("version") = MLARRAY_VERSION;

  // An image that a daemon thread or a spawned worker still holds at exit is no leak. The tests
  // turn the warnings on, to find references that the bindings forget.
  nanobind::set_leak_warnings(false);
  module.def("set_leak_warnings", &nanobind::set_leak_warnings, nanobind::arg("on"),
             "Whether objects that are alive at exit are listed on stderr.");

  mlarray::bindings::register_errors(module);
  mlarray::bindings::register_metadata(module);
  mlarray::bindings::register_layout(module);
  mlarray::bindings::register_options(module);
  mlarray::bindings::register_array(module);
  mlarray::bindings::register_statistics(module);
  mlarray::bindings::register_verify(module);
  mlarray::bindings::register_salvage(module);
  mlarray::bindings::register_samplers(module);
  mlarray::bindings::register_batch(module);
  mlarray::bindings::register_loader(module);
  mlarray::bindings::register_label_index(module);
  mlarray::bindings::register_aggregator(module);
  mlarray::bindings::register_augment(module);
}
