// What a pipeline and its draw may be. Internal; check() is in pipeline.hpp.
#pragma once

#include <cstdint>
#include <string>

#include "mlarray/augment/pipeline.hpp"
#include "mlarray/error.hpp"

namespace mlarray::augment {

// An error about a field, "intensity[2].sigma"; empty: the pipeline.
[[noreturn]] void refuse(ErrorKind kind, const std::string& where, const std::string& what);

// An error about what was given to apply().
[[noreturn]] void misfit(const std::string& message);

// That what was drawn is of this pipeline: where voxels come from, and what is done to images
// of so many channels. Errors: invalid_value.
void check_place(const Pipeline& pipeline, const Drawn& drawn);
void check_changes(const Pipeline& pipeline, const Drawn& drawn, std::int64_t channels);

}  // namespace mlarray::augment
