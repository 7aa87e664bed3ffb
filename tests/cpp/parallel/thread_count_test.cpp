#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>

#include "parallel/cgroup.hpp"
#include "parallel/thread_pool.hpp"
#include "support/child_process.hpp"
#include "support/errors.hpp"

namespace mlarray::parallel {
namespace {

constexpr char kProbe[] = "MLARRAY_TEST_PROBE_THREADS";
constexpr char kVariable[] = "MLARRAY_NUM_THREADS";
constexpr int kRefused = 99;

// The first look-up needs a fresh process: started again with kProbe set, this program does
// nothing but tell what it gives.
[[maybe_unused]] const bool probed = [] {
  if (std::getenv(kProbe) == nullptr) return false;
  try {
    ::_exit(num_threads());
  } catch (const Error& error) {
    const std::string message = error.what();
    const bool clear = error.kind() == ErrorKind::invalid_value &&
                       message.find(kVariable) != std::string::npos &&
                       message.find(std::getenv(kVariable)) != std::string::npos;
    bool still_refused = false;
    try {
      parallel_for(2, 0, [](std::size_t, int) {});
    } catch (const Error&) {
      still_refused = true;
    }
    set_num_threads(3);
    ::_exit(clear && still_refused && num_threads() == 3 ? kRefused : 98);
  }
}();

int first_look_up(const char* value, bool on_one_processor = false) {
  return test::run_in_child([=] {
    if (on_one_processor) {
      cpu_set_t allowed;
      if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 97;
      std::size_t first = 0;
      while (!CPU_ISSET(first, &allowed)) ++first;
      CPU_ZERO(&allowed);
      CPU_SET(first, &allowed);
      if (::sched_setaffinity(0, sizeof allowed, &allowed) != 0) return 97;
    }
    if (value != nullptr) {
      ::setenv(kVariable, value, 1);
    } else {
      ::unsetenv(kVariable);
    }
    ::setenv(kProbe, "1", 1);
    ::execl("/proc/self/exe", "probe", static_cast<char*>(nullptr));
    return 97;
  });
}

TEST(ThreadCount, StartsAsTheVariableSays) {
  EXPECT_EQ(first_look_up("7"), 7);
  EXPECT_EQ(first_look_up("1"), 1);
}

TEST(ThreadCount, RefusesAVariableThatIsNoCount) {
  for (const char* value : {"many", "0", "-2", "3x", " 4", "2.5", "99999999999"}) {
    EXPECT_EQ(first_look_up(value), kRefused) << value;
  }
}

TEST(ThreadCount, StartsAsTheProcessorsOfThisProcess) {
  cpu_set_t allowed;
  ASSERT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
  const int processors = CPU_COUNT(&allowed);
  const int expected = std::min(processors, cgroup_processors().value_or(processors));
  EXPECT_EQ(first_look_up(nullptr), expected);
  EXPECT_EQ(first_look_up(""), expected);
  EXPECT_EQ(first_look_up(nullptr, true), 1);
}

TEST(ThreadCount, CanBeSet) {
  set_num_threads(5);
  EXPECT_EQ(num_threads(), 5);
  EXPECT_ERROR(set_num_threads(0), ErrorKind::invalid_value, "0", "1 or more");
  EXPECT_ERROR(set_num_threads(-3), ErrorKind::invalid_value, "-3");
  EXPECT_EQ(num_threads(), 5);
}

TEST(ThreadCount, LimitsTheWorkersOfACall) {
  set_num_threads(5);
  EXPECT_EQ(worker_count(100, 0), 5);
  EXPECT_EQ(worker_count(3, 0), 3);
  EXPECT_EQ(worker_count(100, 8), 8);
  EXPECT_EQ(worker_count(0, 8), 1);
  EXPECT_EQ(worker_count(std::numeric_limits<std::size_t>::max(), 2), 2);
  EXPECT_ERROR(worker_count(1, -1), ErrorKind::invalid_value, "-1");
  EXPECT_ERROR(parallel_for(1, -1, [](std::size_t, int) {}), ErrorKind::invalid_value, "-1");
}

}  // namespace
}  // namespace mlarray::parallel
