// How many processors the cgroups of this process let it use. Internal.
#pragma once

#include <filesystem>
#include <optional>

namespace mlarray::parallel {

// The least quota among the process's cgroups and those above them, of version 1
// (cpu.cfs_quota_us) and 2 (cpu.max), in processors, rounded up: with more threads than that,
// all of them would stand still for the rest of each period. Nothing where there is no quota,
// on other systems than Linux, and where a file is not as it should be. `root` is for tests.
std::optional<int> cgroup_processors(const std::filesystem::path& root = "/");

}  // namespace mlarray::parallel
