// Puts the path in front of the error texts of lower layers, which do not know it.
#pragma once

#include <string>

#include "mlarray/error.hpp"

namespace mlarray::base {

// Runs `body`. An error whose text does not name `path` yet is thrown again with it in front;
// an empty path (an array in memory) adds nothing.
template <class Body>
auto naming(const std::string& path, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    const std::string text = error.what();
    if (path.empty() || text.find(path) != std::string::npos) throw;
    throw Error(error.kind(), "'" + path + "': " + text);
  }
}

}  // namespace mlarray::base
