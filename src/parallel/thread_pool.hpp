// The thread pool of the library, and what a fork needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>

namespace mlarray::parallel {

// Process-wide number of threads for one call (include/mlarray/process.hpp). num_threads()
// starts as MLARRAY_NUM_THREADS, or else as the number of processors this process may run on,
// or fewer by the quota of its cgroup.
// Errors: invalid_value for n < 1, and for a variable that is no whole number of 1 or more.
void set_num_threads(int n);
int num_threads();

// Calls body(index, worker) for every index in [0, count), on up to `threads` threads
// (0: num_threads()), the calling thread included. worker is in [0, threads) and unique among
// the threads of this call, so it can pick per-thread scratch. Returns when all are done.
// Indices are handed out in ascending order. The first exception stops the handing out and is
// thrown here. Calls from several threads at once share the workers: one that is free joins the
// call with the fewest threads. A call from inside a body runs on that thread alone.
// What threads share: one atomic add an index. A call takes the pool's mutex twice, and each
// worker that joins it twice.
// No worker is alive while the process forks: they are joined before and started again on use.
// A body may fork where it runs on the calling thread; where it runs on a worker, its child can
// only exec or _exit. Errors: invalid_value for negative `threads`; what a body throws.
void parallel_for(std::size_t count, int threads,
                  const std::function<void(std::size_t index, int worker)>& body);

// The same for a loop that runs long, as of a loader: a fork does not wait for its end. When
// one waits, every thread finishes the index it is at, the fork is made, and the loop goes on,
// with other workers and worker ids used again. In the child the loop is gone, unless it was a
// body on its thread that forked. So between two indices the caller and the bodies hold nothing
// that a child could need. Inside an OperationGuard of the caller it is an ordinary
// parallel_for.
void pausable_for(std::size_t count, int threads,
                  const std::function<void(std::size_t index, int worker)>& body);

// Number of worker ids that parallel_for(count, threads, ...) will use at most; at least 1.
// Who sizes scratch by it passes the result on as `threads`, because set_num_threads() may be
// called in between. Errors: invalid_value for negative `threads`.
int worker_count(std::size_t count, int threads);

// Every public operation holds one of these for its duration. A fork waits until no other
// thread is inside an operation, so that a child never inherits a lock that nobody will
// release. Nests on one thread; costs one atomic add. While a fork waits, new operations of
// other threads wait too. Never hold one while waiting for something that a forking thread may
// hold (in Python: release the GIL before it begins, take it again after it ends).
class OperationGuard {
 public:
  OperationGuard();
  ~OperationGuard();
  OperationGuard(const OperationGuard&) = delete;
  OperationGuard& operator=(const OperationGuard&) = delete;
};

// A thread that is no worker: whoever starts it joins it. Signals are for the threads of the
// application, so it has those blocked. A forked child does not have it. Errors:
// std::system_error.
std::thread start_thread(std::function<void()> body);

// Called in a child after fork, in the order of registration. For static objects only.
void at_fork_child(void (*callback)());

// Changes in every forked child: lets an object see that it was inherited.
std::uint64_t process_generation() noexcept;

}  // namespace mlarray::parallel
