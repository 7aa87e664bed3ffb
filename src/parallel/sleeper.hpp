// A worker that waits for work, and on which processor it wakes up. Internal.
#pragma once

#include <condition_variable>
#include <mutex>

#ifdef __linux__
#include <sched.h>
#include <sys/types.h>
#endif

namespace mlarray::parallel {

// A scheduler may wake a thread on the processor of whoever wakes it though others are idle: to
// keep caches, or on a virtual machine to leave processors to its host. That thread then waits
// for the very call that it should speed up, until processors are balanced milliseconds later.
// So the waker takes its own processor out of those that the sleeper may run on, and the
// sleeper allows all of them again once it runs. Measured on a virtual machine with two
// processors, after a pause of 3 ms: 19 us until a worker works, and 2.5 ms or more in a sixth
// of the cases without.
// Only on machines of a few processors, where that was measured, and only if the sleeper may
// run on each of them: the system remembers what a thread was allowed, so that a smaller set,
// put back after the processors of its cgroup have changed, would hold it on the old ones. On
// other systems than Linux, or where the system refuses, a thread is woken and no more.
// Who pins the sleeper in the microseconds between the two may be overruled: no call of the
// system changes a set only if it is what it was.
class Sleeper {
 public:
  // On the worker: names the thread that the others are for. Once, before it sleeps.
  void claim() noexcept;
  // On the worker: returns after wake(), also one that came before.
  void sleep() noexcept;
  // On any other thread, once for each sleep().
  void wake() noexcept;

 private:
  void avoid_this_processor() noexcept;
  void allow_all_processors() noexcept;

  std::mutex mutex_;
  std::condition_variable woken_;
  bool awake_ = false;
#ifdef __linux__
  // Written by the waker before it sets awake_, read by the worker after it saw that.
  pid_t thread_ = 0;
  bool restricted_ = false;
  cpu_set_t others_{};  // what the waker left
#endif
};

#ifdef __linux__
// Whether it was somebody's choice that a thread, which was allowed `asked`, is allowed `now`:
// no cpuset (a cgroup's) explains it, under which it would get `most` if it asked for all.
bool is_chosen(const cpu_set_t& now, const cpu_set_t& asked, const cpu_set_t& most) noexcept;
#endif

}  // namespace mlarray::parallel
