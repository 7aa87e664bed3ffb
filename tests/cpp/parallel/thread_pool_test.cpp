#include "parallel/thread_pool.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <latch>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/child_process.hpp"

namespace mlarray::parallel {
namespace {

using namespace std::chrono_literals;

// Waits until `count` bodies run at the same time, or gives up.
class Rendezvous {
 public:
  explicit Rendezvous(int count) : missing_(count) {}
  bool arrive() {
    --missing_;
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (missing_ > 0) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

 private:
  std::atomic<int> missing_;
};

TEST(ParallelFor, CallsEveryIndexOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    for (const std::size_t count : {0u, 1u, 2u, 7u, 1000u}) {
      std::vector<std::atomic<int>> calls(count);
      parallel_for(count, threads, [&](std::size_t index, int worker) {
        ++calls.at(index);
        EXPECT_GE(worker, 0);
        EXPECT_LT(worker, worker_count(count, threads));
      });
      for (const auto& n : calls) EXPECT_EQ(n, 1);
    }
  }
}

TEST(ParallelFor, RunsOnAsManyThreadsAsAskedFor) {
  for (const int threads : {2, 5, 16}) {
    Rendezvous all(threads);
    std::mutex mutex;
    std::set<std::thread::id> ids;
    std::set<int> workers;
    parallel_for(static_cast<std::size_t>(threads), threads, [&](std::size_t, int worker) {
      EXPECT_TRUE(all.arrive());
      const std::scoped_lock lock(mutex);
      ids.insert(std::this_thread::get_id());
      workers.insert(worker);
    });
    EXPECT_EQ(ids.size(), static_cast<std::size_t>(threads));
    EXPECT_TRUE(ids.contains(std::this_thread::get_id()));
    EXPECT_EQ(workers.size(), static_cast<std::size_t>(threads));
    EXPECT_EQ(*workers.rbegin(), threads - 1);
  }
}

TEST(ParallelFor, GivesEachThreadItsOwnWorkerId) {
  constexpr int kThreads = 6;
  for (int round = 0; round < 200; ++round) {
    std::vector<std::atomic<int>> inside(kThreads);
    parallel_for(50, kThreads, [&](std::size_t, int worker) {
      auto& mine = inside.at(static_cast<std::size_t>(worker));
      EXPECT_EQ(mine.fetch_add(1), 0);
      std::this_thread::yield();
      mine.fetch_sub(1);
    });
  }
}

TEST(ParallelFor, HandsOutIndicesInAscendingOrder) {
  for (int round = 0; round < 50; ++round) {
    std::vector<std::vector<std::size_t>> seen(4);
    // An index is only waited for by later ones, so this would hang if they came first.
    std::atomic<std::size_t> finished = 0;
    parallel_for(200, 4, [&](std::size_t index, int worker) {
      seen[static_cast<std::size_t>(worker)].push_back(index);
      while (finished < index) std::this_thread::yield();
      ++finished;
    });
    std::size_t total = 0;
    for (const auto& indices : seen) {
      EXPECT_TRUE(std::is_sorted(indices.begin(), indices.end()));
      total += indices.size();
    }
    EXPECT_EQ(total, 200u);
  }
}

TEST(ParallelFor, ThrowsTheFirstExceptionHere) {
  for (const int threads : {1, 2, 4}) {
    for (int round = 0; round < 50; ++round) {
      std::atomic<int> calls = 0;
      try {
        parallel_for(10'000, threads, [&](std::size_t index, int) {
          ++calls;
          if (index == 5) throw std::runtime_error("index 5");
          if (index > 5) std::this_thread::sleep_for(50us);
        });
        FAIL() << "nothing was thrown";
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "index 5");
      }
      EXPECT_LT(calls, 5000);  // the handing out has stopped
    }
    std::atomic<int> calls = 0;
    parallel_for(100, threads, [&](std::size_t, int) { ++calls; });
    EXPECT_EQ(calls, 100);  // and the pool goes on
  }
}

TEST(ParallelFor, WaitsForAllBodiesBeforeItThrows) {
  std::atomic<bool> slow_done = false;
  Rendezvous both(2);
  EXPECT_THROW(parallel_for(2, 2,
                            [&](std::size_t index, int) {
                              both.arrive();
                              if (index == 0) throw std::runtime_error("early");
                              std::this_thread::sleep_for(5ms);
                              slow_done = true;
                            }),
               std::runtime_error);
  EXPECT_TRUE(slow_done);
}

