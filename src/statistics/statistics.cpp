// Statistics: one pass over the voxels for elements of 1 and 2 bytes, whose values are counted
// one by one; mostly two for larger ones, of which the first counts in bins and the second
// looks into the few bins that hold the quantiles (ladder.hpp). Exact in any case: what two
// passes do not settle gets another.
#include "mlarray/statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/naming.hpp"
#include "base/text.hpp"
#include "base/views.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "session/impl.hpp"
#include "statistics/bins.hpp"
#include "statistics/counts.hpp"
#include "statistics/element_types.hpp"
#include "statistics/first_pass.hpp"
#include "statistics/ladder.hpp"
#include "statistics/moments.hpp"
#include "statistics/voxel_scan.hpp"

namespace mlarray {
namespace statistics {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <class T>
class Computation {
  using Order = Ordered<T>;
  using Key = typename Order::Key;
  static constexpr bool kSmall = FirstPass<T>::kCountsEach;

 public:
  Computation(const VoxelScan& scan, double lower, double upper)
      : scan_(scan), lower_(lower), upper_(upper) {}

  Statistics run() {
    Statistics out;
    out.lower = lower_;
    out.upper = upper_;
    First first = FirstPass<T>::run(scan_, bins_);
    out.count = first.count;
    if (first.count == 0) {
      throw Error(ErrorKind::invalid_value,
                  "there is no voxel to compute statistics of: the array is empty, or the mask "
                  "selects nothing");
    }
    if (first.nan) {
      out.min = out.max = Value(kNan);
      for (double* field :
           {&out.mean, &out.median, &out.std, &out.percentile_min, &out.percentile_max,
            &out.percentile_mean, &out.percentile_median, &out.percentile_std}) {
        *field = kNan;
      }
      return out;
    }
    const Segment all{first.rungs.front().first, first.rungs.back().last, first.count};
    const double scale = scale_for<T>(real(all.first), real(all.last));
    if (scale != 1) first.moments = moments_of_keys(all, scale);
    out.mean = first.moments.mean(scale);
    out.std = first.moments.deviation(scale);
    out.min = number(first.rungs.front().first);
    out.max = number(first.rungs.back().last);
    Ladder ladder(std::move(first.rungs));
    quantiles(ladder, out);
    return out;
  }

 private:
  static double real(std::uint64_t key) {
    return to_double(Order::value(static_cast<Key>(key)));
  }
  static Value number(std::uint64_t key) {
    const T value = Order::value(static_cast<Key>(key));
    if constexpr (Order::kFloat) {
      return to_double(value);
    } else {
      if (std::cmp_greater(value, std::numeric_limits<std::int64_t>::max())) {
        return BigInt{std::to_string(value)};
      }
      return static_cast<std::int64_t>(value);
    }
  }

  // Where numpy.quantile(method="linear") finds a quantile: between two neighbouring ranks.
  struct Place {
    std::int64_t rank, next;
    double part;

    Place(std::int64_t count, double quantile) {
      const double position = static_cast<double>(count - 1) * quantile;
      rank = std::min(static_cast<std::int64_t>(std::floor(position)), count - 1);
      next = std::min(rank + 1, count - 1);
      part = position - static_cast<double>(rank);
    }
  };
  static std::array<std::int64_t, 2> middle(std::int64_t count) {
    return {(count - 1) / 2, count / 2};
  }
  static double between(double a, double b, double part) {
    if (a == b || part == 0) return a;
    if (std::isinf(a) != std::isinf(b)) return std::isinf(a) ? a : b;
    if (!std::isfinite(b - a)) return a * (1 - part) + b * part;  // where NumPy overflows
    return part < 0.5 ? a + (b - a) * part : b - (b - a) * (1 - part);
  }
  static double at(const Ladder& ladder, std::int64_t rank) {
    return real(ladder.segments()[ladder.at(rank)].first);
  }
  static double half_way(const Ladder& ladder, const std::array<std::int64_t, 2>& ranks) {
    const double a = at(ladder, ranks[0]), b = at(ladder, ranks[1]);
    if (a == b) return a;
    return std::isinf(a + b) ? a / 2 + b / 2 : (a + b) / 2;
  }

