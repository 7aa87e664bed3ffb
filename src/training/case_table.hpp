// All cases of a loader: their paths and some 30 bytes each, in pieces of memory that are
// filled one after the other and never moved, so that nothing is left behind. Immutable.
// Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "mlarray/training/case.hpp"

namespace mlarray::training {

class CaseTable {
 public:
  // Errors: invalid_value for no cases, a case without an image, one that has labels or extras
  // where the first one has not or the reverse, and two extras of one name.
  explicit CaseTable(const CaseSource& next);

  std::int64_t count() const { return static_cast<std::int64_t>(starts_.size()); }
  // Errors of these: out_of_bounds.
  void check_index(std::int64_t i) const;
  Case at(std::int64_t i) const;
  std::string name(std::int64_t i) const;
  const std::vector<std::string>& extras() const { return extras_; }
  bool has_labels() const { return has_labels_; }

 private:
  // Where a case is: name, its files with their counts.
  struct Place {
    std::uint32_t piece = 0;
    std::uint32_t first = 0;
  };
  void check(const Case& one);  // against the first
  void add(std::string_view text);
  std::string_view text(std::int64_t i) const;

  std::vector<std::string> extras_;
  bool has_labels_ = false;
  std::deque<Place> starts_;
  std::deque<std::string> pieces_;
};

// One after the other of a list, which must live as long.
CaseSource each_of(const std::vector<Case>& cases);

// Of a file: its name without a suffix that an array has.
std::string stem_of(const std::filesystem::path& path);

}  // namespace mlarray::training
