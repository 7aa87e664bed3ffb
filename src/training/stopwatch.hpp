// Seconds that steps take. Internal.
#pragma once

#include <chrono>

namespace mlarray::training {

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Adds the time of a scope.
class TimedScope {
 public:
  explicit TimedScope(double& sum) : sum_(sum) {}
  ~TimedScope() { sum_ += watch_.seconds(); }
  TimedScope(const TimedScope&) = delete;
  TimedScope& operator=(const TimedScope&) = delete;

 private:
  double& sum_;
  Stopwatch watch_;
};

}  // namespace mlarray::training
