#include "codec/plane_encoder.hpp"

#include <blosc2.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <numeric>

#include "codec/chunk_format.hpp"
#include "codec/encoder.hpp"
#include "codec/lz_functions.hpp"

namespace mlarray::codec {
namespace {

// Measured on the volumes of benchmarks/ (CT int16, z-score float32, labels uint8), one thread,
// blocks of 25 KiB; MB/s of the plane.
//
//   plane             LZ4 fast    LZ4HC 3     LZ4HC 8     runs 3      runs 6      ZSTD 1
//   int16 low (noise) 1.00, 4186  1.00, 125   1.00, 124   -           -           1.38, 633
//   int16 high        12.4, 2348  20.8, 410   26.8, 88    25.0, 370   26.2, 273   35.0, 1110
//   float32 0 and 1   1.00, 3534  1.00, 149   1.00, 149   -           -           1.41, 439
//   float32 2         1.14, 334   1.19, 88    1.19, 80    -           -           1.96, 216
//   float32 3         23.3, 3178  38.6, 503   53.7, 102   50.4, 901   52.8, 661   63.7, 1419
//   uint8 labels      16.5, 2859  30.3, 543   43.7, 119   41.9, 644   44.1, 447   60.2, 1662
//
// Labels are decoded as fast after runs 6 (13,600 MB/s) as after LZ4HC 8 (12,800), and patches
// of them are read in half to a third of the time that they take after ZSTD. So: runs
// (RunEncoder) wherever there are some, before anything else; LZ4's fast mode tells noise apart
// at almost no cost; HC pays where a plane shrinks anyway; and ZSTD 1 is the first try of ZSTD.

// A plane is stored as it is unless this share of it goes: a copy is the fastest decoder.
constexpr std::size_t kWorthLz4 = 50;        // 1/50
constexpr std::size_t kWorthZstd = 32;       // 1/32
constexpr std::size_t kWorthZstdLowest = 3;  // 1/3 at level 1, which is asked for by speed
// The dense level is tried where the first try saved this share.
constexpr std::size_t kDenseLz4 = 5;  // 1/5
// 3/4: elsewhere level 9 gains under 1 % over level 1 in twenty times the time.
constexpr std::size_t kDenseZstdKeeps = 4;
// One-byte voxels without runs are an image: only if this share is left, as HC takes ten times
// as long there.
constexpr std::size_t kDenseBytes = 3;  // 1/3

// Numbers of which there are few different ones, like the z-score of integers, are words to
// ZSTD, and shuffling tears them. So of each chunk some blocks are tried both ways. Ratio of
// the float32 volume in blocks of 32 KiB, one thread, MB/s of encoding and decoding:
//
//   level 1         2               3               4               6              9
//   2.45, 274, 906  2.72, 264, 858  2.73, 230, 890  3.30, 198, 758  3.32, 61, 575  3.05, 34,
//   565
//
// Shuffled, by ZSTD 5, the whole volume is 2.0 times smaller, unfiltered 3.3 times.
constexpr int kUnfilteredLevel = 4;
constexpr std::size_t kSamples = 2;
// Only if this share goes: of planes much is stored as it is, so that patches of that volume
// are read in a third to half of the time.
constexpr std::size_t kWorthUnfiltered = 16;       // 1/16
constexpr std::size_t kWorthUnfilteredLowest = 4;  // 1/4 at level 1

constexpr int kLowestLevel = 1;

// LZ4 looks for four equal bytes. Where a sample has this many different ones and few that
// repeat the one before, there are hardly any, and it looks in larger steps: runs are not
// looked for. The float32 volume was saved in 256 ms instead of 302 and was 0.3 % larger, most
// of it plane 2, int16 in 150 instead of 159, of the same size (2 threads). 24 values gave 247
// ms and 0.5 %, 40 gave 269 ms and 0.3 %; steps of 2 for all planes 1.3 %.
constexpr std::size_t kNoiseParts = 4;
constexpr std::size_t kNoisePart = 96;  // bytes of each
constexpr std::size_t kNoiseValues = 32;
constexpr std::size_t kNoiseRepeats = 64;
constexpr int kNoiseSteps = 16;

bool one_value(std::span<const std::byte> plane) {
  return plane.size() > 1 && std::memcmp(plane.data(), plane.data() + 1, plane.size() - 1) == 0;
}

bool looks_like_noise(std::span<const std::byte> plane) {
  if (plane.size() < kNoiseParts * kNoisePart) return false;
  std::array<std::uint8_t, 256> seen{};
  std::size_t repeats = 0;
  const std::size_t step = plane.size() / kNoiseParts;
  for (std::size_t part = 0; part < kNoiseParts; ++part) {
    const auto bytes = plane.subspan(part * step, kNoisePart);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      seen[std::to_integer<std::size_t>(bytes[i])] = 1;
      repeats += static_cast<std::size_t>(i > 0 && bytes[i] == bytes[i - 1]);
    }
  }
  const auto different = std::accumulate(seen.begin(), seen.end(), std::size_t{0});
  return different >= kNoiseValues && repeats <= kNoiseRepeats;
}

}  // namespace

