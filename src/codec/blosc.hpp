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

// For one thread.
BloscContext make_decompressor();

// c-blosc2 makes a state of ZSTD when it first needs one, does not look whether it got it, and
// without memory ends the process. So whoever lets it use ZSTD in a new context calls this
// first, which throws std::bad_alloc: that leaves an instant and other threads.
void check_memory_for_zstd();
// Throws std::bad_alloc for those codes of c-blosc2 that mean it.
void check_memory(int code);

}  // namespace mlarray::codec
