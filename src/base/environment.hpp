// The one place that reads the environment of the process.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace mlarray::base {

// Nothing if it is not set. Unsafe beside setenv() on another thread, which this library never
// calls.
inline std::optional<std::string> environment_variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr) return std::nullopt;
  return value;
}

}  // namespace mlarray::base
