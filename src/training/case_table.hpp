// All cases of a loader in one piece of memory: their paths and 28 bytes each. Immutable.
// Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mlarray/training/case.hpp"

namespace mlarray::training {

class CaseTable {
 public:
  // Errors: invalid_value for no cases, a case without an image, one that has labels or extras
  // where the first one has not or the reverse, and two extras of one name.
  explicit CaseTable(const std::vector<Case>& cases);

  std::int64_t count() const { return static_cast<std::int64_t>(starts_.size()); }
  Case at(std::int64_t i) const;  // Errors: out_of_bounds
  std::string name(std::int64_t i) const;
  const std::vector<std::string>& extras() const { return extras_; }

 private:
  void put(std::string_view text);
  void put(const std::vector<std::filesystem::path>& files);

  std::vector<std::string> extras_;
  std::vector<std::uint64_t> starts_;
  std::string text_;  // of each case: name, its files with their counts
};

// Of a file: its name without a suffix that an array has.
std::string stem_of(const std::filesystem::path& path);

}  // namespace mlarray::training
