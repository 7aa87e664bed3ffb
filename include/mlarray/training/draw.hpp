// Draw: what one place in a batch shows. A plain value, made before anything of it is read.
#pragma once

#include <cstdint>
#include <optional>

#include "mlarray/types.hpp"

namespace mlarray::training {

struct Draw {
  std::int64_t index = 0;  // of the sample in its epoch
  std::int64_t case_index = 0;
  Box box;                 // spatial axes only; may reach beyond the image
  std::uint64_t seed = 0;  // of all that is random later: augmentation
  // The class that was drawn (of a joined class its first label), and a voxel of it that the
  // box was put around. Empty: a draw without regard to labels.
  std::optional<std::int64_t> label = {};
  Shape center = {};
};

}  // namespace mlarray::training
