#include "codec/block_decoder.hpp"

#include <blosc2.h>

#include <optional>

#include "codec/chunk_format.hpp"
#include "codec/lz_functions.hpp"
#include "mlarray/options.hpp"

namespace mlarray::codec {
namespace {

// What has to be undone after the streams.
struct Unfilter {
  Filter filter = Filter::none;
  std::int32_t width = 1;  // bytes per shuffled element
};

// The one filter to undo; nothing if there are several or others.
std::optional<Unfilter> only_filter(const ChunkHeader& header) {
  Unfilter found;
  for (std::size_t i = 0; i < header.filters.size(); ++i) {
    Unfilter here{static_cast<Filter>(header.filters[i]), header.typesize};
    // A shuffle may state a width of its own.
    if (here.filter == Filter::shuffle && header.filters_meta[i] != 0) {
      here.width = header.filters_meta[i];
    }
    const bool identity = here.filter == Filter::none || here.filter == Filter::trunc_prec ||
                          here.filter == Filter::int_trunc ||
                          (here.filter == Filter::shuffle && here.width == 1);
    if (identity) continue;
    if (here.filter != Filter::shuffle && here.filter != Filter::bitshuffle)
      return std::nullopt;
    if (found.filter != Filter::none) return std::nullopt;
    found = here;
  }
  return found;
}

bool undo(const Unfilter& unfilter, std::span<const std::byte> from, std::span<std::byte> out) {
  const auto size = static_cast<std::int32_t>(out.size());
  const std::int32_t written =
      unfilter.filter == Filter::shuffle
          ? blosc2_unshuffle(unfilter.width, size, from.data(), out.data())
          : blosc2_bitunshuffle(unfilter.width, size, from.data(), out.data());
  return written == size;
}

}  // namespace

void BlockDecoder::FreeZstd::operator()(ZSTD_DCtx_s* context) const noexcept {
  ZSTD_freeDCtx(context);
}

bool BlockDecoder::handles(const ChunkHeader& header) noexcept {
  return (header.compressor == kFormatLz4 || header.compressor == kFormatZstd) &&
         header.special == Special::none && !header.memcpyed && !header.dictionary &&
         only_filter(header).has_value();
}

// Bounded by what the caller asked for: `size` is the size of its own buffer.
std::span<std::byte> BlockDecoder::scratch(std::size_t size) {
  if (size > scratch_bytes_) {
    scratch_ = std::make_unique_for_overwrite<std::byte[]>(size);
    scratch_bytes_ = size;
  }
  return {scratch_.get(), size};
}

bool BlockDecoder::decode_stream(std::span<const std::byte> bytes, int compressor,
                                 std::span<std::byte> out) {
  if (compressor == kFormatLz4) {
    const int written = LZ4_decompress_safe(
        reinterpret_cast<const char*>(bytes.data()), reinterpret_cast<char*>(out.data()),
        static_cast<int>(bytes.size()), static_cast<int>(out.size()));
    return written == static_cast<int>(out.size());
  }
  if (!zstd_) zstd_.reset(ZSTD_createDCtx());
  if (!zstd_) return false;
  const std::size_t written =
      ZSTD_decompressDCtx(zstd_.get(), out.data(), out.size(), bytes.data(), bytes.size());
  return ZSTD_isError(written) == 0 && written == out.size();
}

bool BlockDecoder::decode(std::span<const std::byte> chunk, const ChunkHeader& header,
                          std::int32_t block, std::span<std::byte> out) {
  const std::optional<Unfilter> unfilter = only_filter(header);
  const auto tail = block_tail(chunk, block);
  if (!unfilter || !tail) return false;

  const std::int32_t streams = stream_count(header, static_cast<std::int32_t>(out.size()));
  const std::size_t stream_bytes = out.size() / static_cast<std::size_t>(streams);
  const bool filtered = unfilter->filter != Filter::none;
  const std::span<std::byte> target = filtered ? scratch(out.size()) : out;

  StreamReader reader(*tail);
  for (std::int32_t i = 0; i < streams; ++i) {
    const std::optional<Stream> stream = reader.next();
    if (!stream) return false;
    const std::span<std::byte> part =
        target.subspan(static_cast<std::size_t>(i) * stream_bytes, stream_bytes);
    if (stream->is_run) {
      fill_bytes(part, stream->run_value);
    } else if (stream->bytes.size() == stream_bytes) {
      // Did not shrink: stored as it is. Alone, it is undone without a copy.
      if (filtered && streams == 1) return undo(*unfilter, stream->bytes, out);
      copy_bytes(stream->bytes, part.data());
    } else if (!decode_stream(stream->bytes, header.compressor, part)) {
      return false;
    }
  }
  return !filtered || undo(*unfilter, target, out);
}

}  // namespace mlarray::codec
