#include <algorithm>
#include <atomic>
#include <charconv>
#include <string>
#include <thread>

#include "base/environment.hpp"
#include "mlarray/error.hpp"
#include "parallel/cgroup.hpp"
#include "parallel/thread_pool.hpp"

#ifdef __linux__
#include <sched.h>

#include <cerrno>
#include <vector>
#endif

namespace mlarray::parallel {
namespace {

constexpr char kVariable[] = "MLARRAY_NUM_THREADS";

std::atomic<int> chosen = 0;  // 0: not looked up yet

// Those this process may run on, not those that exist.
int allowed_processors() {
#ifdef __linux__
  // The set must be as large as the kernel's, which is not told otherwise than by trying.
  for (std::size_t sets = 1; sets <= 64; sets *= 2) {
    std::vector<cpu_set_t> allowed(sets);
    const std::size_t bytes = sets * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, allowed.data()) == 0) {
      return std::max(1, CPU_COUNT_S(bytes, allowed.data()));
    }
    if (errno != EINVAL) break;
  }
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int processors() {
  const int allowed = allowed_processors();
  return std::min(allowed, cgroup_processors().value_or(allowed));
}

int initial() {
  const std::string value = base::environment_variable(kVariable).value_or("");
  if (value.empty()) return processors();
  int threads = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), threads);
  if (error != std::errc() || end != value.data() + value.size() || threads < 1) {
    throw Error(ErrorKind::invalid_value,
                std::string("environment variable ") + kVariable + " is '" + value +
                    "', but must be a whole number of threads, 1 or more; correct or unset it");
  }
  return threads;
}

}  // namespace

void set_num_threads(int n) {
  if (n < 1) {
    throw Error(ErrorKind::invalid_value,
                "number of threads is " + std::to_string(n) + ", but must be 1 or more");
  }
  chosen.store(n);
}

int num_threads() {
  int threads = chosen.load();
  if (threads == 0) {
    const int looked_up = initial();
    // Unless somebody has set it meanwhile.
    if (chosen.compare_exchange_strong(threads, looked_up)) threads = looked_up;
  }
  return threads;
}

int worker_count(std::size_t count, int threads) {
  if (threads < 0) {
    throw Error(ErrorKind::invalid_value, "number of threads is " + std::to_string(threads) +
                                              ", but must be 1 or more, or 0 for the default");
  }
  const int limit = threads == 0 ? num_threads() : threads;
  const auto at_most = static_cast<std::size_t>(limit);
  return std::max(1, static_cast<int>(std::min(count, at_most)));
}

}  // namespace mlarray::parallel
