// From the source to the patch. Internal.
#pragma once

#include <cstdint>

#include "augment/geometry.hpp"

namespace mlarray::augment {

void copy_image(const Volume<float>& source, const Size& start, const Size& patch,
                const std::array<bool, 3>& flips, float* out);
void copy_labels(const Volume<std::int16_t>& source, const Size& start, const Size& patch,
                 const std::array<bool, 3>& flips, std::int16_t* out);

void warp_image(const Volume<float>& source, const Warp& warp, const Size& patch, float* out,
                Workspace::Impl& work);
void warp_labels(const Volume<std::int16_t>& source, const Warp& warp, const Size& patch,
                 std::int16_t* out, Workspace::Impl& work);

// What is outside the initial patch.
inline constexpr float kOutsideImage = 0;
inline constexpr std::int16_t kOutsideLabel = -1;

}  // namespace mlarray::augment
