// Cases without files, for samplers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mlarray/training/sampler.hpp"

namespace mlarray::training::test {

class FakeCases final : public CaseInfo {
 public:
  struct One {
    Shape shape;
    std::shared_ptr<const LabelIndex> labels = nullptr;
  };
  explicit FakeCases(std::vector<One> all) : all_(std::move(all)) {}

  std::int64_t count() const override { return static_cast<std::int64_t>(all_.size()); }
  Shape shape(std::int64_t i) const override {
    return all_.at(static_cast<std::size_t>(i)).shape;
  }
  std::shared_ptr<const LabelIndex> labels(std::int64_t i) const override {
    return all_.at(static_cast<std::size_t>(i)).labels;
  }
  void warn(const std::string& text) const override { ++warnings[text]; }

  mutable std::map<std::string, int> warnings;

 private:
  std::vector<One> all_;
};

// The index of a map, background included if `background` is empty.
inline std::shared_ptr<const LabelIndex> index_of(const std::vector<std::uint8_t>& map,
                                                  const Shape& shape,
                                                  const LabelIndexOptions& options = {}) {
  const Array array = Array::in_memory(map, shape);
  return std::make_shared<const LabelIndex>(LabelIndex::build(array, options));
}

// A map of zeros with each label at the voxels given.
inline std::vector<std::uint8_t> map_with(
    const Shape& shape, const std::vector<std::pair<Shape, std::uint8_t>>& voxels) {
  std::vector<std::uint8_t> map(static_cast<std::size_t>(element_count(shape)));
  for (const auto& [voxel, label] : voxels) {
    std::int64_t at = 0;
    for (std::size_t a = 0; a < shape.size(); ++a) at = at * shape[a] + voxel[a];
    map[static_cast<std::size_t>(at)] = label;
  }
  return map;
}

// Chi-squared of counts against expected shares.
inline double chi_squared(const std::vector<std::int64_t>& counts,
                          const std::vector<double>& shares) {
  double all = 0;
  double sum = 0;
  for (const std::int64_t n : counts) all += static_cast<double>(n);
  for (const double share : shares) sum += share;
  double out = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = all * shares[i] / sum;
    if (expected == 0) {
      out += counts[i] == 0 ? 0 : 1e9;
      continue;
    }
    const double off = static_cast<double>(counts[i]) - expected;
    out += off * off / expected;
  }
  return out;
}

// More than this happens by chance once in about 100,000 times (Wilson and Hilferty 1931).
inline double chi_limit(std::size_t cells) {
  const auto df = static_cast<double>(cells - 1);
  const double z = 4.3;
  const double root = 1 - 2 / (9 * df) + z * std::sqrt(2 / (9 * df));
  return df * root * root * root;
}

inline DrawPlace place_of(std::int64_t index, std::int64_t batch = 2, std::uint64_t seed = 5) {
  DrawPlace place;
  place.seed = seed;
  place.index = index;
  place.batch = batch;
  place.in_batch = index % batch;
  return place;
}

}  // namespace mlarray::training::test
