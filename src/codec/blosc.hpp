// c-blosc2 contexts as owned objects, and its one-time start. Internal.
#pragma once

#include <memory>

struct blosc2_context_s;

namespace mlarray::codec {

struct FreeContext {
  void operator()(blosc2_context_s* context) const noexcept;
};
using BloscContext = std::unique_ptr<blosc2_context_s, FreeContext>;

// Starts c-blosc2 once per process. Every use of c-blosc2 comes after a call of this.
void start_blosc();

// For one thread. Errors: io when c-blosc2 has no memory for it.
BloscContext make_decompressor();

}  // namespace mlarray::codec
