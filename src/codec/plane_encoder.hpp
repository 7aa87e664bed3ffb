// Our own encoding of the common chunks: every byte plane of a block is stored or compressed
// as it deserves. Internal.
//
// A shuffled block is split into the first bytes of its elements, the second bytes, and so on.
// In an image the low planes are mostly noise, which no codec shrinks, and the high ones nearly
// constant. c-blosc2 gives all of them the same treatment, and spends most of its time on the
// noise; a chunk that is put together here is as valid, because each stream says how long it
// is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "codec/run_encoder.hpp"
#include "mlarray/options.hpp"

struct ZSTD_CCtx_s;

namespace mlarray::codec {

// Not synchronised: one per thread.
class PlaneEncoder {
 public:
  // Does it write what `params` ask for? Adaptive, LZ4 or LZ4HC or ZSTD, and either a plain
  // shuffle in the last slot with split blocks, or bytes without a filter.
  static bool handles(const CodecParams& params, std::int32_t typesize,
                      std::int32_t blocksize) noexcept;

  // Precondition: handles().
  PlaneEncoder(const CodecParams& params, std::int32_t typesize, std::int32_t blocksize);

  // `data` is one or more whole blocks. The same data give the same bytes, whatever was
  // encoded before.
  std::vector<std::byte> encode(std::span<const std::byte> data);
  // The streams that encode() makes of one block: until the next call.
  std::span<const std::byte> encode_block(std::span<const std::byte> data);

 private:
  enum class Family { lz4, zstd };
  // Room for the streams of one block that is stored as it is.
  std::size_t most_stored() const;
  // One block as a number of streams, to out[at]; returns where it ends.
  std::size_t put_block(std::span<const std::byte> block, bool unfiltered,
                        std::span<std::byte> out, std::size_t at);
  // One stream that holds whole elements; else as put_stream().
  std::size_t put_elements(std::span<const std::byte> block, std::span<std::byte> out,
                           std::size_t at);
  // Whether some blocks of `data` are smaller unfiltered. `out` is written to.
  bool smaller_unfiltered(std::span<const std::byte> data, std::span<std::byte> out);
  // One stream with its length, to out[at]; returns where it ends. `out` has room for the
  // plane stored as it is.
  std::size_t put_stream(std::span<const std::byte> plane, std::span<std::byte> out,
                         std::size_t at);
  // Compressed to `out`, in at most `limit` bytes; 0 if it does not fit. Of LZ4, level 0 is the
  // fast mode, and below 0 how many times larger its steps are.
  std::size_t compress(int level, std::span<const std::byte> plane, std::span<std::byte> out,
                       std::size_t limit);

  struct FreeZstd {
    void operator()(ZSTD_CCtx_s* context) const noexcept;
  };
  CodecParams params_;
  Family family_;
  std::int32_t typesize_;
  std::int32_t blocksize_;
  std::unique_ptr<ZSTD_CCtx_s, FreeZstd> zstd_;
  std::vector<std::byte> lz4_state_;
  std::optional<RunEncoder> runs_;  // for LZ4HC
  std::vector<std::byte> shuffled_;
  std::vector<std::byte> denser_;
  std::vector<std::byte> chunk_;
};

}  // namespace mlarray::codec
