// The functions of LZ4 and ZSTD that are called directly. Internal.
//
// Both libraries are inside c-blosc2's static library, but its packages ship neither lz4.h nor
// zstd.h, and a system's headers could be of another version than the code linked in. These
// few signatures are stable parts of both interfaces.
#pragma once

#include <cstddef>

extern "C" {

// Bytes written, or negative. Neither reads nor writes outside what it is given. What our own
// decoder (lz4_decoder.hpp) is compared with.
int LZ4_decompress_safe(const char* source, char* target, int source_bytes, int target_bytes);
// Bytes written, or 0 if `target_bytes` are not enough. A higher `acceleration` skips more.
int LZ4_compress_fast(const char* source, char* target, int source_bytes, int target_bytes,
                      int acceleration);
// LZ4HC on a state that LZ4_initStreamHC() prepared and that earlier calls may have used: what
// they left is not looked at and, unlike in LZ4_compress_HC(), not cleared, which for blocks of
// some kilobytes is a quarter of the time.
int LZ4_compress_HC_extStateHC_fastReset(void* state, const char* source, char* target,
                                         int source_bytes, int target_bytes, int level);
int LZ4_sizeofStateHC();
void* LZ4_initStreamHC(void* memory, std::size_t bytes);

struct ZSTD_DCtx_s;
ZSTD_DCtx_s* ZSTD_createDCtx();
std::size_t ZSTD_freeDCtx(ZSTD_DCtx_s* context);
// Bytes written, or a code for which ZSTD_isError() is not 0.
std::size_t ZSTD_decompressDCtx(ZSTD_DCtx_s* context, void* target, std::size_t target_bytes,
                                const void* source, std::size_t source_bytes);
struct ZSTD_CCtx_s;
ZSTD_CCtx_s* ZSTD_createCCtx();
std::size_t ZSTD_freeCCtx(ZSTD_CCtx_s* context);
std::size_t ZSTD_compressCCtx(ZSTD_CCtx_s* context, void* target, std::size_t target_bytes,
                              const void* source, std::size_t source_bytes, int level);
unsigned ZSTD_isError(std::size_t code);

}  // extern "C"

namespace mlarray::codec {

// The code of a call that got no memory.
inline constexpr auto kZstdNoMemory = static_cast<std::size_t>(-64);

}  // namespace mlarray::codec
