// The functions of LZ4 and ZSTD that are called directly. Internal.
//
// Both libraries are inside c-blosc2's static library, but its packages ship neither lz4.h nor
// zstd.h, and a system's headers could be of another version than the code linked in. These
// few signatures are stable parts of both interfaces.
#pragma once

#include <cstddef>

extern "C" {

// Bytes written, or negative. Neither reads nor writes outside what it is given.
int LZ4_decompress_safe(const char* source, char* target, int source_bytes, int target_bytes);

struct ZSTD_DCtx_s;
ZSTD_DCtx_s* ZSTD_createDCtx();
std::size_t ZSTD_freeDCtx(ZSTD_DCtx_s* context);
// Bytes written, or a code for which ZSTD_isError() is not 0.
std::size_t ZSTD_decompressDCtx(ZSTD_DCtx_s* context, void* target, std::size_t target_bytes,
                                const void* source, std::size_t source_bytes);
unsigned ZSTD_isError(std::size_t code);

}  // extern "C"
