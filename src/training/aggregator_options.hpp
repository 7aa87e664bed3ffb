// What AggregatorOptions mean: whether they fit, and the file that they ask for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "mlarray/training/aggregator.hpp"
#include "mlarray/types.hpp"

namespace mlarray::training {

// Errors: invalid_value.
void check_options(const Shape& shape, const Shape& patch, std::int64_t classes,
                   const AggregatorOptions& options);

Shape prediction_shape(const Shape& shape, std::int64_t classes,
                       const AggregatorOptions& options);
DType prediction_dtype(std::int64_t classes, const AggregatorOptions& options);
// Errors: invalid_value for an image of another number of spatial axes.
Metadata prediction_metadata(std::size_t axes, const AggregatorOptions& options);

}  // namespace mlarray::training
