#include "salvage/headers.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <string>

#include "codec/encoder.hpp"
#include "frame/big_endian.hpp"
#include "frame/constants.hpp"
#include "frame/frame.hpp"
#include "frame/metalayers.hpp"
#include "mlarray/error.hpp"
#include "store/array_header.hpp"

namespace mlarray::salvaging {
namespace {

using Span = std::span<const std::byte>;

constexpr std::size_t kFarInHeader = 4096;

bool is_lossless(const CodecParams& codec) {
  return std::all_of(codec.filters.begin(), codec.filters.end(), [](std::uint8_t code) {
    const auto filter = static_cast<Filter>(code);
    return filter == Filter::none || filter == Filter::shuffle ||
           filter == Filter::bitshuffle || filter == Filter::bytedelta;
  });
}

// What the new file is written with: as the old one, if that loses nothing.
CodecParams codec_to_write(const frame::Header& header, const DType& dtype) {
  const CodecParams codec = codec::as_preset(store::codec_of(header), dtype);
  try {
    const CodecParams writable = codec::params_for(codec, dtype);
    if (is_lossless(writable)) return writable;
  } catch (const Error&) {
    // Damaged, or what is read and not written.
  }
  return codec_for(Preset::fast, dtype);
}

// The fields of a header, whatever its lengths say.
frame::Header fields_of(const DamagedFile& file, Span bytes) {
  std::vector<std::byte> fixed(bytes.begin(), bytes.begin() + frame::kHeaderMinBytes);
  frame::store_big(std::span(fixed), frame::kFrameLenAt, file.size());
  frame::store_big(std::span(fixed), frame::kCbytesAt, std::int64_t{0});
  return frame::parse_header(file.source(), fixed, file.size());
}

}  // namespace

std::optional<HeaderGuess> guess_of(const DamagedFile& file, Span bytes, HeaderOrigin origin) {
  try {
    if (bytes.size() < frame::kHeaderMinBytes) return std::nullopt;
    const frame::Header header = fields_of(file, bytes);
    for (const frame::NamedSpan& layer :
         frame::parse_metalayers(bytes, frame::kHeaderMinBytes, "header")) {
      if (layer.name != "b2nd") continue;
      const store::B2nd b2nd = store::parse_b2nd(layer.content, header.typesize);
      HeaderGuess guess{
          {bytes.begin(), bytes.end()},
          grid::Geometry(b2nd.shape, b2nd.chunk, b2nd.block, b2nd.dtype.itemsize()),
          b2nd.dtype,
          codec_to_write(header, b2nd.dtype),
          origin};
      const grid::Geometry& geometry = guess.geometry;
      frame::check_chunk_count(geometry.chunk_count(), file.size());
      const bool fits =
          header.chunk_count() == geometry.chunk_count() &&
          (geometry.chunk_count() == 0 || (header.chunksize == geometry.chunk_bytes() &&
                                           header.blocksize == geometry.block_bytes()));
      if (fits) return guess;
    }
  } catch (const Error&) {
    // It is not.
  }
  return std::nullopt;
}

std::vector<std::byte> header_for(const DamagedFile& file, Span start,
                                  const store::B2nd& b2nd) {
  const grid::Geometry geometry(b2nd.shape, b2nd.chunk, b2nd.block, b2nd.dtype.itemsize());
  CodecParams codec = codec_for(Preset::fast, b2nd.dtype);
  try {
    const CodecParams stored = store::codec_of(fields_of(file, start));
    codec::check_params(stored);
    codec = stored;
  } catch (const Error&) {
    // That part of the header is damaged as well.
  }
  std::vector<std::byte> bytes;
  store::new_header({geometry, b2nd.dtype, codec}, bytes);
  return bytes;
}

std::optional<HeaderGuess> rebuilt_header(const DamagedFile& file, Span start) {
  const std::size_t stop = std::min(start.size(), kFarInHeader);
  const std::size_t stop_of_one = std::min(start.size(), 16 * kFarInHeader);
  for (std::size_t i = frame::kHeaderMinBytes; i + 8 < stop; ++i) {
    if (start[i] != std::byte{0x97}) continue;
    try {
      const store::B2nd b2nd =
          store::parse_b2nd(start.first(stop_of_one).subspan(i), std::nullopt);
      return guess_of(file, header_for(file, start, b2nd), HeaderOrigin::rebuilt);
    } catch (const Error&) {
      // Not here.
    }
  }
  return std::nullopt;
}

std::optional<HeaderGuess> header_that_agrees(const DamagedFile& file, Span start,
                                              std::size_t length) {
  // A longer one is not this library's, and every bit costs a look at all of it.
  if (length > std::min(start.size(), kFarInHeader)) return std::nullopt;
  constexpr std::uint64_t kLook = 32;  // times as much work as to hash it
  std::vector<std::byte> bytes(start.begin(),
                               start.begin() + static_cast<std::ptrdiff_t>(length));
  std::optional<HeaderGuess> found;
  for (std::size_t i = 0; i < length; ++i) {
    file.go_on();
    if (!file.work().spend(8 * kLook * length)) return std::nullopt;
    for (unsigned bit = 0; bit < 8; ++bit) {
      const auto flip = static_cast<std::byte>(1u << bit);
      bytes[i] ^= flip;
      auto guess = guess_of(file, bytes, HeaderOrigin::mended);
      bytes[i] ^= flip;
      if (!guess) continue;
      const bool same = found && found->geometry.shape() == guess->geometry.shape() &&
                        found->geometry.chunk() == guess->geometry.chunk() &&
                        found->geometry.block() == guess->geometry.block() &&
                        found->dtype == guess->dtype;
      if (found && !same) return std::nullopt;
      found = std::move(guess);
    }
  }
  return found;
}

std::optional<DType> dtype_in(Span start) {
  constexpr std::byte kStr32{0xdb};
  const std::size_t stop = std::min(start.size(), kFarInHeader);
  for (std::size_t i = frame::kHeaderMinBytes; i + 5 < stop; ++i) {
    if (start[i] != kStr32) continue;
    const auto length = frame::load_big<std::uint32_t>(start, i + 1);
    if (length == 0 || length > stop - i - 5) continue;
    std::string text;
    for (const std::byte b : start.subspan(i + 5, length)) {
      text.push_back(std::to_integer<char>(b));
    }
    try {
      return DType::parse(text);
    } catch (const Error&) {
      // Another text.
    }
  }
  return std::nullopt;
}

std::vector<std::byte> with_lengths(Span header, std::uint64_t index_at, std::uint64_t end,
                                    bool has_layers) {
  std::vector<std::byte> out(header.begin(), header.end());
  const std::span<std::byte> bytes(out);
  frame::store_big(bytes, frame::kFrameLenAt, end);
  frame::store_big(bytes, frame::kCbytesAt,
                   static_cast<std::int64_t>(index_at - header.size()));
  bytes[frame::kHasVlmetaAt] =
      static_cast<std::byte>(has_layers ? frame::kMsgpackTrue : frame::kMsgpackFalse);
  return out;
}

bool same_but_lengths(Span a, Span b) {
  return with_lengths(a, a.size(), 0, false) == with_lengths(b, b.size(), 0, false);
}

}  // namespace mlarray::salvaging
