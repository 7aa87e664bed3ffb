// What the bindings of training share.
#pragma once

#include <memory>

#include "mlarray/training/sampler.hpp"

namespace mlarray::bindings {

// nanobind holds no shared_ptr to a const object, so this holds it.
struct HeldSampler {
  std::shared_ptr<const training::Sampler> sampler;
};

}  // namespace mlarray::bindings
