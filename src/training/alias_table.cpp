#include "training/alias_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "base/text.hpp"
#include "mlarray/error.hpp"

namespace mlarray::training {

AliasTable::AliasTable(std::span<const double> weights, const char* what) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!std::isfinite(weights[i]) || weights[i] < 0) {
      throw Error(ErrorKind::invalid_value, std::string(what) + "[" + std::to_string(i) +
                                                "] is " + base::float_repr(weights[i]) +
                                                "; use a finite number of 0 or more");
    }
    sum += weights[i];
  }
  if (!(sum > 0) || !std::isfinite(sum)) {
    throw Error(ErrorKind::invalid_value, "the sum of " + std::string(what) + " is " +
                                              base::float_repr(sum) +
                                              "; use a finite one above 0");
  }
  cells_.resize(weights.size());
  std::vector<std::size_t> small;
  std::vector<std::size_t> large;
  const auto count = static_cast<double>(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    cells_[i] = {weights[i] / sum * count, static_cast<std::int64_t>(i)};
    (cells_[i].share < 1 ? small : large).push_back(i);
  }
  while (!small.empty() && !large.empty()) {
    const std::size_t less = small.back();
    const std::size_t more = large.back();
    small.pop_back();
    cells_[less].other = static_cast<std::int64_t>(more);
    cells_[more].share -= 1 - cells_[less].share;
    if (cells_[more].share < 1) {
      large.pop_back();
      small.push_back(more);
    }
  }
  // What rounding has left of either is 1; but a weight of 0 is never drawn.
  const auto heaviest = std::max_element(weights.begin(), weights.end()) - weights.begin();
  for (const std::size_t i : large) cells_[i].share = 1;
  for (const std::size_t i : small) {
    if (weights[i] > 0) {
      cells_[i].share = 1;
    } else {
      cells_[i].other = heaviest;
    }
  }
}

}  // namespace mlarray::training
