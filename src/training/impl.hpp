// What a LabelIndex holds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <vector>

#include "mlarray/training/label_index.hpp"
#include "session/snapshot.hpp"
#include "training/packed_positions.hpp"

namespace mlarray::training {

class LabelIndex::Impl {
 public:
  static LabelIndex make(Impl impl) {
    return LabelIndex(std::make_shared<const Impl>(std::move(impl)));
  }
  static const Impl& of(const LabelIndex& index) { return *index.impl_; }
  // LabelIndex::build() of one state of an array. With a guard; errors name no path.
  static LabelIndex build(const session::Snapshot& state, const LabelIndexOptions& options,
                          bool verify, int threads);
  // label_index_of(), and whether it was built.
  static LabelIndex found_or_built(const Array& labels, const std::filesystem::path& cache,
                                   const LabelIndexOptions& options, bool& built);
  // Of the voxels as they are now, with the classes of `old`: all, or those that were listed.
  static LabelIndex anew(const Array& labels, const LabelIndex& old, int threads);
  // The joined classes of some options, each ascending. Errors: invalid_value.
  static std::vector<std::vector<std::int64_t>> joined_of(const LabelIndexOptions& options);

  // One class at the end of `classes`. `numbers`: those of its voxels that are kept, ascending.
  void add(std::vector<std::int64_t> labels, std::int64_t count,
           const std::vector<std::int64_t>& numbers) {
    classes.push_back({std::move(labels), count, static_cast<std::int64_t>(numbers.size())});
    positions.emplace_back(numbers, voxels);
  }
  // After the last, with `singles` set: what foreground() says.
  void finish();

  Shape shape;
  std::int64_t voxels = 0;
  // What it was asked for. Of lists: their own.
  std::int64_t most_positions = 0;
  std::optional<std::int64_t> background;
  std::vector<std::vector<std::int64_t>> joined;

  std::vector<LabelClass> classes;         // single ones ascending, then joined ones
  std::vector<PackedPositions> positions;  // of each
  std::size_t singles = 0;                 // so many of `classes` are of one label
  std::int64_t foreground = 0;
};

}  // namespace mlarray::training
