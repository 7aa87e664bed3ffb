// The first pass over voxels: their extremes and moments, and how often there is each value,
// or, where there are too many of them, how many lie in each of some thousand bins.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "statistics/bins.hpp"
#include "statistics/counts.hpp"
#include "statistics/element_types.hpp"
#include "statistics/ladder.hpp"
#include "statistics/moments.hpp"
#include "statistics/voxel_scan.hpp"

namespace mlarray::statistics {

// Calls body(values, repeat) for pieces of the elements, which are aligned in memory.
template <class T, class Body>
void for_pieces(const Elements& elements, Body body) {
  std::array<T, kPiece> piece;
  const std::size_t count = elements.bytes.size() / sizeof(T);
  for (std::size_t i = 0; i < count; i += kPiece) {
    const std::size_t length = std::min(kPiece, count - i);
    std::memcpy(piece.data(), elements.bytes.data() + i * sizeof(T), length * sizeof(T));
    body(std::span<const T>(piece).first(length), elements.repeat);
  }
}

template <class T>
Moments moments_of(std::span<const T> values, std::int64_t repeat) {
  return repeat == 1 ? Moments::of(values) : Moments::repeated(values[0], repeat);
}

inline Moments put_together(const std::vector<Moments>& parts) {
  Moments all;
  for (const Moments& part : parts) all.add(part);
  return all;
}

// What the first pass says. No rungs if there are NaN, or no values.
struct First {
  bool nan = false;
  std::int64_t count = 0;
  Moments moments;
  std::vector<Segment> rungs;
};

template <class T>
class FirstPass {
  using Order = Ordered<T>;

 public:
  static constexpr bool kCountsEach = sizeof(T) <= 2;

  // Sets `bins`, if it uses them.
  static First run(const VoxelScan& scan, Bins<T>& bins) {
    if constexpr (kCountsEach) {
      return count_each(scan);
    } else {
      return count_in_bins(scan, bins);
    }
  }

 private:
  // Elements of 1 and 2 bytes: how often there is each.
  static First count_each(const VoxelScan& scan) {
    constexpr std::size_t kKeys = std::size_t{1} << (8 * sizeof(T));
    std::vector<Counts> workers(static_cast<std::size_t>(scan.threads()));
    scan.run([&](int worker, std::size_t, const Elements& elements) {
      Counts& counts = workers[static_cast<std::size_t>(worker)];
      counts.start(kKeys);
      for_pieces<T>(elements, [&](std::span<const T> values, std::int64_t repeat) {
        std::array<typename Order::Key, kPiece> keys;
        std::transform(values.begin(), values.end(), keys.begin(), Order::key);
        counts.add(std::span<const typename Order::Key>(keys).first(values.size()), repeat);
      });
    });
    First out;
    const std::vector<std::uint64_t> counts = sum(workers, kKeys);
    for (std::size_t key = 0; key < kKeys; ++key) {
      if (counts[key] == 0) continue;
      const auto count = static_cast<std::int64_t>(counts[key]);
      const T value = Order::value(static_cast<typename Order::Key>(key));
      out.nan = out.nan || std::isnan(to_double(value));
      out.count += count;
      out.moments.add(Moments::repeated(value, count));
      out.rungs.push_back({key, key, count});
    }
    return out;
  }

  struct Extremes {
    T least = Order::value(std::numeric_limits<typename Order::Key>::max());
    T greatest = Order::value(0);
    bool any = false;
    bool nan = false;

    void add(std::span<const T> values) {
      if constexpr (Order::kFloat) {
        if (!any) {
          least = std::numeric_limits<T>::infinity();
          greatest = -least;
        }
      }
      any = true;
      T low = least, high = greatest;
      bool unordered = false;
      for (const T value : values) {
        low = value < low ? value : low;
        high = high < value ? value : high;
        // NOLINTNEXTLINE(misc-redundant-expression): a NaN
        if constexpr (Order::kFloat) unordered |= value != value;
      }
      least = low;
      greatest = high;
      nan |= unordered;
    }
    void add(const Extremes& other) {
      if (!other.any) return;
      const std::array<T, 2> both{other.least, other.greatest};
      const bool was_nan = nan;
      add(std::span<const T>(both));
      nan = was_nan || other.nan;
    }
  };

  static First count_in_bins(const VoxelScan& scan, Bins<T>& bins) {
    Extremes sample;
    scan.sample([&](int, std::size_t, const Elements& elements) {
      for_pieces<T>(elements, [&](std::span<const T> values, std::int64_t) {
        for (const T& value : values) {
          if (std::isfinite(to_double(value))) sample.add(std::span(&value, 1));
        }
      });
    });
    if (sample.any) bins = Bins<T>(sample.least, sample.greatest);

    const auto threads = static_cast<std::size_t>(scan.threads());
    std::vector<Counts> workers(threads);
    std::vector<Extremes> extremes(threads);
    std::vector<Moments> groups(scan.groups());
    scan.run([&](int worker, std::size_t group, const Elements& elements) {
      Counts& counts = workers[static_cast<std::size_t>(worker)];
      counts.start(Bins<T>::kCount);
      for_pieces<T>(elements, [&](std::span<const T> values, std::int64_t repeat) {
        extremes[static_cast<std::size_t>(worker)].add(values);
        groups[group].add(moments_of(values, repeat));
        std::array<std::uint32_t, kPiece> numbers;
        bins.of(values, numbers);
        counts.add(std::span<const std::uint32_t>(numbers).first(values.size()), repeat);
      });
    });
    Extremes all;
    for (const Extremes& part : extremes) all.add(part);
    First out;
    out.nan = all.nan;
    out.moments = put_together(groups);
    out.count = out.moments.count();
    if (all.any && !all.nan) {
      out.rungs = bins.segments(sum(workers, Bins<T>::kCount), all.least, all.greatest);
    }
    return out;
  }
};

}  // namespace mlarray::statistics
