// Where workers wake up.
#ifdef __linux__

#include "parallel/sleeper.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <initializer_list>
#include <thread>

#include "parallel/thread_pool.hpp"
#include "support/child_process.hpp"

namespace mlarray::parallel {
namespace {

using namespace std::chrono_literals;

cpu_set_t allowed_here() {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  return set;
}

// What a worker finds when it begins on a call that came while it slept.
struct Woken {
  int caller = -1;  // processors
  int worker = -1;
  cpu_set_t allowed{};
};

Woken wake_a_worker() {
  std::this_thread::sleep_for(3ms);
  Woken woken;
  std::atomic<bool> began = false;
  woken.caller = ::sched_getcpu();
  parallel_for(2, 2, [&](std::size_t, int worker) {
    if (worker == 0) {
      // Busy like a decoder, so that the other index is left for the worker.
      const auto end = std::chrono::steady_clock::now() + 5s;
      while (!began && std::chrono::steady_clock::now() < end) {
      }
      return;
    }
    woken.worker = ::sched_getcpu();
    woken.allowed = allowed_here();
    began = true;
  });
  EXPECT_TRUE(began);
  return woken;
}

TEST(Sleeper, WakesOnAnotherProcessorThanTheCallers) {
  const cpu_set_t allowed = allowed_here();
  if (CPU_COUNT(&allowed) < 2) GTEST_SKIP() << "this process may run on one processor only";
  constexpr int kRounds = 60;
  int elsewhere = 0;
  for (int round = 0; round < kRounds; ++round) {
    const Woken woken = wake_a_worker();
    if (woken.worker != woken.caller) ++elsewhere;
  }
  // Not all: the system may move the caller at any time.
  EXPECT_GE(elsewhere, kRounds * 3 / 4);
}

TEST(Sleeper, MayRunWhereItMightBefore) {
  const cpu_set_t allowed = allowed_here();
  for (int round = 0; round < 20; ++round) {
    const Woken woken = wake_a_worker();
    EXPECT_TRUE(CPU_EQUAL(&woken.allowed, &allowed));
  }
}

TEST(Sleeper, StaysWhereSomebodyPutIt) {
  const cpu_set_t allowed = allowed_here();
  if (CPU_COUNT(&allowed) < 2) GTEST_SKIP() << "this process may run on one processor only";
  const int status = test::run_in_child([] {  // a pool of its own
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(wake_a_worker().worker), &one);
    std::atomic<bool> pinned = false;
    parallel_for(2, 2, [&](std::size_t, int worker) {
      if (worker == 1) pinned = ::sched_setaffinity(0, sizeof one, &one) == 0;
      while (!pinned) std::this_thread::yield();
    });
    for (int round = 0; round < 20; ++round) {
      const cpu_set_t found = wake_a_worker().allowed;
      if (!CPU_EQUAL(&found, &one)) return 1;
    }
    return 0;
  });
  EXPECT_EQ(status, 0);
}

cpu_set_t set_of(std::initializer_list<std::size_t> processors) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const std::size_t one : processors) CPU_SET(one, &set);
  return set;
}

TEST(Sleeper, TellsACpusetFromAChoice) {
  const cpu_set_t asked = set_of({1, 2, 3});  // of 0 to 3
  const auto chosen = [&](const cpu_set_t& now, const cpu_set_t& most) {
    return is_chosen(now, asked, most);
  };
  EXPECT_FALSE(chosen(asked, set_of({0, 1, 2, 3})));
  // A cpuset has shrunk: what it leaves of the others, or all of it where it leaves none.
  EXPECT_FALSE(chosen(set_of({2}), set_of({0, 2})));
  EXPECT_FALSE(chosen(set_of({0}), set_of({0})));
  // Somebody has pinned the thread.
  EXPECT_TRUE(chosen(set_of({0}), set_of({0, 1, 2, 3})));
  EXPECT_TRUE(chosen(set_of({2}), set_of({0, 1, 2, 3})));
  EXPECT_TRUE(chosen(set_of({0, 1}), set_of({0, 1, 2, 3})));
}

}  // namespace
}  // namespace mlarray::parallel

#endif
