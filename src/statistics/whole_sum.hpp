// The exact sum of integers of 64 bits: 128 bits, by two words.
#pragma once

#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mlarray::statistics {

class WholeSum {
 public:
  // Of at most 2^31 values.
  template <std::integral T>
  static WholeSum of(std::span<const T> values) {
    static_assert(sizeof(T) == 8);
    // Unsigned halves, because vectors have no signed shift of 64 bits.
    constexpr std::uint64_t kBias = std::unsigned_integral<T> ? 0 : std::uint64_t{1} << 63;
    std::uint64_t high = 0, low = 0;
    for (const T value : values) {
      const std::uint64_t biased = static_cast<std::uint64_t>(value) ^ kBias;
      high += biased >> 32;
      low += biased & kHalf;
    }
    WholeSum out{high >> 32, high << 32};
    out.add({0, low});
    if (kBias != 0) out.subtract(product(kBias, values.size()));
    return out;
  }
  // `value`, `count` times.
  template <std::integral T>
  static WholeSum repeated(T value, std::int64_t count) {
    const auto bits = static_cast<std::uint64_t>(value);
    const auto times = static_cast<std::uint64_t>(count);
    if (value >= 0) return product(bits, times);
    WholeSum out;
    out.subtract(product(0 - bits, times));
    return out;
  }

  void add(const WholeSum& other) {
    low_ += other.low_;
    high_ += other.high_ + (low_ < other.low_ ? 1U : 0U);
  }
  void subtract(const WholeSum& other) {
    const bool borrow = low_ < other.low_;
    low_ -= other.low_;
    high_ -= other.high_ + (borrow ? 1U : 0U);
  }

  // Rounded once.
  double value() const {
    const bool negative = (high_ >> 63) != 0;
    WholeSum size = *this;
    if (negative) {
      size = WholeSum{};
      size.subtract(*this);
    }
    double out = static_cast<double>(size.low_);
    if (size.high_ != 0) {
      // The first 64 bits, of which the last tells whether anything follows.
      const int shift = std::countl_zero(size.high_);
      std::uint64_t top = size.high_;
      if (shift > 0) top = top << shift | size.low_ >> (64 - shift);
      if (size.low_ << shift != 0) top |= 1;
      out = std::ldexp(static_cast<double>(top), 64 - shift);
    }
    return negative ? -out : out;
  }

  WholeSum() = default;

 private:
  static constexpr std::uint64_t kHalf = 0xFFFFFFFF;

  WholeSum(std::uint64_t high, std::uint64_t low) : high_(high), low_(low) {}

  static WholeSum product(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t low = (a & kHalf) * (b & kHalf);
    const std::uint64_t cross = (a & kHalf) * (b >> 32) + (low >> 32);
    const std::uint64_t middle = (a >> 32) * (b & kHalf) + (cross & kHalf);
    return {(a >> 32) * (b >> 32) + (cross >> 32) + (middle >> 32),
            middle << 32 | (low & kHalf)};
  }

  std::uint64_t high_ = 0;  // two's complement
  std::uint64_t low_ = 0;
};

}  // namespace mlarray::statistics