void PlaneEncoder::FreeZstd::operator()(ZSTD_CCtx_s* context) const noexcept {
  ZSTD_freeCCtx(context);
}

bool PlaneEncoder::handles(const CodecParams& params, std::int32_t typesize,
                           std::int32_t blocksize) noexcept {
  const bool codec =
      params.codec == Codec::lz4 || params.codec == Codec::lz4hc || params.codec == Codec::zstd;
  if (!params.adaptive || !codec || params.level < kLowestLevel) return false;
  if (blocksize < kMinSplitBytes * typesize || blocksize % typesize != 0) return false;
  std::array<std::uint8_t, 6> filters{};
  if (typesize > 1) filters.back() = static_cast<std::uint8_t>(Filter::shuffle);
  return params.filters == filters && params.filters_meta == std::array<std::uint8_t, 6>{} &&
         (typesize == 1 || (params.split && typesize <= kMaxStreams));
}

PlaneEncoder::PlaneEncoder(const CodecParams& params, std::int32_t typesize,
                           std::int32_t blocksize)
    : params_(params),
      family_(params.codec == Codec::zstd ? Family::zstd : Family::lz4),
      typesize_(typesize),
      blocksize_(blocksize) {
  const auto block = static_cast<std::size_t>(blocksize);
  const std::size_t plane = block / static_cast<std::size_t>(typesize);
  if (family_ == Family::zstd) {
    zstd_.reset(ZSTD_createCCtx());
    if (!zstd_) throw std::bad_alloc();
  } else {
    lz4_state_.resize(static_cast<std::size_t>(LZ4_sizeofStateHC()));
    if (LZ4_initStreamHC(lz4_state_.data(), lz4_state_.size()) == nullptr) {
      throw Error(ErrorKind::io, "compression: LZ4 refused the memory for its state", "",
                  ENOMEM);
    }
  }
  if (params.codec == Codec::lz4hc) runs_.emplace(plane);
  if (typesize > 1) shuffled_.resize(block);
  denser_.resize(plane);
}

std::size_t PlaneEncoder::compress(int level, std::span<const std::byte> plane,
                                   std::span<std::byte> out, std::size_t limit) {
  limit = std::min(limit, out.size());
  if (family_ == Family::zstd) {
    const std::size_t size =
        ZSTD_compressCCtx(zstd_.get(), out.data(), limit, plane.data(), plane.size(), level);
    if (size == kZstdNoMemory) throw std::bad_alloc();
    return ZSTD_isError(size) != 0 ? 0 : size;
  }
  const auto* from = reinterpret_cast<const char*>(plane.data());
  auto* to = reinterpret_cast<char*>(out.data());
  const auto size = static_cast<int>(plane.size());
  const auto room = static_cast<int>(limit);
  const int written = level <= 0 ? LZ4_compress_fast(from, to, size, room, std::max(-level, 1))
                                 : LZ4_compress_HC_extStateHC_fastReset(lz4_state_.data(), from,
                                                                        to, size, room, level);
  return written > 0 ? static_cast<std::size_t>(written) : 0;
}

std::size_t PlaneEncoder::put_stream(std::span<const std::byte> plane, std::span<std::byte> out,
                                     std::size_t at) {
  const std::size_t body = at + kStreamHead;
  const auto finish = [&](std::size_t size) {
    store_i32(out, at, static_cast<std::int32_t>(size));
    return body + size;
  };
  if (one_value(plane)) {
    const auto value = std::to_integer<std::int32_t>(plane[0]);
    store_i32(out, at, -value);
    if (value == 0) return body;
    out[body] = std::byte{kRunToken};
    return body + 1;
  }
  const bool lz4 = family_ == Family::lz4;
  const std::size_t size = plane.size();
  const std::size_t worth = lz4                             ? kWorthLz4
                            : params_.level == kLowestLevel ? kWorthZstdLowest
                                                            : kWorthZstd;
  const std::span<std::byte> room = out.subspan(body, size);
  // One byte less at least: a stream as long as the plane is one that is stored as it is.
  const std::size_t limit = size - std::max<std::size_t>(size / worth, 1);
  const bool noise = lz4 && typesize_ > 1 && looks_like_noise(plane);
  if (runs_ && !noise) {
    const std::size_t packed = runs_->encode(plane, room.first(limit), params_.level);
    if (packed != 0) return finish(packed);
  }
  const int quick = noise ? -kNoiseSteps : 0;
  const std::size_t first = compress(lz4 ? quick : kLowestLevel, plane, room, limit);
  if (first == 0) {
    copy_bytes(plane, room.data());
    return finish(size);
  }
  const int dense = lz4 && params_.codec != Codec::lz4hc ? 0 : params_.level;
  const std::size_t shrunk = typesize_ == 1 ? size / kDenseBytes : size - size / kDenseLz4;
  const bool try_dense = lz4 ? dense > 0 && first <= shrunk
                             : dense > kLowestLevel && first <= size / kDenseZstdKeeps;
  if (try_dense) {
    const std::size_t second = compress(dense, plane, denser_, first - 1);
    if (second != 0) {
      copy_bytes(std::span<const std::byte>(denser_).first(second), room.data());
      return finish(second);
    }
  }
  return finish(first);
}

