// Draws by weight in constant time: Walker's alias method, as Vose 1991 builds it ("A linear
// algorithm for generating random numbers with a given distribution"). Internal.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mlarray/random.hpp"

namespace mlarray::training {

class AliasTable {
 public:
  AliasTable() = default;
  // Errors: invalid_value for a weight that is negative or not finite, and where all are 0,
  // naming them as `what`.
  AliasTable(std::span<const double> weights, const char* what);

  bool empty() const { return cells_.empty(); }
  std::int64_t size() const { return static_cast<std::int64_t>(cells_.size()); }
  std::int64_t draw(Random& random) const {
    const std::uint64_t cell = random.below(cells_.size());
    const Cell& it = cells_[static_cast<std::size_t>(cell)];
    return random.uniform() < it.share ? static_cast<std::int64_t>(cell) : it.other;
  }

 private:
  struct Cell {
    double share = 1;  // of the cell's own number
    std::int64_t other = 0;
  };
  std::vector<Cell> cells_;
};

}  // namespace mlarray::training
