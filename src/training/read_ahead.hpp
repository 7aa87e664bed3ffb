// The threads of a loader, and the batches that they have read or are reading. Internal.
//
// The window is a list of batches in order, of which the first is handed out next. A ticket is
// one place in one of them; threads take tickets in order. Everything changes under a mutex and
// inside an OperationGuard, which nobody holds while he waits: so at a fork the window is as it
// should be, though another thread may just have the mutex. The child cannot use it: it takes
// the window out, and leaves the rest of the object as it is, for ever (abandon()).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "mlarray/training/loader.hpp"
#include "training/batch.hpp"
#include "training/patch_reader.hpp"

namespace mlarray::training {

// One batch on its way.
struct Slot {
  std::shared_ptr<Batch::Impl> batch;
  std::int64_t taken = 0;  // places that are being read or are read
  std::int64_t done = 0;
  std::int64_t failed_place = -1;  // the first one
  std::exception_ptr error;
};

class ReadAhead {
 public:
  struct Work {
    // An empty batch of the epoch, with the memory for it.
    std::function<std::shared_ptr<Batch::Impl>(std::int64_t epoch, std::int64_t number)> begin;
    // Reads one place. Called by many threads at once, each with its own scratch.
    std::function<void(Batch::Impl& batch, std::int64_t place, ReaderScratch& scratch)> read;
    std::int64_t places = 1;   // in a batch
    std::int64_t batches = 0;  // in an epoch
    std::int64_t ahead = 1;    // batches in the window, at most
    int threads = 1;
  };
  explicit ReadAhead(Work work);
  ~ReadAhead();  // joins the threads; not inside an OperationGuard

  std::uint64_t generation() const { return generation_; }
  void abandon();  // in a forked child, instead of the destructor

  // Drops the window, and begins at another place.
  void go_to(std::int64_t epoch, std::int64_t number);
  // The batch that comes next, which begins to be the one after it; null at the end of the
  // epoch and after cancel(). What reading it threw is thrown here: then it stays next, and
  // another call reads it again.
  std::shared_ptr<Batch::Impl> next();
  // Waits until next() need not, but no longer than that: whether it need not.
  bool wait(std::chrono::milliseconds longest);
  void cancel() noexcept;
  double waited() const { return waited_.load(std::memory_order_relaxed); }
  double blocked() const { return blocked_.load(std::memory_order_relaxed); }

 private:
  void start();
  void begin();  // a call of the consumer
  void work() noexcept;
  bool has_ticket() const;
  bool is_next_ready() const;
  bool has_answer() const;
  // Under the mutex: until there is one, or so long at most. Whether there is one.
  bool await_answer(std::unique_lock<std::mutex>& lock,
                    std::optional<std::chrono::milliseconds> longest);
  void drop_window();

  const Work work_;
  const std::uint64_t generation_;
  std::vector<std::thread> threads_;  // of whoever calls next()

  std::mutex mutex_;
  std::condition_variable for_threads_;
  std::condition_variable for_consumer_;
  std::deque<std::shared_ptr<Slot>> window_;
  std::int64_t epoch_ = 0;
  std::int64_t next_number_ = 0;  // to be handed out
  std::exception_ptr lost_;       // why there is no window
  bool failed_ = false;           // a batch in the window: no more tickets
  bool stopping_ = false;
  bool consumer_waits_ = false;
  int threads_waiting_ = 0;
  std::atomic<double> waited_ = 0;
  std::atomic<double> blocked_ = 0;
};

}  // namespace mlarray::training
