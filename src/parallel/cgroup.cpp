#include "parallel/cgroup.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace mlarray::parallel {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, at);) parts.push_back(part);
  return parts;
}

bool names_cpu(const std::string& list) {
  const std::vector<std::string> names = split(list, ',');
  return std::find(names.begin(), names.end(), "cpu") != names.end();
}

// Where a hierarchy of cgroups is mounted, and which of its groups is at the mount point.
struct Mount {
  bool version2 = false;
  std::string group;
  std::string point;
};

// Those that may limit processors.
std::vector<Mount> mounts(const fs::path& root) {
  std::vector<Mount> found;
  std::ifstream in(root / "proc/self/mountinfo");
  for (std::string line; std::getline(in, line);) {
    // id, parent, device, root, mount point, options, optional fields; then: type, device,
    // options of the system
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const std::vector<std::string> before = split(line.substr(0, dash), ' ');
    const std::vector<std::string> after = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    const bool version2 = after[0] == "cgroup2";
    if (!version2 && (after[0] != "cgroup" || !names_cpu(after[2]))) continue;
    found.push_back({version2, before[3], before[4]});
  }
  return found;
}

// The group of this process in that hierarchy; empty if it is not told.
std::string own_group(const fs::path& root, bool version2) {
  std::ifstream in(root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    // number:names:group, without names for version 2
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    if (version2 ? names.empty() : names_cpu(names)) return line.substr(second + 1);
  }
  return {};
}

std::string first_line(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// Processors; infinite without a quota.
double quota_of(const fs::path& group, bool version2) {
  std::istringstream in(version2 ? first_line(group / "cpu.max")
                                 : first_line(group / "cpu.cfs_quota_us") + ' ' +
                                       first_line(group / "cpu.cfs_period_us"));
  double quota = 0;
  double period = 0;
  // "max" is no number, and -1 no quota.
  if (!(in >> quota >> period) || quota <= 0 || period <= 0) {
    return std::numeric_limits<double>::infinity();
  }
  return quota / period;
}

}  // namespace

std::optional<int> cgroup_processors(const fs::path& root) {
  double least = std::numeric_limits<double>::infinity();
  for (const Mount& mount : mounts(root)) {
    std::string group = own_group(root, mount.version2);
    // Seen from a container, the mount may begin below the root that the group is counted from.
    if (mount.group != "/" && (group + '/').starts_with(mount.group + '/')) {
      group.erase(0, mount.group.size());
    }
    // Of a group outside what is mounted, only the mount point is known.
    if (group.find("..") != std::string::npos) group.clear();
    const fs::path top = root / fs::path(mount.point).relative_path();
    least = std::min(least, quota_of(top, mount.version2));
    fs::path here = top;
    for (const fs::path& part : fs::path(group).relative_path()) {
      here /= part;
      least = std::min(least, quota_of(here, mount.version2));
    }
  }
  constexpr double kMost = 1 << 20;
  if (least > kMost) return std::nullopt;
  return std::max(1, static_cast<int>(std::ceil(least)));
}

}  // namespace mlarray::parallel
