// Statistics of voxels (Array::statistics): least, greatest, mean, median, standard deviation,
// quantiles, and the same between two quantiles. What is exact, and what NaN does:
// docs/statistics.md.
//
// Errors: invalid_type for elements or a mask that are no bool, integer or float of up to 8
// bytes; invalid_value for a mask of another shape, for one under which no voxel counts, and
// for quantiles that are not ascending within 0 to 1; corruption, io, closed.
#pragma once

#include <cstdint>
#include <vector>

#include "mlarray/export.hpp"
#include "mlarray/metadata.hpp"
#include "mlarray/types.hpp"

namespace mlarray {

class Array;

// Which voxels count: those where a mask of the same shape is not 0, or has one of `values`.
// Refers to what it is made of; with neither, every voxel counts. A NaN is not 0.
struct Mask {
  const Array* array = nullptr;            // bool, integers or floats
  const ConstArrayView* voxels = nullptr;  // instead of `array`
  DType dtype = {};                        // of `voxels`
  std::vector<std::int64_t> values = {};   // empty: whatever is not 0
};

struct StatisticsOptions {
  double lower = 0.005;  // quantiles, as numpy.quantile takes them: 0 to 1
  double upper = 0.995;
  Mask mask = {};
  int threads = 0;  // 0: the process-wide number
};

struct Statistics {
  std::int64_t count = 0;  // voxels that count
  Value min, max;          // int64, or BigInt, of integers and bool; else double
  double mean = 0;
  double median = 0;
  double std = 0;               // divided by count, as numpy.std
  double lower = 0, upper = 0;  // the quantiles that were asked for, as 0.005 and 0.995
  double percentile_min = 0, percentile_max = 0;  // the voxel values at them
  // Of the voxels between these two.
  double percentile_mean = 0, percentile_median = 0, percentile_std = 0;

  // Stores them as the section "stats", and nothing else.
  MLARRAY_EXPORT void put_into(Metadata& metadata) const;
};

}  // namespace mlarray
