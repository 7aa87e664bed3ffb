// What one chunk and one block of Blosc2 can hold, in bytes before compression. Limits of the
// format: do not change.
#pragma once

#include <cstdint>

namespace mlarray::base {

inline constexpr std::int64_t kMaxChunkBytes = (std::int64_t{1} << 31) - 33;
// Of one file, whose index is one chunk with 8 bytes for each.
inline constexpr std::int64_t kMaxChunks = kMaxChunkBytes / 8;
inline constexpr std::int32_t kMaxBlockBytes = 536866816;  // BLOSC2_MAXBLOCKSIZE

}  // namespace mlarray::base
