// Our own decoding of the common chunks: LZ4 or ZSTD, at most one shuffle. Internal.
//
// c-blosc2 decodes a block through a context of the whole chunk and undoes a shuffle of
// 1-byte elements byte by byte; here a block is its streams, decoded where they belong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "codec/chunk.hpp"

struct ZSTD_DCtx_s;

namespace mlarray::codec {

// Not synchronised: one per thread.
class BlockDecoder {
 public:
  // Is this chunk one that decode() takes? Not: special, stored, whole_only() chunks.
  static bool handles(const ChunkHeader& header) noexcept;

  // One block into `out` (exactly its size). Every read and write is bounded by `chunk` and
  // `out`, whatever the bytes are. False: the block is damaged, `out` holds anything.
  bool decode(std::span<const std::byte> chunk, const ChunkHeader& header, std::int32_t block,
              std::span<std::byte> out);

 private:
  bool decode_stream(std::span<const std::byte> bytes, int compressor,
                     std::span<std::byte> out);
  std::span<std::byte> scratch(std::size_t size);

  struct FreeZstd {
    void operator()(ZSTD_DCtx_s* context) const noexcept;
  };
  std::unique_ptr<ZSTD_DCtx_s, FreeZstd> zstd_;
  std::unique_ptr<std::byte[]> scratch_;
  std::size_t scratch_bytes_ = 0;
};

}  // namespace mlarray::codec
