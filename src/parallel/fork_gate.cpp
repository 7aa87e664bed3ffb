// A child of fork() has one thread. Locks that other threads held stay locked in it for ever,
// and their half-done changes stay half done. So a fork waits until no other thread is inside
// the library, and joins the workers of the pool.
#include "parallel/fork_gate.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "parallel/thread_pool.hpp"

#ifndef _WIN32
#include <pthread.h>
#endif

namespace mlarray::parallel {
namespace {

// The number of threads inside an operation, and a flag for a fork that is waiting or going
// on. One word, so that entering is one atomic add that also tells of the fork.
constexpr std::uint32_t kForking = std::uint32_t{1} << 31;
constinit std::atomic<std::uint32_t> gate = 0;

constinit std::atomic<std::uint64_t> generation = 1;

constinit thread_local int nesting = 0;
constinit thread_local bool is_worker = false;

// Forks are rare, so waiting for one is polling: nothing that could be lost over a fork.
class Backoff {
 public:
  void pause() {
    if (tries_ < 16) {
      ++tries_;
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(sleep_);
      sleep_ = std::min(sleep_ * 2, std::chrono::microseconds(1000));
    }
  }

 private:
  int tries_ = 0;
  std::chrono::microseconds sleep_{20};
};

void leave() noexcept { gate.fetch_sub(1); }

void enter() noexcept {
  while ((gate.fetch_add(1) & kForking) != 0) {
    leave();
    for (Backoff backoff; (gate.load() & kForking) != 0;) backoff.pause();
  }
}

struct Callbacks {
  std::mutex mutex;
  std::vector<void (*)()> list;
};

// Never destroyed: a fork may come after static objects are gone.
Callbacks& callbacks() {
  static Callbacks& instance = *new Callbacks;
  return instance;
}

#ifndef _WIN32

void before_fork() {
  // From inside a body on a worker: its caller waits for this very thread, so waiting for the
  // caller would be for ever. Such a child can do no more than exec or _exit.
  if (is_worker) return;
  // Of two threads that both fork inside an operation, neither must wait for the other's.
  if (nesting > 0) leave();
  Backoff for_the_gate;
  while ((gate.fetch_or(kForking) & kForking) != 0) for_the_gate.pause();
  Backoff for_the_others;
  while (gate.load() != kForking) for_the_others.pause();
  join_workers();
}

void after_fork_in_parent() {
  if (is_worker) return;
  if (nesting > 0) gate.fetch_add(1);
  gate.fetch_and(~kForking);
}

void after_fork_in_child() {
  gate.store(nesting > 0 ? 1 : 0);
  generation.fetch_add(1);
  for (void (*callback)() : callbacks().list) callback();
}

[[maybe_unused]] const int registered =
    ::pthread_atfork(&before_fork, &after_fork_in_parent, &after_fork_in_child);

#endif

}  // namespace

OperationGuard::OperationGuard() {
  if (nesting == 0) enter();
  ++nesting;
}

OperationGuard::~OperationGuard() {
  if (--nesting == 0) leave();
}

void at_fork_child(void (*callback)()) {
  const OperationGuard no_fork_meanwhile;
  Callbacks& all = callbacks();
  const std::scoped_lock lock(all.mutex);
  all.list.push_back(callback);
}

std::uint64_t process_generation() noexcept { return generation.load(); }

bool fork_waits() noexcept { return (gate.load(std::memory_order_relaxed) & kForking) != 0; }

bool may_let_fork_pass() noexcept { return nesting == 1 && !is_worker; }

void let_fork_pass() noexcept {
  leave();
  enter();
}

void enter_worker_thread() noexcept {
  is_worker = true;
  nesting = 1;
}

}  // namespace mlarray::parallel
