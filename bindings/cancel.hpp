// A way to end a long call of the core from another thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "mlarray/error.hpp"

namespace mlarray::bindings {

// It is looked at, not called: the core must not wait for the GIL (parallel/thread_pool.hpp,
// OperationGuard).
struct Cancel {
  std::atomic<bool> cancelled{false};
};

// The progress callback of a call that `cancel`, if there is one, ends.
inline std::function<void(std::int64_t, std::int64_t)> ended_by(const Cancel* cancel,
                                                                const char* what) {
  if (cancel == nullptr) return {};
  return [cancel, what](std::int64_t, std::int64_t) {
    if (cancel->cancelled) {
      throw Error(ErrorKind::invalid_use, std::string(what) + " was cancelled");
    }
  };
}

}  // namespace mlarray::bindings
