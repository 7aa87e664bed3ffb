#include "parallel/sleeper.hpp"

#include <cstddef>

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
  const int here = ::sched_getcpu();
  // Fails where the system has more processors than the set: there is room enough then.
  if (here < 0 || ::sched_getaffinity(thread_, sizeof allowed_, &allowed_) != 0) return;
  cpu_set_t others = allowed_;
  CPU_CLR(static_cast<std::size_t>(here), &others);
  if (CPU_COUNT(&others) == 0 || CPU_EQUAL(&others, &allowed_)) return;
  restricted_ = ::sched_setaffinity(thread_, sizeof others, &others) == 0;
}

void Sleeper::allow_all_processors() noexcept {
  if (!restricted_) return;
  restricted_ = false;
  ::sched_setaffinity(thread_, sizeof allowed_, &allowed_);
}

#else

void Sleeper::claim() noexcept {}
void Sleeper::avoid_this_processor() noexcept {}
void Sleeper::allow_all_processors() noexcept {}

#endif

}  // namespace mlarray::parallel
