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
  // Fewer where a cpuset shrank meanwhile. Others: somebody has chosen them.
  cpu_set_t common;
  CPU_AND(&common, &now, &others_);
  if (!CPU_EQUAL(&common, &now)) return;
  // Every number, not only those that exist now: the system takes what there is and allowed.
  cpu_set_t all;
  std::memset(&all, 0xff, sizeof all);
  ::sched_setaffinity(0, sizeof all, &all);
}

#else

void Sleeper::claim() noexcept {}
void Sleeper::avoid_this_processor() noexcept {}
void Sleeper::allow_all_processors() noexcept {}

#endif

}  // namespace mlarray::parallel
