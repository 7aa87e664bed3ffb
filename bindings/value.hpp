// Python objects <-> Value.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "mlarray/value.hpp"

namespace mlarray::bindings {

// None, bool, int, float, str, bytes, list, tuple, dict and other mappings; subclasses become
// their base. NumPy scalars and arrays (whatever has dtype, item and tolist) become numbers
// and lists. `path` names the object in messages ("source").
// Errors: invalid_type naming type and path; invalid_value for an object that contains itself
// or is nested too deep.
Value value_from_python(nanobind::handle object, const std::string& path);
nanobind::object value_to_python(const Value& value);

// Registers the class by which an Opaque is shown.
void register_value(nanobind::module_& module);

}  // namespace mlarray::bindings
