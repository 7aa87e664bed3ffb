#include "parallel/sleeper.hpp"

#include <cstddef>
#include <cstring>

#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace mlarray::parallel {

void Sleeper::sleep() noexcept {
  std::unique_lock lock(mutex_);
  woken_.wait(lock, [&] { return awake_; });
  awake_ = false;
  allow_all_processors();
}

void Sleeper::wake() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    avoid_this_processor();
    awake_ = true;
  }
  woken_.notify_one();
}

#ifdef __linux__

void Sleeper::claim() noexcept { thread_ = static_cast<pid_t>(::syscall(SYS_gettid)); }

void Sleeper::avoid_this_processor() noexcept {
  constexpr long kMostProcessors = 4;
  static const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  const int here = ::sched_getcpu();
  if (here < 0 || processors > kMostProcessors) return;
  if (::sched_getaffinity(thread_, sizeof others_, &others_) != 0) return;
  if (CPU_COUNT(&others_) != processors) return;
  CPU_CLR(static_cast<std::size_t>(here), &others_);
  if (CPU_COUNT(&others_) == 0 || CPU_COUNT(&others_) == processors) return;
  restricted_ = ::sched_setaffinity(thread_, sizeof others_, &others_) == 0;
}

void Sleeper::allow_all_processors() noexcept {
  if (!restricted_) return;
  restricted_ = false;
  cpu_set_t now;
  if (::sched_getaffinity(0, sizeof now, &now) != 0) return;
  // Every number, not only those that exist now: the system takes what there is and allowed,
  // and remembers that all were asked for when a cpuset changes.
  cpu_set_t all;
  std::memset(&all, 0xff, sizeof all);
  ::sched_setaffinity(0, sizeof all, &all);
  if (CPU_EQUAL(&now, &others_)) return;
  cpu_set_t most;
  if (::sched_getaffinity(0, sizeof most, &most) != 0) return;
  if (is_chosen(now, others_, most)) ::sched_setaffinity(0, sizeof now, &now);
}

bool is_chosen(const cpu_set_t& now, const cpu_set_t& asked, const cpu_set_t& most) noexcept {
  cpu_set_t left;
  CPU_AND(&left, &most, &asked);
  // Where nothing is left, the system gives a thread all of its cpuset.
  return !CPU_EQUAL(&now, CPU_COUNT(&left) > 0 ? &left : &most);
}

#else

void Sleeper::claim() noexcept {}
void Sleeper::avoid_this_processor() noexcept {}
void Sleeper::allow_all_processors() noexcept {}

#endif

}  // namespace mlarray::parallel
