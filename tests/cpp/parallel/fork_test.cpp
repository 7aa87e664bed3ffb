// Real forks, with threads in the middle of their work.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "parallel/thread_pool.hpp"
#include "support/child_process.hpp"
#include "support/sanitizer.hpp"

namespace mlarray::parallel {
namespace {

using namespace std::chrono_literals;
using test::run_in_child;

// Ends the test program where a deadlock would hang it.
class Watchdog {
 public:
  explicit Watchdog(unsigned seconds) { ::alarm(seconds); }
  ~Watchdog() { ::alarm(0); }
};

int sum_in_parallel() {
  std::atomic<int> sum = 0;
  parallel_for(100, 4, [&](std::size_t index, int) { sum += static_cast<int>(index); });
  return sum == 4950 ? 0 : 1;
}

TEST(Fork, ChildAndParentGoOn) {
  const Watchdog watchdog(60);
  for (int round = 0; round < 10; ++round) {
    EXPECT_EQ(sum_in_parallel(), 0);
    EXPECT_EQ(run_in_child([] { return sum_in_parallel() + run_in_child(&sum_in_parallel); }),
              0);
  }
}

TEST(Fork, FindsNoWorkerAlive) {
  const Watchdog watchdog(60);
  // In a child of its own: ThreadSanitizer keeps a thread in the background.
  const int status = run_in_child([] {
    static const std::size_t before = test::thread_total();
    static bool joined = false;
    if (sum_in_parallel() != 0 || test::thread_total() != before + 3) return 1;
    ::pthread_atfork([] {}, [] { joined = test::thread_total_becomes(before); }, [] {});
    const int child = run_in_child([] { return 0; });
    return child == 0 && joined ? 0 : 2;
  });
  EXPECT_EQ(status, 0);
}

TEST(Fork, WaitsUntilNoOtherThreadIsInsideAnOperation) {
  const Watchdog watchdog(60);
  std::atomic<bool> inside = false;
  std::atomic<bool> finished = false;
  std::thread other([&] {
    const OperationGuard guard;
    const OperationGuard nested;
    inside = true;
    std::this_thread::sleep_for(30ms);
    finished = true;
  });
  while (!inside) std::this_thread::yield();
  EXPECT_EQ(run_in_child([&] { return finished ? 0 : 1; }), 0);
  other.join();
}

TEST(Fork, LetsNestedOperationsPassAndNewOnesWait) {
  const Watchdog watchdog(60);
  std::atomic<bool> inside = false;
  std::atomic<bool> entered = false;
  std::atomic<bool> go_on = false;
  std::thread other([&] {
    const OperationGuard guard;
    inside = true;
    while (!go_on) std::this_thread::yield();
    const OperationGuard nested;  // must not wait for the fork that waits for this thread
    sum_in_parallel();
  });
  while (!inside) std::this_thread::yield();
  std::thread forking([&] { EXPECT_EQ(run_in_child([&] { return entered ? 1 : 0; }), 0); });
  std::this_thread::sleep_for(20ms);  // the fork is waiting by now
  std::thread late([&] {
    const OperationGuard guard;
    entered = true;
  });
  std::this_thread::sleep_for(20ms);
  EXPECT_FALSE(entered);
  go_on = true;
  for (std::thread* thread : {&other, &forking, &late}) thread->join();
  EXPECT_TRUE(entered);
}

TEST(Fork, LetsOperationsInsideABodyPass) {
  const Watchdog watchdog(60);
  std::atomic<int> inside = 0;
  std::atomic<bool> go_on = false;
  std::thread reader([&] {
    parallel_for(2, 2, [&](std::size_t, int) {
      ++inside;
      while (!go_on) std::this_thread::yield();
      const OperationGuard nested;  // on the worker too
    });
  });
  while (inside < 2) std::this_thread::yield();
  std::thread forking([] { EXPECT_EQ(run_in_child(&sum_in_parallel), 0); });
  std::this_thread::sleep_for(20ms);  // the fork is waiting by now
  go_on = true;
  reader.join();
  forking.join();
}

TEST(Fork, InsideAnOperationOfTheForkingThread) {
  const Watchdog watchdog(60);
  const OperationGuard guard;
  const OperationGuard nested;
  const auto in_child = [] {
    const OperationGuard another;
    return sum_in_parallel() + run_in_child(&sum_in_parallel);
  };
  EXPECT_EQ(run_in_child(in_child), 0);
  EXPECT_EQ(run_in_child(in_child), 0);
}

TEST(Fork, InsideOperationsOfTwoForkingThreads) {
  const Watchdog watchdog(60);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int round = 0; round < 10; ++round) {
        const OperationGuard guard;
        EXPECT_EQ(run_in_child([] { return 0; }), 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum_in_parallel(), 0);
}

TEST(Fork, InsideABody) {
  const Watchdog watchdog(60);
  std::atomic<int> calls = 0;
  std::atomic<int> forks = 0;
  parallel_for(200, 4, [&](std::size_t, int worker) {
    ++calls;
    std::this_thread::sleep_for(100us);
    if (worker > 1 || forks.fetch_add(1) > 10) return;
    EXPECT_EQ(run_in_child([&] {
                if (worker != 0) return 0;  // on a worker, all it can do is end
                std::atomic<int> sum = 0;
                parallel_for(10, 4, [&](std::size_t, int) { ++sum; });
                return sum == 10 ? 0 : 1;
              }),
              0);
  });
  EXPECT_EQ(calls, 200);
  EXPECT_EQ(sum_in_parallel(), 0);
}

TEST(Fork, ChildFinishesTheCallItWasForkedIn) {
  const Watchdog watchdog(60);
  // The child returns from parallel_for like its parent, with the indices that were left.
  int status = -1;
  bool in_child = false;
  std::atomic<int> mine = 0;
  parallel_for(50, 3, [&](std::size_t, int worker) {
    std::this_thread::sleep_for(200us);
    if (worker != 0) return;
    if (mine++ != 2) return;
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      ::alarm(20);
      in_child = true;
    } else {
      ::waitpid(pid, &status, 0);
    }
  });
  if (in_child) ::_exit(sum_in_parallel());
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Fork, SucceedsUnderConstantReadsFromManyThreads) {
  const Watchdog watchdog(100);
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::mutex mutex;  // taken inside operations only, so it is free in every child
  std::vector<std::thread> readers;
  for (int i = 0; i < 16; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const OperationGuard guard;
        {
          const std::scoped_lock lock(mutex);
        }
        std::atomic<int> sum = 0;
        parallel_for(20, 3, [&](std::size_t index, int) { sum += static_cast<int>(index); });
        if (sum != 190) ++wrong;
      }
    });
  }
  for (int round = 0; round < 50; ++round) {
    EXPECT_EQ(run_in_child([&] {
                const OperationGuard guard;
                const std::scoped_lock lock(mutex);
                return sum_in_parallel();
              }),
              0);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

TEST(PausableFor, LetsForksPass) {
  const Watchdog watchdog(100);
  for (const int threads : {3, 1}) {
    constexpr std::size_t kCount = 3000;
    std::vector<std::atomic<int>> calls(kCount);
    std::atomic<bool> done = false;
    std::atomic<bool> hurry = false;
    std::atomic<int> started = 0;
    std::mutex mutex;
    std::set<std::thread::id> since_fork;
    std::thread loader([&] {
      pausable_for(kCount, threads, [&](std::size_t index, int worker) {
        EXPECT_LT(worker, threads);
        ++calls[index];
        ++started;
        {
          const std::scoped_lock lock(mutex);
          since_fork.insert(std::this_thread::get_id());
        }
        if (!hurry) std::this_thread::sleep_for(5ms);
      });
      done = true;
    });
    for (int round = 0; round < 10; ++round) {
      const int before = started;
      while (started < before + 2 * threads) std::this_thread::yield();
      {
        const std::scoped_lock lock(mutex);
        since_fork.clear();
      }
      // The child has a pool of its own, which knows nothing of the loop.
      EXPECT_EQ(run_in_child([] { return sum_in_parallel(); }), 0);
    }
    EXPECT_FALSE(done);  // in seconds
    // Workers are back.
    const int before = started;
    while (started < before + 4 * threads) std::this_thread::yield();
    {
      const std::scoped_lock lock(mutex);
      EXPECT_GE(since_fork.size(), threads > 1 ? 2U : 1U);
    }
    hurry = true;
    loader.join();
    for (const std::atomic<int>& call : calls) ASSERT_EQ(call, 1);
  }
}

TEST(PausableFor, ManyAtOnceUnderForks) {
  const Watchdog watchdog(100);
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> loaders;
  for (int i = 0; i < 6; ++i) {
    loaders.emplace_back([&, i] {
      while (!done) {
        std::atomic<int> sum = 0;
        pausable_for(100, 1 + i, [&](std::size_t index, int) {
          parallel_for(2, 2, [](std::size_t, int) {});
          sum += static_cast<int>(index);
        });
        if (sum != 4950) ++wrong;
      }
    });
  }
  for (int round = 0; round < 50; ++round) {
    EXPECT_EQ(run_in_child([] { return sum_in_parallel(); }), 0);
  }
  done = true;
  for (std::thread& loader : loaders) loader.join();
  EXPECT_EQ(wrong, 0);
}

TEST(PausableFor, WaitsInsideAnOperation) {
  const Watchdog watchdog(60);
  std::atomic<bool> inside = false;
  std::atomic<bool> finished = false;
  std::thread other([&] {
    const OperationGuard guard;  // whose caller may hold what a child needs
    pausable_for(30, 2, [&](std::size_t, int) {
      inside = true;
      std::this_thread::sleep_for(2ms);
    });
    finished = true;
  });
  while (!inside) std::this_thread::yield();
  EXPECT_EQ(run_in_child([&] { return finished ? 0 : 1; }), 0);
  other.join();
}

TEST(PausableFor, ThrowsWhatABodyThrows) {
  for (const int threads : {1, 3}) {
    EXPECT_THROW(pausable_for(20, threads,
                              [](std::size_t index, int) {
                                if (index == 7) throw std::runtime_error("seven");
                              }),
                 std::runtime_error);
  }
}

int calls_of_first = 0;
int calls_of_second = 0;

TEST(Fork, ChangesTheGenerationAndCallsBack) {
  const Watchdog watchdog(60);
  [[maybe_unused]] static const bool once = [] {
    at_fork_child([] {
      const OperationGuard allowed;
      calls_of_first = calls_of_second + 1;
    });
    at_fork_child([] { calls_of_second = calls_of_first + 1; });
    return true;
  }();
  const std::uint64_t generation = process_generation();
  EXPECT_EQ(run_in_child([&] {
              if (process_generation() == generation) return 1;
              if (calls_of_first != 1 || calls_of_second != 2) return 2;
              const std::uint64_t mine = process_generation();
              return run_in_child(
                  [&] { return process_generation() != mine && calls_of_first == 3 ? 0 : 3; });
            }),
            0);
  EXPECT_EQ(process_generation(), generation);
  EXPECT_EQ(calls_of_first, 0);
}

}  // namespace
}  // namespace mlarray::parallel
