// All values in ascending order, as ranges of keys with the number of values in each; and how a
// range is divided, pass by pass, until the rank that is looked for is one key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mlarray::statistics {

// Keys `first` to `last`, which `count` > 0 values have. Keys: element_types.hpp.
struct Segment {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::int64_t count = 0;

  bool single() const { return first == last; }
};

// How one segment is divided: into ranges of 2^shift keys, or, if it has few values, by
// collecting them.
struct Division {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool collect = false;
  int shift = 0;
  std::size_t offset = 0;  // of its ranges among those of all divisions
};

// What is divided in one pass, ascending.
struct DivisionPlan {
  std::vector<Division> divisions;
  std::size_t ranges = 0;
};

class Ladder {
 public:
  // `segments` ascending, without overlap.
  explicit Ladder(std::vector<Segment> segments) : segments_(std::move(segments)) {}

  const std::vector<Segment>& segments() const { return segments_; }
  // The segment of a rank: 0 is the least value. REQUIRES: there is such a value.
  std::size_t at(std::int64_t rank) const;

  // How to divide the segments of `ranks` that are more than one key; and, as far as it is
  // cheap, all those from one rank to the other of `likely`. Empty if the ranks are known.
  DivisionPlan plan(const std::vector<std::int64_t>& ranks,
                    const std::pair<std::int64_t, std::int64_t>& likely) const;
  // Puts in what a pass has found: numbers of values by range, and keys that were collected.
  // Errors: invalid_use if they are not the values that were there in the pass before.
  void divide(const DivisionPlan& plan, const std::vector<std::uint64_t>& ranges,
              std::vector<std::uint64_t> collected);

 private:
  std::vector<Segment> segments_;
};

}  // namespace mlarray::statistics