  void quantiles(Ladder& ladder, Statistics& out) {
    const Place low(out.count, lower_), high(out.count, upper_);
    const auto half = middle(out.count);
    resolve(ladder, {half[0], half[1], low.rank, low.next, high.rank, high.next},
            likely_middle(ladder, low, high), &low, &high);
    out.median = half_way(ladder, half);
    out.percentile_min = between(at(ladder, low.rank), at(ladder, low.next), low.part);
    out.percentile_max = between(at(ladder, high.rank), at(ladder, high.next), high.part);

    const auto [below, inside] = ranks_inside(ladder, out.percentile_min, out.percentile_max);
    if (inside == 0) {
      out.percentile_mean = out.percentile_median = out.percentile_std = kNan;
      return;
    }
    auto middle_inside = middle(inside);
    for (std::int64_t& rank : middle_inside) rank += below;
    resolve(ladder, {middle_inside[0], middle_inside[1]}, {middle_inside[0], middle_inside[1]});
    out.percentile_median = half_way(ladder, middle_inside);
    // By the voxels at both ends: a percentile between two voxels may be far above those
    // inside.
    double least = at(ladder, low.rank), greatest = at(ladder, high.next);
    if (least < out.percentile_min) least = at(ladder, low.next);
    if (greatest > out.percentile_max) greatest = at(ladder, high.rank);
    const double scale = scale_for<T>(least, greatest);
    const Moments moments =
        moments_inside(ladder, out.percentile_min, out.percentile_max, scale);
    out.percentile_mean = moments.mean(scale);
    out.percentile_std = moments.deviation(scale);
  }

  // The ranks between which the median of what lies between the quantiles will be: how many
  // values equal a quantile is known by then only as far as the ladder goes.
  static std::pair<std::int64_t, std::int64_t> likely_middle(const Ladder& ladder,
                                                             const Place& low,
                                                             const Place& high) {
    const std::vector<Segment>& segments = ladder.segments();
    const auto around = [&](std::int64_t rank) {
      const std::size_t place = ladder.at(rank);
      std::int64_t first = 0;
      for (std::size_t i = 0; i < place; ++i) first += segments[i].count;
      return std::pair{first, first + segments[place].count - 1};
    };
    const auto from = around(low.rank), to = around(high.next);
    return {(from.first + to.first) / 2, (from.second + to.second + 1) / 2};
  }

  // Ranks of the values from `low` to `high`: how many are less, and how many there are.
  // Segments of several keys lie on one side of either, since both are at or between
  // neighbouring values that are known.
  static std::pair<std::int64_t, std::int64_t> ranks_inside(const Ladder& ladder, double low,
                                                            double high) {
    std::int64_t below = 0, inside = 0;
    for (const Segment& segment : ladder.segments()) {
      if (real(segment.first) < low) {
        below += segment.count;
      } else if (real(segment.first) <= high) {
        inside += segment.count;
      }
    }
    return {below, inside};
  }

  // Divides until the segments of all ranks are single keys. The first such pass sums up, too,
  // what certainly lies between the quantiles.
  void resolve(Ladder& ladder, const std::vector<std::int64_t>& ranks,
               const std::pair<std::int64_t, std::int64_t>& likely, const Place* low = nullptr,
               const Place* high = nullptr) {
    if constexpr (!kSmall) divide_until(ladder, ranks, likely, low, high);
  }
  void divide_until(Ladder& ladder, const std::vector<std::int64_t>& ranks,
                    const std::pair<std::int64_t, std::int64_t>& likely, const Place* low,
                    const Place* high) {
    for (;;) {
      const DivisionPlan plan = ladder.plan(ranks, likely);
      if (plan.divisions.empty()) return;
      std::optional<Segment> core;
      if (low != nullptr && !core_) {
        const Segment& from = ladder.segments()[ladder.at(low->next)];
        const Segment& to = ladder.segments()[ladder.at(high->rank)];
        if (from.last < to.first && to.first - from.last > 1) {
          core = Segment{from.last + 1, to.first - 1, 0};
        }
      }
      look_into(ladder, plan, core);
    }
  }

