// From the source to the patch. Internal.
#pragma once

#include <cstdint>

#include "augment/geometry.hpp"

namespace mlarray::augment {

// What is outside of the initial patch.
struct Outside {
  Size initial = {};
  Padding padding = Padding::constant;  // of images
  float fill = 0;                       // likewise, where it is constant
};
inline constexpr std::int16_t kOutsideLabel = -1;

void copy_image(const Volume<float>& source, const Outside& outside, const Copy& copy,
                const Size& patch, float* out);
void copy_labels(const Volume<std::int16_t>& source, const Outside& outside, const Copy& copy,
                 const Size& patch, std::int16_t* out);

void warp_image(const Volume<float>& source, const Outside& outside, const Warp& warp,
                const Size& patch, Interpolation interpolation, float* out,
                Workspace::Impl& work);
void warp_labels(const Volume<std::int16_t>& source, const Warp& warp, const Size& patch,
                 std::int16_t* out, Workspace::Impl& work);

}  // namespace mlarray::augment
