#include "codec/index_chunk.hpp"

#include <blosc2.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <optional>

#include "codec/chunk.hpp"
#include "codec/chunk_format.hpp"
#include "codec/lz_functions.hpp"
#include "mlarray/error.hpp"
#include "mlarray/options.hpp"

namespace mlarray::codec {
namespace {

constexpr std::size_t kTypesize = 8;
// Of the offsets of chunks that were appended one by one 3 shrinks 5 % more than 1, and takes
// as long.
constexpr int kLevel = 3;

struct FreeZstd {
  void operator()(ZSTD_CCtx_s* context) const noexcept { ZSTD_freeCCtx(context); }
};

void put_header(std::span<std::byte> out, std::size_t bytes, std::size_t blocksize) {
  put_chunk_header(
      out, {.flags = static_cast<std::uint8_t>(kFormatZstd << kCompressorShift | kNotSplit),
            .typesize = kTypesize,
            .nbytes = bytes,
            .blocksize = static_cast<std::int32_t>(blocksize),
            .cbytes = out.size()});
  out[at::kCodecId] = static_cast<std::byte>(Codec::zstd);
  out[at::kFilters + 5] = static_cast<std::byte>(Filter::shuffle);
}

// Is it a chunk of ours of this size, but for its length?
bool is_alike(std::span<const std::byte> chunk, std::size_t bytes, std::size_t blocksize) {
  if (chunk.size() < kChunkHeaderBytes) return false;
  std::array<std::byte, kChunkHeaderBytes> wanted;
  put_header(wanted, bytes, blocksize);
  store_i32(wanted, at::kCbytes, static_cast<std::int32_t>(chunk.size()));
  return std::equal(wanted.begin(), wanted.end(), chunk.begin());
}

}  // namespace

std::vector<std::byte> encode_index(
    std::size_t bytes, std::span<const std::byte> previous,
    const std::function<bool(std::size_t block)>& changed,
    const std::function<void(std::size_t block, std::span<std::byte> out)>& fill) {
  const std::size_t blocksize = std::min(bytes, kIndexBlockBytes);
  const std::size_t blocks = blocksize == 0 ? 0 : (bytes - 1) / blocksize + 1;
  const std::size_t first = kChunkHeaderBytes + 4 * blocks;
  std::optional<ChunkHeader> before;
  if (is_alike(previous, bytes, blocksize)) {
    try {
      before = parse_chunk(previous, {.nbytes = static_cast<std::int64_t>(bytes)});
    } catch (const Error&) {
      before.reset();
    }
  }
  std::vector<std::byte> out(first);
  out.reserve(first + (before ? previous.size() : bytes / 4) + 2 * kIndexBlockBytes);
  std::unique_ptr<ZSTD_CCtx_s, FreeZstd> zstd;
  std::vector<std::byte> content, shuffled;
  for (std::size_t i = 0; i < blocks; ++i) {
    const std::size_t at = out.size();
    store_i32(out, kChunkHeaderBytes + 4 * i, static_cast<std::int32_t>(at));
    const std::size_t size = std::min(blocksize, bytes - i * blocksize);
    if (before && !changed(i)) {
      try {
        const auto same = block_bytes(previous, *before, static_cast<std::int32_t>(i));
        // This function makes no longer ones. Somebody else may, and let all blocks share one.
        if (same.size() <= kStreamHead + size) {
          out.insert(out.end(), same.begin(), same.end());
          continue;
        }
      } catch (const Error&) {
        // Encoded anew.
      }
    }
    if (!zstd) {
      zstd.reset(ZSTD_createCCtx());
      if (!zstd) throw std::bad_alloc();
    }
    content.resize(size);
    shuffled.resize(size);
    fill(i, content);
    blosc2_shuffle(static_cast<std::int32_t>(kTypesize), static_cast<std::int32_t>(size),
                   content.data(), shuffled.data());
    out.resize(at + kStreamHead + size);
    // One byte less at least: a stream as long as the block is one that is stored as it is.
    std::size_t stored = ZSTD_compressCCtx(zstd.get(), out.data() + at + kStreamHead, size - 1,
                                           shuffled.data(), size, kLevel);
    if (stored == kZstdNoMemory) throw std::bad_alloc();
    if (ZSTD_isError(stored) != 0) {
      copy_bytes(shuffled, out.data() + at + kStreamHead);
      stored = size;
    }
    store_i32(out, at, static_cast<std::int32_t>(stored));
    out.resize(at + kStreamHead + stored);
  }
  if (out.size() > static_cast<std::size_t>(kMaxChunkBytes)) {
    throw Error(ErrorKind::unsupported,
                "the index of the chunks is larger than a chunk can be");
  }
  put_header(out, bytes, blocksize);
  return out;
}

}  // namespace mlarray::codec
