// Random: numbers that depend on nothing but what they are for.
//
// A generator is made for one draw from (seed, epoch, index), so that any thread, worker
// process or machine makes the same draw at the same index. SplitMix64 (Steele, Lea and Flood
// 2014, "Fast splittable pseudorandom number generators"), whose start hashes the three. Not
// for cryptography.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace mlarray {

class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t epoch = 0, std::uint64_t index = 0)
      : state_(mix(mix(mix(seed + kStep) + epoch + kStep) + index + kStep)) {}

  // A generator for another purpose of the same draw. What one takes does not shift the other.
  Random split(std::uint64_t purpose) const { return Random(state_, purpose); }

  std::uint64_t next() { return mix(state_ += kStep); }

  // Uniform in 0 ... count - 1, without bias (Lemire 2019, "Fast random integer generation in
  // an interval"). `count` at least 1.
  std::uint64_t below(std::uint64_t count) {
    // The high half of a product, from halves of 32 bits: no compiler's 128-bit type.
    std::uint64_t low = 0;
    std::uint64_t high = multiply(next(), count, low);
    if (low < count) {
      const std::uint64_t threshold = (0 - count) % count;
      while (low < threshold) high = multiply(next(), count, low);
    }
    return high;
  }

  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // in [0, 1)
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  bool chance(double probability) { return uniform() < probability; }
  double normal() {  // mean 0, standard deviation 1: Box and Muller 1958, the cosine half
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  static constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio, odd
  static constexpr std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  static std::uint64_t multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& low) {
    const std::uint64_t a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
    const std::uint64_t middle = a1 * b0 + ((a0 * b0) >> 32);
    const std::uint64_t other = a0 * b1 + (middle & 0xffffffff);
    low = a * b;
    return a1 * b1 + (middle >> 32) + (other >> 32);
  }

  std::uint64_t state_;
};

}  // namespace mlarray
