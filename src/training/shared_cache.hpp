// Values by number, of which the most recently used are kept. Internal.
//
// Safe from any thread, each of which holds an OperationGuard. Two that want the same value
// make it once: the other waits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mlarray::training {

template <class T>
class SharedCache {
 public:
  using Pointer = std::shared_ptr<const T>;

  // Of costs no more than this are kept, and one value of any cost.
  explicit SharedCache(std::int64_t most) : most_(most) {}

  // `make()` returns a Pointer, not null; what it throws is passed on, and the next caller
  // tries again. `cost(value)` is asked once.
  template <class Make, class Cost>
  Pointer get(std::int64_t number, Make make, Cost cost) {
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto it = entries_.find(number);
      if (it == entries_.end()) break;
      if (it->second.value != nullptr) {
        order_.splice(order_.begin(), order_, it->second.place);
        return it->second.value;
      }
      made_.wait(lock);
    }
    entries_.emplace(number, Entry{});
    lock.unlock();
    Pointer value;
    std::int64_t costs = 0;
    try {
      value = make();
      costs = cost(*value);
    } catch (...) {
      lock.lock();
      entries_.erase(number);
      made_.notify_all();
      throw;
    }
    std::vector<Pointer> old;  // let go of without the lock
    lock.lock();
    try {
      keep(number, value, costs, old);
    } catch (...) {  // there is no memory
      made_.notify_all();
      throw;
    }
    made_.notify_all();
    lock.unlock();
    return value;
  }

  // Puts a value in the place of `old`, unless another thread has done so.
  void replace(std::int64_t number, const Pointer& old, Pointer value, std::int64_t costs) {
    std::vector<Pointer> gone;
    const std::scoped_lock lock(mutex_);
    const auto it = entries_.find(number);
    if (it != entries_.end() && it->second.value != old) return;
    if (it != entries_.end()) remove(it, gone);
    entries_.emplace(number, Entry{});
    keep(number, std::move(value), costs, gone);
  }

  // Lets go of all values, as far as nobody has them.
  void clear() {
    std::vector<Pointer> old;
    const std::scoped_lock lock(mutex_);
    while (!order_.empty()) remove(entries_.find(order_.back()), old);
  }

 private:
  struct Entry {
    Pointer value;  // null: it is being made
    std::int64_t costs = 0;
    std::list<std::int64_t>::iterator place = {};
  };
  using Entries = std::unordered_map<std::int64_t, Entry>;

  void keep(std::int64_t number, Pointer value, std::int64_t costs, std::vector<Pointer>& old) {
    try {
      order_.push_front(number);
    } catch (...) {
      entries_.erase(number);
      throw;
    }
    entries_[number] = {std::move(value), costs, order_.begin()};
    total_ += costs;
    while (total_ > most_ && order_.size() > 1) remove(entries_.find(order_.back()), old);
  }

  void remove(typename Entries::iterator it, std::vector<Pointer>& old) {
    old.push_back(std::move(it->second.value));
    total_ -= it->second.costs;
    order_.erase(it->second.place);
    entries_.erase(it);
  }

  const std::int64_t most_;
  std::mutex mutex_;
  std::condition_variable made_;
  Entries entries_;
  std::list<std::int64_t> order_;  // the most recently used first
  std::int64_t total_ = 0;
};

}  // namespace mlarray::training
