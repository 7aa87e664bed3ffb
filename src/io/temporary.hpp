// The names of temporary files, and what becomes of those whose writer was killed.
#pragma once

#include <filesystem>

namespace mlarray::io {

// ".<name>.<pid>-<machine>-<random>.tmp" beside `target`, another one at each call. Long names
// are cut between characters.
std::filesystem::path temporary_name(const std::filesystem::path& target);

// Removes temporary files in `folder` that processes of this machine left when they were
// killed. One is removed only if its name is exactly of the form above and names this machine,
// its process is gone, it is a regular file and no link, and the system says that nobody holds
// its lock: what another machine, another container or an unlockable file system may still
// write stays. Looks through a folder at most once a minute. Never fails.
void remove_leftovers(const std::filesystem::path& folder) noexcept;

// Makes the next remove_leftovers() look through every folder again. For tests.
void forget_folders();

}  // namespace mlarray::io
