#include "parallel/thread_pool.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "parallel/fork_gate.hpp"
#include "parallel/sleeper.hpp"

#ifndef _WIN32
#include <sys/mman.h>

#include <csignal>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace mlarray::parallel {
namespace {

using Body = std::function<void(std::size_t, int)>;

// A reader often asks for one patch right after another, and to wake a sleeping thread costs
// as much as decoding a few blocks. Longer than this, an idle thread would waste power.
constexpr auto kSpin = std::chrono::microseconds(20);
// To wake a thread takes the waker up to 25 us (virtual machine), so the caller wakes one and
// gets to work; each worker that joins wakes two more.
constexpr std::size_t kWokenByCaller = 1;
constexpr std::size_t kWokenByWorker = 2;
constexpr std::size_t kMaxWorkers = 1024;

constinit thread_local bool inside_body = false;

void relax() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#endif
}

template <typename Condition>
void spin_until(Condition condition) noexcept {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 16; ++i) {
      if (condition()) return;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
}

// One call of parallel_for, on the caller's stack. Counters of the pool's mutex unless atomic.
struct Job {
  Job(std::size_t n, const Body& what) : count(n), body(what) {}

  const std::size_t count;
  const Body& body;
  int places = 0;  // workers that may still join
  int joined = 0;  // ids that are taken
  std::condition_variable finished;
  std::atomic_flag failed;
  std::exception_ptr error;  // of whoever set `failed`
  alignas(64) std::atomic<std::size_t> next = 0;
  alignas(64) std::atomic<int> active = 0;  // workers inside; written under the mutex
  std::atomic<bool> paused = false;         // written under the mutex

  // Returns at the end, after an error, and where stop() says so.
  template <typename Stop>
  void take_indices(int worker, Stop stop) noexcept {
    try {
      while (!stop()) {
        const std::size_t index = next.fetch_add(1, std::memory_order_relaxed);
        if (index >= count) return;
        body(index, worker);
      }
    } catch (...) {
      next.store(count, std::memory_order_relaxed);
      if (!failed.test_and_set()) error = std::current_exception();
    }
  }
};

// Signals are for the threads of the application, so workers start with all of them blocked
// (those that a fault raises in the thread itself cannot be held back).
class SignalsBlocked {
 public:
#ifndef _WIN32
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) {
      ::sigdelset(&all, fault);
    }
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
#else
  SignalsBlocked() {}
#endif
};

// Memory for the thread-local variables of a new thread. The C library takes it when the thread
// first touches one of ours, and ends the process where there is none: so it is set aside while
// it can still be refused. Throws std::bad_alloc.
class ThreadMemory {
 public:
#ifndef _WIN32
  ThreadMemory()
      : memory_(
            ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)) {
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~ThreadMemory() { ::munmap(memory_, kBytes); }
  ThreadMemory(const ThreadMemory&) = delete;
  ThreadMemory& operator=(const ThreadMemory&) = delete;

 private:
  static constexpr std::size_t kBytes = std::size_t{1} << 20;  // more than a heap grows by
  void* memory_;
#endif
};

struct Start {
  std::optional<ThreadMemory> memory{std::in_place};
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;

  void finish() {
    const std::scoped_lock lock(mutex);
    done = true;
    changed.notify_one();
  }
  // One that is slow to start is not waited for.
  void wait() {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, std::chrono::milliseconds(50), [this] { return done; });
  }
};

// Those that one thread wakes. Shared with them, because a worker may end meanwhile.
class Woken {
 public:
  void add(std::shared_ptr<Sleeper> sleeper) noexcept {
    sleepers_[count_++] = std::move(sleeper);
  }
  void wake() noexcept {
    for (std::size_t i = 0; i < count_; ++i) sleepers_[i]->wake();
  }

 private:
  std::array<std::shared_ptr<Sleeper>, kWokenByWorker> sleepers_;
  std::size_t count_ = 0;
};

class Pool {
 public:
  void run(std::size_t count, int threads, const Body& body, bool pausable);
  void join_workers() noexcept;
  void close() noexcept;

 private:
  void work(const std::shared_ptr<Sleeper>& me) noexcept;
  Job* find_job() noexcept;
  void start_workers(std::size_t wanted);
  void enlist(Job& job, int threads);
  void withdraw(Job& job) noexcept;
  Woken choose(int places, std::size_t most) noexcept;

  std::mutex mutex_;
  std::vector<Job*> jobs_;  // oldest first
  std::vector<std::thread> workers_;
  std::vector<std::shared_ptr<Sleeper>> sleepers_;
  bool closed_ = false;
  std::atomic<int> places_ = 0;    // the sum over jobs_; written under the mutex
  std::atomic<int> stopping_ = 0;  // joins going on; written under the mutex
};

// Never destroyed, because other threads may still be running when static objects are.
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

// Joins the workers when the process exits.
struct CloseAtExit {
  ~CloseAtExit() { pool().close(); }
};

void Pool::run(std::size_t count, int threads, const Body& body, bool pausable) {
  Job job(count, body);
  const auto pause = [&] { return pausable && fork_waits(); };
  for (;;) {
    enlist(job, threads);
    job.take_indices(0, pause);
    withdraw(job);
    // Now nobody knows of the job, not even a child that is forked.
    if (job.next.load(std::memory_order_relaxed) >= count) break;
    let_fork_pass();
  }
  if (job.error) std::rethrow_exception(job.error);
}