  void look_into(Ladder& ladder, const DivisionPlan& plan, const std::optional<Segment>& core) {
    struct Found {
      Counts ranges;
      std::vector<std::uint64_t> keys;
    };
    const std::vector<std::uint8_t> table = division_of_bin(plan);
    const double scale = core ? scale_for<T>(real(core->first), real(core->last)) : 1;
    std::vector<Found> workers(static_cast<std::size_t>(scan_.threads()));
    std::vector<Moments> groups(scan_.groups());
    scan_.run([&](int worker, std::size_t group, const Elements& elements) {
      Found& found = workers[static_cast<std::size_t>(worker)];
      found.ranges.start(plan.ranges);
      for_pieces<T>(elements, [&](std::span<const T> values, std::int64_t repeat) {
        std::array<std::uint32_t, kPiece> numbers;
        bins_.of(values, numbers);
        // Which values it is about is not to be guessed: no branch decides it.
        std::array<std::uint32_t, kPiece> hits;
        std::size_t count = 0;
        for (std::uint32_t i = 0; i < values.size(); ++i) {
          hits[count] = i;
          count += static_cast<std::size_t>(table[numbers[i]] != 0);
        }
        for (const std::uint32_t i : std::span(hits).first(count)) {
          sort_in(plan, table[numbers[i]] - std::size_t{1}, Order::key(values[i]), repeat,
                  found.ranges, found.keys);
        }
        if (core) groups[group].add(part_of(values, repeat, *core, scale));
      });
    });
    std::vector<Counts> ranges;
    std::vector<std::uint64_t> keys;
    for (Found& found : workers) {
      ranges.push_back(std::move(found.ranges));
      keys.insert(keys.end(), found.keys.begin(), found.keys.end());
      std::vector<std::uint64_t>().swap(found.keys);
    }
    ladder.divide(plan, sum(ranges, plan.ranges), std::move(keys));
    if (core) {
      core_ = core;
      core_moments_ = put_together(groups);
      core_scale_ = scale;
    }
  }

  // For each bin the first division, counted from 1, that may have values of it.
  std::vector<std::uint8_t> division_of_bin(const DivisionPlan& plan) const {
    std::vector<std::uint8_t> table(Bins<T>::kCount);
    for (std::size_t i = plan.divisions.size(); i-- > 0;) {
      const Division& division = plan.divisions[i];
      const std::uint32_t last = bins_.of(Order::value(static_cast<Key>(division.last)));
      for (std::uint32_t bin = bins_.of(Order::value(static_cast<Key>(division.first)));
           bin <= last; ++bin) {
        table[bin] = static_cast<std::uint8_t>(i + 1);
      }
    }
    return table;
  }

  static void sort_in(const DivisionPlan& plan, std::size_t i, std::uint64_t key,
                      std::int64_t repeat, Counts& ranges, std::vector<std::uint64_t>& keys) {
    while (i < plan.divisions.size() && plan.divisions[i].last < key) ++i;
    if (i == plan.divisions.size() || key < plan.divisions[i].first) return;
    const Division& division = plan.divisions[i];
    if (division.collect) {
      keys.insert(keys.end(), static_cast<std::size_t>(repeat), key);
    } else {
      ranges.add_one(
          division.offset + static_cast<std::size_t>((key - division.first) >> division.shift),
          repeat);
    }
  }

  // Of the values with keys of a segment.
  static Moments part_of(std::span<const T> values, std::int64_t repeat, const Segment& segment,
                         double scale) {
    const T low = Order::value(static_cast<Key>(segment.first));
    const T high = Order::value(static_cast<Key>(segment.last));
    if (repeat == 1) return Moments::of(values, low, high, scale);
    return low <= values[0] && values[0] <= high ? Moments::repeated(values[0], repeat, scale)
                                                 : Moments();
  }
  // The same of all voxels, by one more pass.
  Moments moments_of_keys(const Segment& segment, double scale) const {
    if constexpr (kSmall) {
      return {};  // never needed: each key is known
    } else {
      std::vector<Moments> groups(scan_.groups());
      scan_.run([&](int, std::size_t group, const Elements& elements) {
        for_pieces<T>(elements, [&](std::span<const T> values, std::int64_t repeat) {
          groups[group].add(part_of(values, repeat, segment, scale));
        });
      });
      return put_together(groups);
    }
  }

