// Puts the path in front of the error texts of lower layers, which do not know it.
#pragma once

#include <string>

#include "mlarray/error.hpp"

namespace mlarray::base {

// Runs `body`. An error that is about no file yet is thrown again with `path` in front; an
// empty path (an array in memory) adds nothing.
template <class Body>
auto naming(const std::string& path, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    // The text is not asked: a path such as "1" occurs in texts that do not name it.
    if (path.empty() || !error.path().empty()) throw;
    throw Error(error.kind(), "'" + path + "': " + error.what(), path, error.system_error());
  }
}

}  // namespace mlarray::base
