// All voxels of an array that a mask selects, block by block on all threads, in memory that is
// bounded by the block. Of a caller's array, pieces of some ten thousand elements are the
// blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "grid/geometry.hpp"
#include "mlarray/array.hpp"
#include "session/snapshot.hpp"

namespace mlarray::statistics {

// Where voxels are: in a state of an array, or in a caller's memory. Refers to either.
struct VoxelSource {
  const session::Snapshot* state = nullptr;
  bool verify = true;  // of `state`
  const ConstArrayView* view = nullptr;
  DType dtype;
  std::string path;  // for messages; empty in memory

  const Shape& shape() const { return state ? state->geometry().shape() : view->shape; }
};

// Voxels that one block has of those that are selected.
struct Elements {
  std::span<const std::byte> bytes;  // in the byte order of the machine
  std::int64_t repeat = 1;           // how often each counts
  const Box* box = nullptr;          // theirs in the array, in C order where all are selected
};

class VoxelScan {
 public:
  // Of one group one call at a time, on one thread, in a fixed order; so what is summed up by
  // group does not depend on the number of threads. `worker` is in [0, threads()).
  using Body = std::function<void(int worker, std::size_t group, const Elements& elements)>;

  // Errors: invalid_value for a mask of another shape; invalid_type for one of other elements
  // than element_types.hpp has.
  VoxelScan(const VoxelSource& voxels, const std::optional<VoxelSource>& mask,
            std::vector<std::int64_t> mask_values, int threads);

  int threads() const { return threads_; }
  std::size_t groups() const { return groups_; }
  // Errors: corruption, unsupported, io; what the body throws.
  void run(const Body& body) const;
  // Some blocks, evenly spread, all in group 0.
  void sample(const Body& body) const;

 private:
  class Reader;
  std::int64_t first_unit(std::size_t group) const;

  VoxelSource voxels_;
  std::optional<VoxelSource> mask_;
  std::vector<std::int64_t> mask_values_;
  grid::Geometry geometry_;  // that of the state, or one that cuts the view
  int threads_ = 1;
  std::int64_t units_ = 0;  // blocks of all chunks
  std::size_t groups_ = 0;
};

}  // namespace mlarray::statistics
