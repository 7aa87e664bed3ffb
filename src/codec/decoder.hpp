// Decoding: one Decoder per thread, chunks in memory that parse_chunk() has passed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "codec/block_view.hpp"
#include "codec/chunk.hpp"

namespace mlarray::codec {

// Not synchronised. Keeps its contexts and scratch between calls.
class Decoder {
 public:
  static constexpr std::size_t kAll = ~std::size_t{0} / 2;

  Decoder();
  ~Decoder();
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;

  // One block into `out`, which has exactly the block's uncompressed size. LZ4 and ZSTD chunks
  // without filters or with one shuffle or bitshuffle are decoded here, block by block; others
  // by c-blosc2. Not for whole_only() chunks. Special chunks are filled.
  // `what` names the chunk in messages. Errors: corruption.
  void decode_block(std::span<const std::byte> chunk, const ChunkHeader& header,
                    std::int32_t block, std::span<std::byte> out, std::string_view what);

  // The same where it is cheapest: what is stored as it is needed is not copied out of `chunk`.
  // The fast path of reads; decode_block() is the plain one, which it must agree with.
  // `wanted`: the first so many bytes of the block are enough. What is behind them is then
  // mostly not decoded, and damage there is not found: for who knows that there is none.
  BlockView view_block(std::span<const std::byte> chunk, const ChunkHeader& header,
                       std::int32_t block, std::string_view what, std::size_t wanted = kAll);

  // view_block() of the block's stored bytes alone, of a chunk whose blocks_stand_alone().
  // `stored` may hold more, behind them. Nothing: they are damaged, or end too early.
  std::optional<BlockView> view_stored(std::span<const std::byte> stored,
                                       const ChunkHeader& header, std::int32_t block,
                                       std::size_t wanted = kAll);

  // The whole chunk into `out` (exactly header.nbytes). Errors: corruption.
  void decode_chunk(std::span<const std::byte> chunk, const ChunkHeader& header,
                    std::span<std::byte> out, std::string_view what);

  // Gives back memory beyond `most_bytes` that a rare giant block has taken.
  void trim(std::size_t most_bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whether a block can be decoded from its own stored bytes, without the rest of the chunk.
bool blocks_stand_alone(const ChunkHeader& header) noexcept;

// Fills `out` as a special chunk says. `item` is the repeated value for Special::value.
// NaN is a float32 in 4 bytes and a float64 in 8, as c-blosc2 fills it (in a complex64 that is
// the imaginary part), and a float16 in 2, ours. uninit is filled with zeros.
// Errors: unsupported for NaN of another size; invalid_use without a value to repeat.
void fill_special(Special special, std::span<const std::byte> item, std::int64_t itemsize,
                  std::span<std::byte> out);

}  // namespace mlarray::codec
