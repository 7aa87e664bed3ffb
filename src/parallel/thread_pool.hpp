// The thread pool of the library, and what a fork needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace mlarray::parallel {

// Process-wide number of threads for one call (include/mlarray/array.hpp).
void set_num_threads(int n);
int num_threads();

// Calls body(index, worker) for every index in [0, count), on up to `threads` threads
// (0: num_threads()), the calling thread included. worker is in [0, threads) and unique among
// the threads of this call, so it can pick per-thread scratch. Returns when all are done.
// Indices are handed out in ascending order. The first exception stops the handing out and is
// thrown here. Calls from several threads at once share the workers; a call from inside a body
// runs on that thread alone.
// No worker is alive while the process forks: they are joined before and started again on use.
void parallel_for(std::size_t count, int threads,
                  const std::function<void(std::size_t index, int worker)>& body);

// Number of worker ids that parallel_for(count, threads, ...) will use at most.
int worker_count(std::size_t count, int threads);

// Every public operation holds one of these for its duration. A fork waits until no other
// thread is inside an operation, so that a child never inherits a lock that nobody will
// release. Nests on one thread; costs one atomic add.
class OperationGuard {
 public:
  OperationGuard();
  ~OperationGuard();
  OperationGuard(const OperationGuard&) = delete;
  OperationGuard& operator=(const OperationGuard&) = delete;
};

// Called in a child after fork, in the order of registration. For static objects only.
void at_fork_child(void (*callback)());

// Changes in every forked child: lets an object see that it was inherited.
std::uint64_t process_generation() noexcept;

}  // namespace mlarray::parallel
