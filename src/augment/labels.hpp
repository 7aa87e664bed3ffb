// Labels that lie in the patch. Internal.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "augment/geometry.hpp"

namespace mlarray::augment {

// The length of an axis at a factor, and which voxel is kept for each.
std::int64_t scaled_length(std::int64_t length, double factor);

// Nearest voxels of `labels` at a resolution.
void scale_labels(const std::int16_t* labels, const Size& size,
                  const std::vector<double>& factors, std::int16_t* out);
// Each pair in turn: this label becomes that one.
void replace_labels(std::int16_t* labels, std::int64_t count,
                    const std::vector<std::array<std::int64_t, 2>>& pairs);
// 1 where a label is any of these, else 0. T: float or int16.
template <class T>
void mark_labels(const std::int16_t* labels, std::int64_t count,
                 std::span<const std::int64_t> which, T* out);

inline constexpr double kLargestRadius = 100;

// What was drawn for the labels of an earlier stage, each a channel of 0 and 1.
void change_previous(const Labels& labels, const Drawn& drawn, const Size& size,
                     float* channels, Workspace::Impl& work);

}  // namespace mlarray::augment
