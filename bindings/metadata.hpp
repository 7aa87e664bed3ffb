// Metadata for Python: class Metadata, the table of fields, and the rules as functions.
#pragma once

#include <nanobind/nanobind.h>

#include "mlarray/metadata.hpp"

namespace mlarray::bindings {

// From a tree of dicts with the keys of either generation. Unknown keys and wrong values are
// kept, as they may come from a file: Metadata::check, which every save does, reports wrong
// values. Errors: as value_from_python.
Metadata metadata_from_python(nanobind::handle tree);
// As nested dicts with today's keys; single-value sections too: {"is_seg": {"is_seg": True}}.
nanobind::object metadata_to_python(const Metadata& metadata, bool include_none = false);

}  // namespace mlarray::bindings
