#include "training/read_ahead.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "parallel/thread_pool.hpp"
#include "training/stopwatch.hpp"

namespace mlarray::training {
namespace {

// Under the mutex.
void add_seconds(const Stopwatch& watch, std::atomic<double>& sum) {
  sum = sum.load(std::memory_order_relaxed) + watch.seconds();
}

}  // namespace

ReadAhead::ReadAhead(Work work)
    : work_(std::move(work)), generation_(parallel::process_generation()) {}

ReadAhead::~ReadAhead() {
  cancel();
  for (std::thread& thread : threads_) thread.join();
}

void ReadAhead::abandon() { window_.clear(); }

bool ReadAhead::has_ticket() const {
  if (failed_) return false;
  if (!window_.empty() && window_.back()->taken < work_.places) return true;
  const auto waiting = static_cast<std::int64_t>(window_.size());
  return waiting < work_.ahead && next_number_ + waiting < work_.batches;
}

bool ReadAhead::is_next_ready() const {
  if (lost_ != nullptr) return true;
  if (window_.empty()) return false;
  const Slot& slot = *window_.front();
  return slot.done == slot.taken && (slot.done == work_.places || slot.error != nullptr);
}

// Threads that are at a batch of it end their sample, which nobody will see.
void ReadAhead::drop_window() {
  window_.clear();
  failed_ = false;
  if (threads_waiting_ > 0) for_threads_.notify_all();
}

void ReadAhead::go_to(std::int64_t epoch, std::int64_t number) {
  const parallel::OperationGuard guard;
  const std::scoped_lock lock(mutex_);
  drop_window();
  lost_ = nullptr;
  epoch_ = epoch;
  next_number_ = number;
}

void ReadAhead::cancel() noexcept {
  const parallel::OperationGuard guard;
  const std::scoped_lock lock(mutex_);
  stopping_ = true;
  for_threads_.notify_all();
  for_consumer_.notify_all();
}

void ReadAhead::start() {
  const auto wanted = static_cast<std::size_t>(work_.threads);
  if (threads_.size() >= wanted) return;
  threads_.reserve(wanted);
  try {
    while (threads_.size() < wanted) {
      threads_.push_back(parallel::start_thread([this] { work(); }));
    }
  } catch (const std::system_error&) {
    if (threads_.empty()) throw;  // else those there are do the work
  }
}

void ReadAhead::begin() {
  start();
  const parallel::OperationGuard guard;
  const std::scoped_lock lock(mutex_);
  if (failed_ && window_.empty() && lost_ == nullptr) drop_window();  // the caller tries again
}

bool ReadAhead::has_answer() const {
  return stopping_ || next_number_ >= work_.batches || is_next_ready();
}

bool ReadAhead::await_answer(std::unique_lock<std::mutex>& lock,
                             std::optional<std::chrono::milliseconds> longest) {
  const auto answered = [&] { return has_answer(); };
  if (answered()) return true;
  const Stopwatch watch;
  consumer_waits_ = true;
  if (longest) {
    for_consumer_.wait_for(lock, *longest, answered);
  } else {
    for_consumer_.wait(lock, answered);
  }
  consumer_waits_ = false;
  add_seconds(watch, waited_);
  return answered();
}

bool ReadAhead::wait(std::chrono::milliseconds longest) {
  begin();
  std::unique_lock lock(mutex_);
  return await_answer(lock, longest);
}

std::shared_ptr<Batch::Impl> ReadAhead::next() {
  begin();
  {
    std::unique_lock lock(mutex_);
    await_answer(lock, std::nullopt);
    if (stopping_ || next_number_ >= work_.batches) return nullptr;
  }
  std::shared_ptr<Slot> slot;
  std::exception_ptr error;
  {
    const parallel::OperationGuard guard;
    const std::scoped_lock lock(mutex_);
    error = std::exchange(lost_, nullptr);
    if (error == nullptr) {
      slot = window_.front();
      error = slot->error;
    }
    if (error != nullptr) {
      drop_window();
      failed_ = true;  // until the next call: what it reads may be mended by then
    } else {
      window_.pop_front();
      ++next_number_;
      if (threads_waiting_ > 0) for_threads_.notify_all();
    }
  }
  if (error != nullptr) std::rethrow_exception(error);
  return std::move(slot->batch);
}

void ReadAhead::work() noexcept {
  ReaderScratch scratch;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (!stopping_ && !has_ticket()) {
        const Stopwatch watch;
        ++threads_waiting_;
        for_threads_.wait(lock, [&] { return stopping_ || has_ticket(); });
        --threads_waiting_;
        add_seconds(watch, blocked_);
      }
      if (stopping_) return;
    }
    const parallel::OperationGuard guard;  // waits here while a fork is made
    std::shared_ptr<Slot> slot;
    std::int64_t place = 0;
    std::exception_ptr error;
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_ || !has_ticket()) continue;
      if (window_.empty() || window_.back()->taken == work_.places) {
        const auto number = next_number_ + static_cast<std::int64_t>(window_.size());
        try {
          slot = std::make_shared<Slot>();
          slot->batch = work_.begin(epoch_, number);
          window_.push_back(slot);
        } catch (...) {  // there is no memory
          lost_ = std::current_exception();
          failed_ = true;
          for_consumer_.notify_all();
          continue;
        }
      }
      slot = window_.back();
      place = slot->taken++;
    }
    try {
      work_.read(*slot->batch, place, scratch);
    } catch (...) {
      error = std::current_exception();
    }
    const std::scoped_lock lock(mutex_);
    ++slot->done;
    if (error != nullptr && (slot->error == nullptr || place < slot->failed_place)) {
      slot->error = error;
      slot->failed_place = place;
      // Not of a window that was dropped meanwhile.
      if (std::find(window_.begin(), window_.end(), slot) != window_.end()) failed_ = true;
    }
    if (consumer_waits_ && is_next_ready()) for_consumer_.notify_one();
  }
}

}  // namespace mlarray::training
