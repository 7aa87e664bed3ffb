// The parts of the module, one function per file. They hold no logic: they translate.
#pragma once

#include <nanobind/nanobind.h>

namespace mlarray::bindings {

void register_errors(nanobind::module_& module);
void register_metadata(nanobind::module_& module);
void register_layout(nanobind::module_& module);
void register_options(nanobind::module_& module);
void register_array(nanobind::module_& module);
void register_statistics(nanobind::module_& module);
void register_verify(nanobind::module_& module);
void register_salvage(nanobind::module_& module);
void register_samplers(nanobind::module_& module);
void register_batch(nanobind::module_& module);
void register_loader(nanobind::module_& module);
void register_label_index(nanobind::module_& module);
void register_aggregator(nanobind::module_& module);
void register_augment(nanobind::module_& module);

}  // namespace mlarray::bindings
