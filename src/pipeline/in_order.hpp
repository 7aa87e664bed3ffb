// Puts chunks that are finished in any order back into theirs.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "pipeline/encode_chunks.hpp"

namespace mlarray::pipeline {

// The thread that finishes the next chunk hands it over, without the lock: the others go on.
// One that is far ahead of the slowest may wait, so that no more than `window` chunks are in
// memory.
class InOrder {
 public:
  InOrder(const TakeChunk& take, std::size_t window) : take_(take), window_(window) {}

  // False: another chunk failed, so that this one will never be taken.
  bool wait_for_room(std::size_t place) {
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [&] { return failed_ || place < next_ + window_; });
    return !failed_;
  }

  // Nothing is handed over for a place without a chunk.
  void add(std::size_t place, std::optional<EncodedChunk> chunk) {
    std::unique_lock lock(mutex_);
    waiting_.emplace(place, std::move(chunk));
    if (taking_) return;  // that thread looks again
    taking_ = true;
    while (!failed_ && !waiting_.empty() && waiting_.begin()->first == next_) {
      auto taken = waiting_.extract(waiting_.begin());
      lock.unlock();
      if (taken.mapped()) take_(std::move(*taken.mapped()));
      lock.lock();
      ++next_;
      moved_.notify_all();
    }
    taking_ = false;
  }

  void fail() {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    moved_.notify_all();
  }

 private:
  const TakeChunk& take_;
  const std::size_t window_;
  std::mutex mutex_;
  std::condition_variable moved_;
  std::map<std::size_t, std::optional<EncodedChunk>> waiting_;
  std::size_t next_ = 0;
  bool taking_ = false;  // stays true where take_ throws: nothing is taken after that
  bool failed_ = false;
};

}  // namespace mlarray::pipeline
