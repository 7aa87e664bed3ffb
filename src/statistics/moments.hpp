// Number, mean and spread of values, in parts that are put together afterwards: the mean by a
// compensated sum, or an exact one of integers of 64 bits, the spread around each part's own
// mean, so that neither loses digits. Doubles whose squares would leave the range of doubles
// are measured on a scale: scale_for(). All parts that are put together have the same.
// The loops are written so that GCC and Clang make vectors of them.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

#include "statistics/element_types.hpp"
#include "statistics/whole_sum.hpp"

namespace mlarray::statistics {

// Elements that are gone through several times, so few that they stay in the first cache.
inline constexpr std::size_t kPiece = 1024;

// A power of two by which to multiply values from `least` to `greatest`, so that neither their
// sum nor their squares overflow or vanish; 1 where they do not anyway.
template <class T>
double scale_for(double least, double greatest) {
  constexpr int kFits = 400, kMost = 1000;
  const double size = std::max(std::abs(least), std::abs(greatest));
  if (!std::is_same_v<T, double> || size == 0 || !std::isfinite(size)) return 1;
  const int exponent = std::ilogb(size);
  if (-kFits <= exponent && exponent <= kFits) return 1;
  return std::ldexp(1.0, std::clamp(-exponent, -kMost, kMost));
}

class Moments {
 public:
  Moments() = default;
  // One value, `count` times.
  template <class T>
  static Moments repeated(T value, std::int64_t count, double scale = 1) {
    Moments out;
    out.count_ = count;
    if constexpr (kIsWhole<T>) {
      out.whole_ = WholeSum::repeated(value, count);
    } else {
      const double times = static_cast<double>(count), real = to_double(value) * scale;
      out.sum_ = real * times;
      if (std::isfinite(out.sum_)) out.lost_ = std::fma(real, times, -out.sum_);
    }
    return out;
  }
  // Of not more than kPiece values: its sums are plain ones.
  template <class T>
  static Moments of(std::span<const T> values, double scale = 1) {
    Moments out;
    if (values.empty()) return out;
    const auto real = [&](std::size_t i) {
      if constexpr (std::is_same_v<T, double>) return values[i] * scale;
      return to_double(values[i]);
    };
    out.count_ = static_cast<std::int64_t>(values.size());
    if constexpr (kIsWhole<T>) {
      out.whole_ = WholeSum::of(values);
    } else {
      out.sum_ = sum(values.size(), real);
    }
    const double mean = out.scaled_mean();
    out.spread_ = sum(values.size(), [&](std::size_t i) {
      const double apart = real(i) - mean;
      return apart * apart;
    });
    return out;
  }
  // Of those of them that lie from `low` to `high`. There is no NaN.
  template <class T>
  static Moments of(std::span<const T> values, T low, T high, double scale) {
    const auto lies_inside = [&](T v) { return low <= v && v <= high; };
    const auto can_be_taken_off = [&](T v) {
      return lies_inside(v) && std::isfinite(to_double(v));
    };
    const auto inside = std::find_if(values.begin(), values.end(), can_be_taken_off);
    if (inside == values.end()) {
      Moments infinite;
      for (const T value : values) {
        if (lies_inside(value)) infinite.add(repeated(value, 1, scale));
      }
      return infinite;
    }
    // One of those that count stands in for each that does not, and is taken off again.
    const T filler = *inside;
    std::array<T, kPiece> filled;
    std::int32_t left_out = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const T value = low <= values[i] ? values[i] : filler;
      filled[i] = values[i] <= high ? value : filler;
      left_out += static_cast<std::int32_t>(values[i] < low) +
                  static_cast<std::int32_t>(high < values[i]);
    }
    Moments out = of(std::span<const T>(filled).first(values.size()), scale);
    out.take_off(to_double(filler) * scale, repeated(filler, left_out, scale));
    return out;
  }

  void add(const Moments& other) {
    if (other.count_ == 0) return;
    if (count_ > 0) {
      const double apart = other.scaled_mean() - scaled_mean();
      const auto a = static_cast<double>(count_), b = static_cast<double>(other.count_);
      spread_ += other.spread_ + apart * apart * (a * b / (a + b));
    } else {
      spread_ = other.spread_;
    }
    count_ += other.count_;
    add_to_sum(other.sum_);
    lost_ += other.lost_;
    whole_.add(other.whole_);
  }

  std::int64_t count() const { return count_; }
  // Of the values as they were before `scale`.
  double mean(double scale) const { return count_ == 0 ? kNan : scaled_mean() / scale; }
  double deviation(double scale) const {
    if (count_ == 0 || !std::isfinite(total())) return kNan;
    return std::sqrt(spread_ / static_cast<double>(count_)) / scale;
  }

 private:
  static constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  template <class T>
  static constexpr bool kIsWhole = std::is_integral_v<T> && sizeof(T) == 8;

  // Of term(0) to term(count - 1), in lanes: the order of additions does not depend on the
  // compiler.
  template <class Term>
  static double sum(std::size_t count, Term term) {
    constexpr std::size_t kLanes = 8;
    std::array<double, kLanes> lanes{};
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
    }
    for (; i < count; ++i) lanes[0] += term(i);
    double all = 0;
    for (const double lane : lanes) all += lane;
    return all;
  }
  // Takes off `repeated`, which is some times `value`, of which there is one more.
  void take_off(double value, const Moments& repeated) {
    if (repeated.count_ == 0) return;
    const auto all = static_cast<double>(count_), off = static_cast<double>(repeated.count_);
    count_ -= repeated.count_;
    add_to_sum(-repeated.sum_);
    lost_ -= repeated.lost_;
    whole_.subtract(repeated.whole_);
    const double apart = scaled_mean() - value;
    spread_ = std::max(spread_ - apart * apart * (off * (all - off) / all), 0.0);
  }
  void add_to_sum(double value) {
    const double next = sum_ + value;
    // What the addition rounded off (Neumaier); of infinities there is nothing to keep.
    if (std::isfinite(next)) {
      lost_ +=
          std::abs(sum_) >= std::abs(value) ? (sum_ - next) + value : (value - next) + sum_;
    }
    sum_ = next;
  }
  // Either of the two is 0.
  double total() const { return (sum_ + lost_) + whole_.value(); }
  double scaled_mean() const { return total() / static_cast<double>(count_); }

  std::int64_t count_ = 0;
  double sum_ = 0;
  double lost_ = 0;
  WholeSum whole_;
  double spread_ = 0;  // sum of the squared distances from the mean
};

}  // namespace mlarray::statistics