// Lets workers join the job.
void Pool::enlist(Job& job, int threads) {
  Woken woken;
  {
    const std::scoped_lock lock(mutex_);
    const auto helpers = static_cast<std::size_t>(threads - 1);
    start_workers(helpers);
    jobs_.push_back(&job);
    job.joined = 0;
    job.paused = false;
    job.places = static_cast<int>(std::min(helpers, workers_.size()));
    places_ += job.places;
    woken = choose(job.places, kWokenByCaller);
  }
  woken.wake();
}

// Lets no more workers join, and returns when those that did are through: at the end of the
// job, or after the indices they are at.
void Pool::withdraw(Job& job) noexcept {
  std::unique_lock lock(mutex_);
  jobs_.erase(std::find(jobs_.begin(), jobs_.end(), &job));
  places_ -= job.places;
  job.paused = true;
  if (job.active == 0) return;
  lock.unlock();
  spin_until([&] { return job.active == 0; });
  lock.lock();  // also: the last worker has let go of the job
  job.finished.wait(lock, [&] { return job.active == 0; });
}

void Pool::start_workers(std::size_t wanted) {
  wanted = std::min(wanted, kMaxWorkers);
  if (workers_.size() >= wanted || closed_ || stopping_ != 0) return;
  static const CloseAtExit close_at_exit;
  const SignalsBlocked blocked;
  workers_.reserve(wanted);
  sleepers_.reserve(wanted);
  try {
    while (workers_.size() < wanted) {
      const auto start = std::make_shared<Start>();
      workers_.emplace_back([this, start, me = std::make_shared<Sleeper>()] {
        start->memory.reset();
        enter_worker_thread();
        inside_body = true;
        start->finish();
        work(me);
      });
      start->wait();  // until then nothing here takes the memory
    }
  } catch (const std::system_error&) {
    // The system allows no more threads: those there are do the work.
  } catch (const std::bad_alloc&) {
    // Nor is there memory for one.
  }
}

Woken Pool::choose(int places, std::size_t most) noexcept {
  Woken woken;
  most = std::min({static_cast<std::size_t>(places), most, sleepers_.size()});
  for (; most > 0; --most) {
    woken.add(std::move(sleepers_.back()));  // whose caches are warmest
    sleepers_.pop_back();
  }
  return woken;
}

// Of those with places that with the fewest threads, the oldest of these: a call that has many
// leaves the next worker to one that has none.
Job* Pool::find_job() noexcept {
  Job* found = nullptr;
  for (Job* job : jobs_) {
    if (job->places <= 0) continue;
    if (found == nullptr || job->active < found->active) found = job;
  }
  return found;
}

void Pool::work(const std::shared_ptr<Sleeper>& me) noexcept {
  me->claim();
  const auto stop = [&] { return stopping_.load(std::memory_order_relaxed) != 0; };
  std::unique_lock lock(mutex_);
  while (!stop()) {
    Job* job = find_job();
    if (job == nullptr) {
      lock.unlock();
      spin_until([&] { return places_ != 0 || stop(); });
      lock.lock();
      if (places_ != 0 || stop()) continue;
      sleepers_.push_back(me);  // has room: start_workers()
      lock.unlock();
      me->sleep();
      lock.lock();
      continue;
    }
    const int worker = ++job->joined;
    --job->places;
    --places_;
    ++job->active;
    Woken woken = choose(places_, kWokenByWorker);
    lock.unlock();
    woken.wake();
    // `paused` at the end of the job stops nobody: no index is left then.
    job->take_indices(worker,
                      [&] { return stop() || job->paused.load(std::memory_order_relaxed); });
    lock.lock();
    if (--job->active == 0) job->finished.notify_one();
  }
}

void Pool::join_workers() noexcept {
  std::vector<std::thread> workers;
  {
    const std::scoped_lock lock(mutex_);
    ++stopping_;
    workers.swap(workers_);
    for (const std::shared_ptr<Sleeper>& sleeper : sleepers_) sleeper->wake();
    sleepers_.clear();
  }
  for (std::thread& worker : workers) {
    if (worker.get_id() == std::this_thread::get_id()) {
      worker.detach();  // exit() was called from inside a body
    } else {
      worker.join();
    }
  }
  const std::scoped_lock lock(mutex_);
  --stopping_;
}

void Pool::close() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  join_workers();
}

class InsideBody {
 public:
  InsideBody() noexcept : before_(inside_body) { inside_body = true; }
  ~InsideBody() { inside_body = before_; }
  InsideBody(const InsideBody&) = delete;
  InsideBody& operator=(const InsideBody&) = delete;

 private:
  bool before_;
};

}  // namespace

void join_workers() noexcept { pool().join_workers(); }

namespace {

void run(std::size_t count, int threads, const Body& body, bool pausable) {
  const int workers = worker_count(count, threads);
  if (count == 0) return;
  const OperationGuard guard;
  const bool alone = inside_body || workers == 1;
  pausable = pausable && may_let_fork_pass();
  const InsideBody inside;
  if (alone) {
    for (std::size_t index = 0; index < count; ++index) {
      if (pausable && fork_waits()) let_fork_pass();
      body(index, 0);
    }
  } else {
    pool().run(count, workers, body, pausable);
  }
}

}  // namespace

std::thread start_thread(std::function<void()> body) {
  const SignalsBlocked blocked;
  return std::thread(std::move(body));
}

void parallel_for(std::size_t count, int threads, const Body& body) {
  run(count, threads, body, false);
}

void pausable_for(std::size_t count, int threads, const Body& body) {
  run(count, threads, body, true);
}

}  // namespace mlarray::parallel
