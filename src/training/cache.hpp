// A folder of files that can be made again: what is damaged, of something else or missing is
// made again, and a folder that cannot be written is none. Any number of processes use one.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mlarray::training {

// The bytes that were kept under this key; nothing if there are none. An empty folder or key
// keeps nothing. Errors: std::bad_alloc.
std::optional<std::vector<std::byte>> cached(const std::filesystem::path& folder,
                                             const std::string& key);
// Makes the folder, if it is not there, and one file in it, at once or not at all.
void keep_in_cache(const std::filesystem::path& folder, const std::string& key,
                   std::span<const std::byte> bytes);

// A file's path, size and time of change, for a key; empty if there is no such file.
std::string state_of_file(const std::filesystem::path& path);

}  // namespace mlarray::training
