// What is done to the voxels of one channel, in place. Internal.
#pragma once

#include <cstdint>

#include "augment/geometry.hpp"

namespace mlarray::augment {

// One step of `drawn`. `flips`: the patch is flipped already, though it should be after this.
void apply_step(const Pipeline& pipeline, const Drawn& drawn, const Drawn::Step& step,
                const Size& size, const std::array<bool, 3>& flips, float* voxels,
                Workspace::Impl& work);

}  // namespace mlarray::augment
