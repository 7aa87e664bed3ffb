#pragma once

#include <filesystem>

#include "io/system.hpp"

namespace mlarray::io {

// The file that `path` names at the moment of return, open for reading and writing and locked.
// Errors: not_found; busy; io.
system::Descriptor open_locked(const std::filesystem::path& path, system::Hold hold);

}  // namespace mlarray::io
