// A lock that is held for a few instructions only, such as the copy of a pointer: a mutex would
// put threads to sleep for that. Not std::atomic<std::shared_ptr>: that of GCC 12 locks a bit
// in a way that the thread sanitizer does not see.
#pragma once

#include <atomic>
#include <thread>

namespace mlarray::base {

// For std::scoped_lock.
class SpinLock {
 public:
  void lock() noexcept {
    for (int tries = 0; locked_.exchange(true, std::memory_order_acquire); ++tries) {
      while (locked_.load(std::memory_order_relaxed)) {
        if (++tries > 64) std::this_thread::yield();
      }
    }
  }
  void unlock() noexcept { locked_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> locked_ = false;
};

}  // namespace mlarray::base
