// Places and markers of the frame format. On disk: do not change (docs/format.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mlarray::frame {

// A msgpack string of 8 bytes: the name and its closing zero.
inline constexpr std::string_view kMagic{
    "\xa8"
    "b2frame\0",
    9};

inline constexpr std::size_t kHeaderLenAt = 11;  // int32
inline constexpr std::size_t kFrameLenAt = 16;   // uint64
inline constexpr std::size_t kFlagsAt = 25;      // version, offset size, chunk kinds
inline constexpr std::size_t kTypeAt = 26;       // 0: contiguous
inline constexpr std::size_t kCodecsAt = 27;     // compressor | level << 4
inline constexpr std::size_t kSplitModeAt = 28;  // c-blosc2's splitmode - 1
inline constexpr std::size_t kNbytesAt = 30;     // int64
inline constexpr std::size_t kCbytesAt = 39;     // int64
inline constexpr std::size_t kTypesizeAt = 48;   // int32
inline constexpr std::size_t kBlocksizeAt = 53;  // int32
inline constexpr std::size_t kChunksizeAt = 58;  // int32
inline constexpr std::size_t kHasVlmetaAt = 68;  // msgpack bool
inline constexpr std::size_t kFilterCountAt = 70;
inline constexpr std::size_t kFiltersAt = 71;  // 6 codes, then compressor and its meta
inline constexpr std::size_t kCompressorAt = 77;
inline constexpr std::size_t kFiltersMetaAt = 79;
inline constexpr std::size_t kHeaderMinBytes = 87;  // then the metalayers

inline constexpr unsigned kVersionMask = 0x0f;
inline constexpr unsigned kNewestVersion = 3;
inline constexpr unsigned kWrittenVersion = 2;
inline constexpr unsigned kOffsets64 = 0x10;
inline constexpr unsigned kVariableChunks = 0x40;
inline constexpr unsigned kVariableBlocks = 0x80;

inline constexpr unsigned kMsgpackFalse = 0xc2;
inline constexpr unsigned kMsgpackTrue = 0xc3;
inline constexpr unsigned kUint32Marker = 0xce;
inline constexpr unsigned kFixExt16Marker = 0xd8;

inline constexpr std::size_t kTrailerLayersAt = 2;
inline constexpr std::size_t kTrailerMinBytes = 25;
// uint32 length (5), extension marker (1), seal type (1), seal (16).
inline constexpr std::size_t kTrailerEndBytes = 23;
inline constexpr unsigned kSealType = 1;
inline constexpr unsigned kNoSealType = 0;

// Chunks without bytes cost a file next to nothing, but 8 bytes each in memory: beyond this
// number a file must be large enough for every chunk to have a header. (128 MiB of index;
// 64 TiB of voxels in chunks of 4 MiB.)
inline constexpr std::int64_t kMaxSparseChunks = std::int64_t{1} << 24;

}  // namespace mlarray::frame
