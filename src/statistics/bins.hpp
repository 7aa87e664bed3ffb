// Bins for a first look at values of 4 and 8 bytes: linear between two values that a sample
// suggests, and zero in a bin of its own, because so many voxels of so many images are zero.
// A greater value never has a lesser bin, whatever the rounding: that is all that order needs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "statistics/element_types.hpp"
#include "statistics/ladder.hpp"

namespace mlarray::statistics {

template <class T>
class Bins {
  using Real = std::conditional_t<std::is_same_v<T, float>, float, double>;
  using Order = Ordered<T>;
  using Key = typename Order::Key;

 public:
  static constexpr std::size_t kLinear = std::size_t{1} << 16;
  static constexpr std::size_t kCount = kLinear + 2;

  Bins() = default;
  // For values that mostly lie from `least` to `greatest`, with room on either side.
  Bins(T least, T greatest) {
    const double range = to_double(greatest) - to_double(least);
    if constexpr (std::is_integral_v<T>) {
      const double spare = static_cast<double>(kLinear - 4) - range;
      if (spare >= 0) {  // one integer a bin
        low_ = to_double(least) - std::floor(spare / 2);
        return;
      }
    }
    low_ = static_cast<Real>(to_double(least) - range / 8);
    scale_ = static_cast<Real>(range > 0 ? (kLinear - 4) / (1.25 * range) : 1);
  }

  std::uint32_t of(T value) const {
    constexpr Real kTop = kLinear - 1;
    Real x = (static_cast<Real>(value) - low_) * scale_;
    x = x > 0 ? x : Real{0};  // also of a NaN
    x = x < kTop ? x : kTop;
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(x)) +
           static_cast<std::uint32_t>(value > T{0}) +
           static_cast<std::uint32_t>(!(value < T{0}));
  }

  // The same of many, in a loop that the compiler makes vectors of.
  void of(std::span<const T> values, std::span<std::uint32_t> out) const {
    const Bins bins = *this;
    for (std::size_t i = 0; i < values.size(); ++i) out[i] = bins.of(values[i]);
  }

  // The bins that are not empty as ranges of keys, between the least and the greatest value.
  std::vector<Segment> segments(const std::vector<std::uint64_t>& counts, T least,
                                T greatest) const {
    std::vector<Segment> out;
    const Key end = Order::key(greatest);
    Key from = Order::key(least);
    for (std::uint32_t bin = 0; bin < counts.size(); ++bin) {
      if (counts[bin] == 0) continue;
      const Key first = first_key(bin, from, end);
      const Key last = of(Order::value(end)) <= bin
                           ? end
                           : static_cast<Key>(first_key(bin + 1, first, end) - 1);
      out.push_back({first, last, static_cast<std::int64_t>(counts[bin])});
      if (last == end) break;
      from = static_cast<Key>(last + 1);
    }
    return out;
  }

 private:
  // The least key from `from` on whose bin is `bin` or more. REQUIRES: `end` is such a key.
  Key first_key(std::uint32_t bin, Key from, Key end) const {
    if (of(Order::value(from)) >= bin) return from;
    Key step = 1;  // `from` is too low; find what is not, going ever faster
    Key high = end;
    while (end - from > step) {
      const auto next = static_cast<Key>(from + step);
      if (of(Order::value(next)) >= bin) {
        high = next;
        break;
      }
      from = next;
      step = static_cast<Key>(step * 2);
    }
    while (high - from > 1) {
      const auto middle = static_cast<Key>(from + (high - from) / 2);
      (of(Order::value(middle)) >= bin ? high : from) = middle;
    }
    return high;
  }

  Real low_ = 0;
  Real scale_ = 1;
};

}  // namespace mlarray::statistics