TEST(ParallelFor, RunsNestedCallsOnTheThreadOfTheBody) {
  for (const int outer_threads : {1, 4}) {
    std::atomic<int> calls = 0;
    parallel_for(20, outer_threads, [&](std::size_t, int) {
      const std::thread::id here = std::this_thread::get_id();
      std::size_t next = 0;
      parallel_for(10, 4, [&](std::size_t index, int worker) {
        EXPECT_EQ(std::this_thread::get_id(), here);
        EXPECT_EQ(worker, 0);
        EXPECT_EQ(index, next++);
        ++calls;
      });
      EXPECT_THROW(parallel_for(2, 2, [](std::size_t, int) { throw std::logic_error("x"); }),
                   std::logic_error);
    });
    EXPECT_EQ(calls, 200);
  }
}

TEST(ParallelFor, ServesManyCallersAtOnce) {
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int caller = 0; caller < 16; ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 200; ++round) {
        const std::size_t count = static_cast<std::size_t>((caller + round) % 40);
        const int threads = 1 + (caller + round) % 5;
        std::atomic<std::size_t> sum = 0;
        parallel_for(count, threads, [&](std::size_t index, int) { sum += index + 1; });
        if (sum != count * (count + 1) / 2) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(ParallelFor, SharesItsWorkersAmongCallers) {
  // 8 callers that ask for 3 threads each may be joined by 2 workers, not by 16.
  const int status = test::run_in_child([] {  // a fresh pool
    std::mutex mutex;
    std::set<std::thread::id> ids;
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 8; ++caller) {
      callers.emplace_back([&] {
        for (int round = 0; round < 50; ++round) {
          parallel_for(20, 3, [&](std::size_t, int) {
            const std::scoped_lock lock(mutex);
            ids.insert(std::this_thread::get_id());
          });
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    return ids.size() <= 10 ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST(ParallelFor, LetsFreeWorkersJoinTheCallWithFewest) {
  const int status = test::run_in_child([] {  // a fresh pool
    std::atomic<int> busy = 0;
    std::atomic<bool> free_workers = false;
    std::atomic<bool> end = false;
    std::thread first([&] {  // has all three workers, until they are free
      parallel_for(4, 4, [&](std::size_t, int) {
        ++busy;
        while (!free_workers) std::this_thread::yield();
      });
    });
    while (busy < 4) std::this_thread::yield();
    std::array<std::atomic<int>, 2> threads{};
    std::vector<std::thread> waiting;
    for (std::atomic<int>& count : threads) {
      waiting.emplace_back([&] {
        parallel_for(4, 4, [&](std::size_t, int) {
          ++count;
          while (!end) std::this_thread::yield();
        });
      });
      while (count < 1) std::this_thread::yield();
    }
    free_workers = true;
    while (threads[0] + threads[1] < 5) std::this_thread::yield();
    const bool shared = threads[0] == 3 && threads[1] == 2;
    end = true;
    first.join();
    for (std::thread& caller : waiting) caller.join();
    return shared ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

double processor_seconds() {
  struct rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

TEST(ParallelFor, LeavesIdleThreadsAsleep) {
  parallel_for(1000, 8, [](std::size_t, int) {});
  std::this_thread::sleep_for(20ms);
  const double before = processor_seconds();
  std::this_thread::sleep_for(200ms);
  EXPECT_LT(processor_seconds() - before, 0.02);
}

TEST(ParallelFor, EndsCleanlyWithTheProcess) {
  for (int round = 0; round < 5; ++round) {
    const int status = test::run_in_child([] {
      // exit() with other threads in the middle of their calls.
      std::latch started(4);
      for (int i = 0; i < 4; ++i) {
        std::thread([&] {
          for (bool first = true;; first = false) {
            parallel_for(50, 3, [](std::size_t, int) { std::this_thread::yield(); });
            if (first) started.count_down();
          }
        }).detach();
      }
      started.wait();
      std::exit(7);
      return 1;
    });
    EXPECT_EQ(status, 7);
  }
}

// Static objects made before the pool are destroyed after its workers have gone.
struct ThreadsAtExit {
  static inline std::size_t expected = 0;
  ~ThreadsAtExit() {
    if (expected != 0) ::_exit(test::thread_total_becomes(expected) ? 7 : 8);
  }
} threads_at_exit;

TEST(ParallelFor, JoinsItsWorkersWhenTheProcessEnds) {
  const int status = test::run_in_child([] {
    ThreadsAtExit::expected = test::thread_total();
    parallel_for(100, 4, [](std::size_t, int) {});
    if (test::thread_total() != ThreadsAtExit::expected + 3) return 1;
    std::exit(2);
  });
  EXPECT_EQ(status, 7);
}

TEST(ParallelFor, LetsABodyEndTheProcess) {
  for (const int exiting : {0, 1}) {
    const int status = test::run_in_child([&] {
      Rendezvous both(2);
      parallel_for(2, 2, [&](std::size_t, int worker) {
        both.arrive();
        if (worker == exiting) std::exit(7);
        if (exiting == 1) std::this_thread::sleep_for(10s);
      });
      return 1;
    });
    EXPECT_EQ(status, 7) << exiting;
  }
}

}  // namespace
}  // namespace mlarray::parallel
