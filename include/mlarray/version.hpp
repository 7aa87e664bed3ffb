// The version of the library (semantic versioning; docs/cpp.md says what each part promises).
// MLARRAY_VERSION and its parts are those of the headers a program was compiled with,
// version() those of the library it runs with.
#pragma once

#include <string_view>

#include "mlarray/export.hpp"

#define MLARRAY_VERSION "1.0.0"
#define MLARRAY_VERSION_MAJOR 1
#define MLARRAY_VERSION_MINOR 0
#define MLARRAY_VERSION_PATCH 0

namespace mlarray {

// "major.minor.patch". Static text; safe from any thread. Errors: none.
MLARRAY_EXPORT std::string_view version() noexcept;

}  // namespace mlarray
