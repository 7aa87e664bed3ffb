// Voxels of one type as voxels of another, and their normalisation. Pure functions. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "mlarray/dtype.hpp"
#include "mlarray/training/loader.hpp"

namespace mlarray::training {

// What voxels are stored as, or become.
enum class Kind : std::uint8_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  u64,
  i64,
  f16,
  bf16,
  f32,
  f64,
  other
};

// Of elements in memory; `other` for big-endian, complex, structured ... ones. bool is u8.
Kind kind_of(const DType& dtype);
// Not of VoxelType::stored.
Kind kind_of(VoxelType type);
std::int64_t size_of(Kind kind);
bool is_integer(Kind kind);
// As a field has it; bfloat16 as uint16.
DType dtype_of(Kind kind);
std::string name_of(Kind kind);

// clip to [low, high], then (x - mean) / std: in float32, or in float64 where voxels are
// float64 or integers of 4 bytes or more, which float32 does not hold.
struct Scaling {
  double mean = 0;
  double std = 1;
  double low = 0;
  double high = 0;
  bool clips = false;
};
Scaling scaling_of(const Normalization::Channel& channel);
// Errors: invalid_value for numbers that Normalization does not allow; `what` begins the text.
void check_channel(const Normalization::Channel& channel, const std::string& what);

// `count` voxels from `source` to `target`, which do not overlap. Rounded once, to the nearest,
// ties to even. False: one was out of the range of an integer type, or NaN.
bool convert(Kind from, const std::byte* source, Kind to, std::byte* target, std::int64_t count,
             const Scaling* scaling);

// Mean and standard deviation; of those of `mask` (uint8) that are not 0, if it is given and
// any is. Sums in double.
struct Moments {
  double mean = 0;
  double std = 1;
};
Moments moments(Kind kind, const std::byte* voxels, std::int64_t count,
                const std::uint8_t* mask);

// 1 where a voxel is above 0, else 0.
void mark_positive(Kind kind, const std::byte* voxels, std::int64_t count, std::uint8_t* mask);

// One voxel, as the number nearest to it; of a float, nothing if it is no whole number.
std::optional<std::int64_t> whole_number(Kind kind, const std::byte* voxel);

}  // namespace mlarray::training
