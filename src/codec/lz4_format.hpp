// The numbers of an LZ4 block, which its encoder and its decoder share. Internal. On disk: do
// not change.
//
// A block is a row of sequences: a token, literals, the offset of a match in 2 bytes. The
// token's halves are the number of literals and the length of the match less kMinMatch; at
// kTokenLimit, bytes are added until one is not 255. The last sequence has literals only.
// Source: https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
#pragma once

#include <cstddef>

namespace mlarray::codec::lz4 {

inline constexpr std::size_t kMinMatch = 4;
inline constexpr std::size_t kTokenLimit = 15;
inline constexpr std::size_t kLengthStep = 255;
inline constexpr std::size_t kOffsetBytes = 2;
// No match reaches into the last bytes, and none begins in the last twelve.
inline constexpr std::size_t kLastLiterals = 5;
inline constexpr std::size_t kNoMatchBegins = 12;

}  // namespace mlarray::codec::lz4
