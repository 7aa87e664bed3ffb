// The older generation's tree: key names of 0.0.33, and what that generation cannot say.
#pragma once

#include "mlarray/metadata.hpp"
#include "mlarray/value.hpp"

namespace mlarray::metadata {

// `metadata` with the fields that the library manages already filled in.
// Errors: unsupported, naming the field.
Value to_legacy_tree(const Metadata& metadata);

// python-blosc2 stores a tuple as a list that starts with "__tuple__".
Value with_tuples_marked(Value value);
Value with_marked_tuples(Value value);

}  // namespace mlarray::metadata