  // Of the values from `low` to `high`, from what is known, or by one more pass.
  Moments moments_inside(const Ladder& ladder, double low, double high, double scale) {
    std::optional<Segment> whole;
    bool known = !core_ || core_scale_ == scale;
    Moments all = core_moments_;
    for (const Segment& segment : ladder.segments()) {
      if (real(segment.first) < low || high < real(segment.last)) continue;
      if (!whole) whole = segment;
      whole->last = segment.last;
      if (core_ && core_->first <= segment.first && segment.last <= core_->last) continue;
      known = known && segment.single();
      all.add(Moments::repeated(Order::value(static_cast<Key>(segment.first)), segment.count,
                                scale));
    }
    return known ? all : moments_of_keys(*whole, scale);
  }

  const VoxelScan& scan_;
  double lower_;
  double upper_;
  Bins<T> bins_;
  std::optional<Segment> core_;  // keys of which the moments are known already
  Moments core_moments_;
  double core_scale_ = 1;
};

Statistics compute(const VoxelSource& voxels, const std::optional<VoxelSource>& mask,
                   const StatisticsOptions& options, int threads) {
  return with_type(voxels.dtype, [&]<class T>() {
    const VoxelScan scan(voxels, mask, options.mask.values, threads);
    return Computation<T>(scan, options.lower, options.upper).run();
  });
}

// `mask`: of options.mask.array.
Statistics compute(const VoxelSource& voxels, const StatisticsOptions& options,
                   const Array::Impl* mask, int threads) {
  if (!(0 <= options.lower && options.lower <= options.upper && options.upper <= 1)) {
    throw Error(ErrorKind::invalid_value,
                "the percentiles are " + base::float_repr(options.lower) + " and " +
                    base::float_repr(options.upper) +
                    ", but must ascend and lie between 0 and 1: give 0.005 and 0.995, for "
                    "example, for half a percent on either side");
  }
  if (mask != nullptr) {
    const auto state = mask->open_snapshot();
    const VoxelSource source{state.get(), mask->verifies(), nullptr, state->array->dtype,
                             mask->path};
    return io::checked(*state->chunks,
                       [&] { return compute(voxels, source, options, threads); });
  }
  if (options.mask.voxels == nullptr) return compute(voxels, std::nullopt, options, threads);
  base::check_view(*options.mask.voxels, options.mask.dtype.itemsize());
  const VoxelSource source{nullptr, false, options.mask.voxels, options.mask.dtype, {}};
  return compute(voxels, source, options, threads);
}

}  // namespace
}  // namespace statistics

void Statistics::put_into(Metadata& metadata) const {
  metadata.set("stats", "min", min);
  metadata.set("stats", "max", max);
  metadata.set("stats", "mean", mean);
  metadata.set("stats", "median", median);
  metadata.set("stats", "std", std);
  metadata.set("stats", "percentile_min", percentile_min);
  metadata.set("stats", "percentile_max", percentile_max);
  metadata.set("stats", "percentile_mean", percentile_mean);
  metadata.set("stats", "percentile_median", percentile_median);
  metadata.set("stats", "percentile_std", percentile_std);
  metadata.set("stats", "percentile_min_key", lower);
  metadata.set("stats", "percentile_max_key", upper);
}

Statistics Array::statistics(const StatisticsOptions& options) const {
  const parallel::OperationGuard guard;
  const auto state = impl_->open_snapshot();
  const statistics::VoxelSource voxels{state.get(), impl_->verifies(), nullptr,
                                       state->array->dtype, impl_->path};
  const Impl* mask = options.mask.array != nullptr ? options.mask.array->impl_.get() : nullptr;
  return base::naming(impl_->path, [&] {
    return io::checked(*state->chunks, [&] {
      return statistics::compute(voxels, options, mask,
                                 options.threads > 0 ? options.threads : impl_->threads);
    });
  });
}

Statistics Array::statistics(const ConstArrayView& voxels, const DType& dtype,
                             const StatisticsOptions& options) {
  const parallel::OperationGuard guard;
  base::check_view(voxels, dtype.itemsize());
  const Impl* mask = options.mask.array != nullptr ? options.mask.array->impl_.get() : nullptr;
  return statistics::compute({nullptr, false, &voxels, dtype, {}}, options, mask,
                             options.threads);
}

}  // namespace mlarray
