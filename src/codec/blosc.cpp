#include "codec/blosc.hpp"

#include <blosc2.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>

#include "codec/lz_functions.hpp"

namespace mlarray::codec {
namespace {

// BLOSC_NTHREADS in the environment overrides the one thread that every context here asks
// for. Threads of c-blosc2 would not survive a fork, so its jobs run in the calling thread.
void run_jobs_here(void* /*data*/, void (*job)(void*), int count, std::size_t job_bytes,
                   void* jobs) {
  auto* base = static_cast<std::byte*>(jobs);
  for (int i = 0; i < count; ++i) job(base + static_cast<std::size_t>(i) * job_bytes);
}

void start_once() {
  blosc2_set_threads_callback(run_jobs_here, nullptr);
  blosc2_init();
  // The first shuffle picks the routines for this CPU, without a lock: do it here, alone.
  std::array<std::uint8_t, 256> from{};
  std::array<std::uint8_t, 256> to{};
  blosc2_shuffle(4, static_cast<std::int32_t>(from.size()), from.data(), to.data());
  blosc2_bitshuffle(4, static_cast<std::int32_t>(from.size()), from.data(), to.data());
}

}  // namespace

void FreeContext::operator()(blosc2_context_s* context) const noexcept {
  blosc2_free_ctx(context);
}

void start_blosc() {
  static std::once_flag once;
  std::call_once(once, start_once);
}

BloscContext make_decompressor() {
  start_blosc();
  blosc2_dparams params = BLOSC2_DPARAMS_DEFAULTS;
  params.nthreads = 1;
  BloscContext context(blosc2_create_dctx(params));
  if (!context) throw std::bad_alloc();
  return context;
}

void check_memory_for_zstd() {
  ZSTD_CCtx_s* const encoder = ZSTD_createCCtx();
  ZSTD_DCtx_s* const decoder = ZSTD_createDCtx();
  ZSTD_freeCCtx(encoder);
  ZSTD_freeDCtx(decoder);
  if (encoder == nullptr || decoder == nullptr) throw std::bad_alloc();
}

void check_memory(int code) {
  if (code == BLOSC2_ERROR_MEMORY_ALLOC || code == BLOSC2_ERROR_THREAD_CREATE) {
    throw std::bad_alloc();
  }
}

}  // namespace mlarray::codec
