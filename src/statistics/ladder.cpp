#include "statistics/ladder.hpp"

#include <algorithm>
#include <set>

#include "mlarray/error.hpp"

namespace mlarray::statistics {
namespace {

// What one pass may take: keys that are collected by all threads together, and ranges that each
// thread counts. A pass over the voxels costs far more than sorting some keys.
constexpr std::int64_t kMostCollected = std::int64_t{1} << 20;
constexpr std::int64_t kMostCollectedEach = std::int64_t{1} << 18;
constexpr int kRangeBits = 14;
constexpr std::size_t kMostRanges = std::size_t{1} << 17;
// A table of one byte a bin says which division a value may be in (statistics.cpp).
constexpr std::size_t kMostDivisions = 250;

class Planner {
 public:
  // Whether there was room for it.
  bool add(const Segment& segment) {
    if (plan_.divisions.size() == kMostDivisions) return false;
    Division division{segment.first, segment.last};
    const std::uint64_t steps = segment.last - segment.first;  // keys less one
    while (steps >> division.shift >> kRangeBits != 0) ++division.shift;
    division.collect = division.shift > 0 && segment.count <= kMostCollectedEach &&
                       collected_ + segment.count <= kMostCollected;
    if (division.collect) {
      collected_ += segment.count;
    } else {
      const auto ranges = static_cast<std::size_t>(steps >> division.shift) + 1;
      if (plan_.ranges + ranges > kMostRanges) return false;
      division.offset = plan_.ranges;
      plan_.ranges += ranges;
    }
    plan_.divisions.push_back(division);
    return true;
  }
  DivisionPlan take() {
    std::sort(plan_.divisions.begin(), plan_.divisions.end(),
              [](const Division& a, const Division& b) { return a.first < b.first; });
    return std::move(plan_);
  }

 private:
  DivisionPlan plan_;
  std::int64_t collected_ = 0;
};

}  // namespace

std::size_t Ladder::at(std::int64_t rank) const {
  std::size_t i = 0;
  while (rank >= segments_[i].count) rank -= segments_[i++].count;
  return i;
}

DivisionPlan Ladder::plan(const std::vector<std::int64_t>& ranks,
                          const std::pair<std::int64_t, std::int64_t>& likely) const {
  Planner planner;
  std::set<std::size_t> added;
  for (const std::int64_t rank : ranks) {
    const std::size_t i = at(rank);
    if (!segments_[i].single() && added.insert(i).second) planner.add(segments_[i]);
  }
  if (added.empty()) return {};
  const std::size_t stop = at(likely.second) + 1;
  for (std::size_t i = at(likely.first); i < stop; ++i) {
    if (segments_[i].single() || !added.insert(i).second) continue;
    if (!planner.add(segments_[i])) break;
  }
  return planner.take();
}

void Ladder::divide(const DivisionPlan& plan, const std::vector<std::uint64_t>& ranges,
                    std::vector<std::uint64_t> collected) {
  std::sort(collected.begin(), collected.end());
  std::vector<Segment> out;
  std::size_t next = 0;
  std::size_t key = 0;
  for (const Segment& segment : segments_) {
    if (next == plan.divisions.size() || plan.divisions[next].first != segment.first) {
      out.push_back(segment);
      continue;
    }
    const Division& division = plan.divisions[next++];
    std::int64_t found = 0;
    const auto add = [&](std::uint64_t first, std::uint64_t last, std::uint64_t count) {
      if (count == 0) return;
      out.push_back({first, last, static_cast<std::int64_t>(count)});
      found += out.back().count;
    };
    if (division.collect) {
      while (key < collected.size() && collected[key] <= division.last) {
        const std::size_t from = key;
        while (key < collected.size() && collected[key] == collected[from]) ++key;
        add(collected[from], collected[from], key - from);
      }
    } else {
      const std::uint64_t more = (std::uint64_t{1} << division.shift) - 1;  // keys but one
      const std::uint64_t count = ((division.last - division.first) >> division.shift) + 1;
      for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t first = division.first + (i << division.shift);
        add(first, more < division.last - first ? first + more : division.last,
            ranges[division.offset + i]);
      }
    }
    if (found != segment.count) {
      throw Error(ErrorKind::invalid_use,
                  "voxels were changed while their statistics were computed; compute them "
                  "when nobody writes");
    }
  }
  segments_ = std::move(out);
}

}  // namespace mlarray::statistics
