// Quotas, as Linux shows them, in a folder that stands for the root.
#include "parallel/cgroup.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "support/temp_dir.hpp"

namespace mlarray::parallel {
namespace {

class Cgroup : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    const std::filesystem::path file = folder_.path() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }
  void version1() {
    put("proc/self/mountinfo",
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
        "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset");
    put("proc/self/cgroup", "4:cpuset:/\n3:cpu,cpuacct:/jobs/mine\n0::/");
  }
  void version2(const std::string& mounted, const std::string& group) {
    put("proc/self/mountinfo",
        "30 23 0:26 " + mounted + " /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate");
    put("proc/self/cgroup", "0::" + group);
  }
  std::optional<int> found() { return cgroup_processors(folder_.path()); }

  test::TempDir folder_;
};

TEST_F(Cgroup, OfVersion2) {
  version2("/", "/user/job");
  EXPECT_EQ(found(), std::nullopt);
  put("sys/fs/cgroup/user/job/cpu.max", "max 100000");
  EXPECT_EQ(found(), std::nullopt);
  put("sys/fs/cgroup/user/job/cpu.max", "400000 100000");
  EXPECT_EQ(found(), 4);
  put("sys/fs/cgroup/user/job/cpu.max", "250000 100000");
  EXPECT_EQ(found(), 3);  // rounded up
  put("sys/fs/cgroup/user/cpu.max", "50000 100000");
  EXPECT_EQ(found(), 1);  // the group above allows less
}

TEST_F(Cgroup, OfVersion1) {
  version1();
  put("sys/fs/cgroup/cpu,cpuacct/jobs/mine/cpu.cfs_quota_us", "-1");
  put("sys/fs/cgroup/cpu,cpuacct/jobs/mine/cpu.cfs_period_us", "100000");
  EXPECT_EQ(found(), std::nullopt);
  put("sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us", "600000");
  put("sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us", "100000");
  EXPECT_EQ(found(), 6);
  put("sys/fs/cgroup/cpuset/cpu.max", "100000 100000");  // not where this process is
  EXPECT_EQ(found(), 6);
}

TEST_F(Cgroup, InAContainer) {
  // With a namespace of its own, the group is the root; without, the mount begins below it.
  version2("/", "/");
  put("sys/fs/cgroup/cpu.max", "200000 100000");
  EXPECT_EQ(found(), 2);
  version2("/docker/1234", "/docker/1234");
  EXPECT_EQ(found(), 2);
  version2("/docker/1234", "/docker/1234/inner");
  put("sys/fs/cgroup/inner/cpu.max", "100000 100000");
  EXPECT_EQ(found(), 1);
  version2("/", "/../other");
  EXPECT_EQ(found(), 2);
}

TEST_F(Cgroup, IsNothingWhereFilesMakeNoSense) {
  EXPECT_EQ(found(), std::nullopt);  // no files
  version2("/", "/");
  for (const char* text : {"", "many 100000", "100000", "0 100000", "100000 0", "1e30 1"}) {
    put("sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(found(), std::nullopt) << text;
  }
  put("sys/fs/cgroup/cpu.max", "100000 100000");
  put("proc/self/cgroup", "nonsense\n:\n");
  EXPECT_EQ(found(), 1);  // of the mount point
  put("proc/self/mountinfo", "nonsense - cgroup2\n - \n1 2 3 - cgroup2 x y");
  EXPECT_EQ(found(), std::nullopt);
}

}  // namespace
}  // namespace mlarray::parallel
