// Our own decoding of the common chunks: LZ4 or ZSTD, at most one shuffle. Internal.
//
// c-blosc2 decodes a block through a context of the whole chunk and undoes a shuffle of
// 1-byte elements byte by byte; here a block is its streams, decoded where they belong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/memory.hpp"
#include "codec/block_view.hpp"
#include "codec/chunk.hpp"

struct ZSTD_DCtx_s;

namespace mlarray::codec {

// Not synchronised: one per thread.
class BlockDecoder {
 public:
  // Is this chunk one that decode() takes? Not: special, stored, whole_only() chunks.
  static bool handles(const ChunkHeader& header) noexcept;

  // One block into `out` (exactly its size). `stored` begins with its first stream. Every read
  // and write is bounded by `stored` and `out`, whatever the bytes are. False: the block is
  // damaged, `out` holds anything.
  bool decode(std::span<const std::byte> stored, const ChunkHeader& header,
              std::span<std::byte> out);

  // Block number `block` without a place for it: what is stored as it is needed is not copied.
  // Its first `wanted` bytes are enough, see Decoder::view_stored(). Nothing: the block is
  // damaged.
  std::optional<BlockView> view(std::span<const std::byte> stored, const ChunkHeader& header,
                                std::int32_t block, std::size_t wanted);
  // Gives back what a rare giant block has taken.
  void trim(std::size_t most_bytes) {
    coded_.trim(most_bytes);
    plain_.trim(most_bytes);
  }

 private:
  // Decodes the streams into `target`, one after another; false if the block is damaged.
  // `slack` bytes behind it may be overwritten. Where `starts` is given, it receives where each
  // stream is, and one that did not shrink stays in `stored` instead. Of each, the first
  // `wanted` bytes are enough.
  bool read_streams(std::span<const std::byte> stored, const ChunkHeader& header,
                    std::span<std::byte> target, std::size_t slack,
                    std::span<const std::byte*> starts, std::size_t wanted);
  // One stream of exactly `size` bytes; the rest of `out` may be overwritten.
  bool decode_stream(std::span<const std::byte> bytes, int compressor, std::size_t size,
                     std::size_t wanted, std::span<std::byte> out);

  struct FreeZstd {
    void operator()(ZSTD_DCtx_s* context) const noexcept;
  };
  std::unique_ptr<ZSTD_DCtx_s, FreeZstd> zstd_;
  base::Scratch<> coded_;  // streams whose filter is still to be undone
  base::Scratch<> plain_;  // elements that the caller gave no place
};

}  // namespace mlarray::codec
