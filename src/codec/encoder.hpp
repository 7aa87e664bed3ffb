// Encoding: one Encoder per thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "codec/chunk.hpp"
#include "mlarray/options.hpp"
#include "mlarray/types.hpp"

namespace mlarray::codec {

// Compressor, level and filters for elements of `itemsize` bytes when the caller names none.
// floating_point: real or complex, which is_floating() says of a type.
// The reasons and the figures stand in encoder_params.cpp.
CodecParams preset_params(Preset preset, std::int64_t itemsize, bool floating_point);
bool is_floating(const DType& dtype);
// The preset `fast`.
CodecParams default_params(std::int64_t itemsize, bool floating_point);
// What a file's header says, with `adaptive` set if it is what a preset writes: edits of such a
// file go on as it was written.
CodecParams as_preset(CodecParams params, std::int64_t itemsize, bool floating_point);
CodecParams as_preset(CodecParams params, const DType& dtype);

// Errors: invalid_value for a level outside 0..9, an unknown codec, a filter that may not be
// written, naming the allowed ones, and more than two filters.
void check_params(const CodecParams& params);

// The same parameters as elements of this type can be written with: a precision below 0, which
// counts bits to be dropped, is put as bits to be kept, since python-blosc2 opens no file in
// which a filter's number is above 127.
// Errors: as check_params(); invalid_value for filters that would destroy such elements and for
// numbers that no reader takes.
CodecParams params_for(CodecParams params, const DType& dtype);
// Whether a filter shortens elements, so that voxels are not read as they were given.
bool shortens(const CodecParams& params);
// What params_for() gives, without the filters that it refuses: how a file is edited that
// somebody else wrote. DELTA is left out, too, and what follows two filters. Errors: none.
CodecParams params_for_edits(CodecParams params, const DType& dtype);

// `params` as single blocks of a chunk that is there already have to be encoded with, so that
// its header stays true. Nothing: the chunk has another codec or other filters (none at all are
// taken over), or no blocks that could be replaced (special, stored, DELTA, a dictionary).
std::optional<CodecParams> params_for_blocks(const ChunkHeader& header, CodecParams params);

// Not synchronised.
class Encoder {
 public:
  // typesize is the element's size; above 255 it is stored as 1. Shuffle of 1-byte elements is
  // left out (it changes nothing), bytedelta without a width gets the element's.
  // Errors: as check_params(); unsupported for a block size that the format does not hold;
  // invalid_use naming a BLOSC_* variable.
  Encoder(const CodecParams& params, std::int64_t typesize, std::int32_t blocksize);
  ~Encoder();
  Encoder(Encoder&&) noexcept;
  Encoder& operator=(Encoder&&) noexcept;

  // Compresses `data`, laid out block by block (at least one whole block, at most
  // kMaxChunkBytes; the last block may be short). All zeros give a 32-byte Special::zeros.
  // Adaptive parameters are followed by PlaneEncoder where it can, else they are c-blosc2's.
  // What c-blosc2 made is checked against the parameters, because BLOSC_* environment
  // variables override them. Errors: invalid_use naming the variable; unsupported.
  std::vector<std::byte> encode(std::span<const std::byte> data);

  // The stored bytes of one block, for a chunk with blocks of these parameters (join_blocks()):
  // until the next call. `data` is one whole block. Nothing: it has none of its own, as at
  // level 0 and for blocks of a few bytes. Errors: as encode().
  std::optional<std::span<const std::byte>> encode_block(std::span<const std::byte> data);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A chunk of blocks that are encoded already, one behind the other, in the order of their
// numbers: `head` is a chunk's header, of which only the length changes. Nothing: stored as it
// is, the chunk would be no longer. Precondition: one piece for every block.
std::optional<std::vector<std::byte>> join_blocks(
    std::span<const std::byte> head, const ChunkHeader& header,
    std::span<const std::span<const std::byte>> blocks);
// A chunk that stores `data` as it is (used for metadata and for small things).
std::vector<std::byte> store_chunk(std::span<const std::byte> data, std::int32_t typesize,
                                   std::int32_t blocksize);
// A chunk of general bytes (the index: typesize 8; metadata: typesize 1), compressed.
std::vector<std::byte> compress_bytes(std::span<const std::byte> data, std::int32_t typesize);
// The bytes of such a chunk; `max_bytes` bounds what it may claim.
std::vector<std::byte> decompress_bytes(std::span<const std::byte> chunk,
                                        std::int64_t max_bytes, const Expected& expected);

}  // namespace mlarray::codec