std::size_t PlaneEncoder::most_stored() const {
  return static_cast<std::size_t>(blocksize_) +
         static_cast<std::size_t>(typesize_) * kStreamHead;
}

std::size_t PlaneEncoder::put_elements(std::span<const std::byte> block,
                                       std::span<std::byte> out, std::size_t at) {
  if (one_value(block)) return put_stream(block, out, at);
  const std::size_t body = at + kStreamHead;
  const std::span<std::byte> room = out.subspan(body, block.size());
  std::size_t size = compress(kUnfilteredLevel, block, room, block.size() - 1);
  if (size == 0) {
    copy_bytes(block, room.data());
    size = block.size();
  }
  store_i32(out, at, static_cast<std::int32_t>(size));
  return body + size;
}

std::size_t PlaneEncoder::put_block(std::span<const std::byte> block, bool unfiltered,
                                    std::span<std::byte> out, std::size_t at) {
  if (unfiltered) return put_elements(block, out, at);
  if (typesize_ > 1) {
    blosc2_shuffle(typesize_, blocksize_, block.data(), shuffled_.data());
    block = shuffled_;
  }
  const auto streams = static_cast<std::size_t>(typesize_);
  const std::size_t plane = block.size() / streams;
  for (std::size_t s = 0; s < streams; ++s) {
    at = put_stream(block.subspan(s * plane, plane), out, at);
  }
  return at;
}

bool PlaneEncoder::smaller_unfiltered(std::span<const std::byte> data,
                                      std::span<std::byte> out) {
  if (family_ != Family::zstd || typesize_ == 1) return false;
  const auto block = static_cast<std::size_t>(blocksize_);
  const std::size_t blocks = data.size() / block;
  const std::size_t samples = std::min(blocks, kSamples);
  std::size_t planes = 0;
  std::size_t unfiltered = 0;
  for (std::size_t i = 0; i < samples; ++i) {
    const std::size_t number = (2 * i + 1) * blocks / (2 * samples);
    const std::span<const std::byte> sample = data.subspan(number * block, block);
    planes += put_block(sample, false, out, 0);
    unfiltered += put_block(sample, true, out, 0);
  }
  const bool lowest = params_.level == kLowestLevel;
  return unfiltered < planes - planes / (lowest ? kWorthUnfilteredLowest : kWorthUnfiltered);
}

std::span<const std::byte> PlaneEncoder::encode_block(std::span<const std::byte> data) {
  if (chunk_.size() < most_stored()) chunk_.resize(most_stored());
  return std::span(chunk_).first(put_block(data, false, chunk_, 0));
}

std::vector<std::byte> PlaneEncoder::encode(std::span<const std::byte> data) {
  const auto block = static_cast<std::size_t>(blocksize_);
  const std::size_t blocks = data.size() / block;

  const std::size_t bound = kChunkHeaderBytes + blocks * (4 + most_stored());
  if (chunk_.size() < bound) chunk_.resize(bound);
  const std::span<std::byte> out(chunk_);
  const bool unfiltered = smaller_unfiltered(data, out.subspan(kChunkHeaderBytes));
  std::size_t at = kChunkHeaderBytes + 4 * blocks;
  for (std::size_t i = 0; i < blocks; ++i) {
    store_i32(out, kChunkHeaderBytes + 4 * i, static_cast<std::int32_t>(at));
    at = put_block(data.subspan(i * block, block), unfiltered, out, at);
  }
  if (at >= kChunkHeaderBytes + data.size()) return store_chunk(data, typesize_, blocksize_);

  const bool split = params_.split && !unfiltered;
  put_chunk_header(
      out, {.flags = static_cast<std::uint8_t>(
                (family_ == Family::lz4 ? kFormatLz4 : kFormatZstd) << kCompressorShift |
                (split ? 0 : kNotSplit)),
            .typesize = typesize_,
            .nbytes = data.size(),
            .blocksize = blocksize_,
            .cbytes = at});
  out[at::kCodecId] = static_cast<std::byte>(params_.codec);
  for (std::size_t i = 0; i < params_.filters.size() && !unfiltered; ++i) {
    out[at::kFilters + i] = static_cast<std::byte>(params_.filters[i]);
  }
  return {chunk_.begin(), chunk_.begin() + static_cast<std::ptrdiff_t>(at)};
}

}  // namespace mlarray::codec
