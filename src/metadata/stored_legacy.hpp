// The older generation's trees: key names of 0.0.33, and what that generation cannot say; and
// those before, up to 0.0.27. Keys by version: to 0.0.27 "image", without a map around it,
// extra, boxes and single values, "_blosc2" and "channel_axis"; to 0.0.33 "original" for
// "image"; 0.0.34 "source"; from 0.0.35 "axis_labels" and "axis_units" for "channel_axis";
// from 0.0.42 "blosc2"; 0.0.48 adds "cparams" and "dparams".
#pragma once

#include "mlarray/metadata.hpp"
#include "mlarray/value.hpp"

namespace mlarray::metadata {

// `metadata` with the fields that the library manages already filled in.
// Errors: unsupported, naming the field.
Value to_legacy_tree(const Metadata& metadata);

// `metadata` with the keys that the writer of `previous`, a tree of msgpack, used: the
// oldest, the older or the later names. What those do not cover is left out.
// Errors: unsupported, naming the field, for what msgpack cannot hold.
Value to_tree_like(const Map& previous, const Metadata& metadata);

// A tree as it lies in a file, with that of a version up to 0.0.27 brought into the form of
// 0.0.33: "image" is "source", a bare dict or list is a section of one field.
Value from_oldest_tree(Value tree);

// python-blosc2 stores a tuple as a list that starts with "__tuple__".
Value with_tuples_marked(Value value);
Value with_marked_tuples(Value value);

}  // namespace mlarray::metadata
