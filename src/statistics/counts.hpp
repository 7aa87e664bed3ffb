// How often there is each of some thousand numbers: counted in 32 bits, for the caches' sake,
// and carried into 64 bits before any of them could overflow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace mlarray::statistics {

class Counts {
 public:
  // For numbers below `size`. Does nothing when called again.
  void start(std::size_t size) {
    size_ = size;
    small_.resize(kLanes * size);
  }

  // Some numbers, or `repeat` times the first.
  template <class Number>
  void add(std::span<const Number> numbers, std::int64_t repeat) {
    if (repeat != 1) return add_one(numbers[0], repeat);
    make_room(numbers.size());
    // Neighbours are alike, and to count into one place time and again would make each wait
    // for the one before.
    std::uint32_t* even = small_.data();
    std::uint32_t* odd = small_.data() + size_;
    std::size_t i = 0;
    for (; i + kLanes <= numbers.size(); i += kLanes) {
      ++even[numbers[i]];
      ++odd[numbers[i + 1]];
    }
    if (i < numbers.size()) ++even[numbers[i]];
  }
  void add_one(std::size_t number, std::int64_t repeat) {
    if (repeat == 1) {
      make_room(1);
      ++small_[number];
    } else {
      large_.resize(size_);
      large_[number] += static_cast<std::uint64_t>(repeat);
    }
  }
  void add_to(std::vector<std::uint64_t>& out) {
    carry();
    for (std::size_t i = 0; i < size_; ++i) out[i] += large_[i];
  }

 private:
  static constexpr std::size_t kLanes = 2;

  void make_room(std::size_t more) {
    if (pending_ + more > std::numeric_limits<std::uint32_t>::max()) carry();
    pending_ += more;
  }
  void carry() {
    large_.resize(size_);
    for (std::size_t i = 0; i < small_.size(); ++i) {
      large_[i % size_] += small_[i];
      small_[i] = 0;
    }
    pending_ = 0;
  }

  std::size_t size_ = 0;
  std::vector<std::uint32_t> small_;
  std::vector<std::uint64_t> large_;
  std::size_t pending_ = 0;  // at most so much is in any of small_
};

inline std::vector<std::uint64_t> sum(std::vector<Counts>& parts, std::size_t size) {
  std::vector<std::uint64_t> out(size);
  for (Counts& part : parts) part.add_to(out);
  return out;
}

}  // namespace mlarray::statistics
