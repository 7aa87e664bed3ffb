#include "codec/block_decoder.hpp"

#include <blosc2.h>

#include <algorithm>
#include <new>
#include <optional>

#include "codec/bytes.hpp"
#include "codec/chunk_format.hpp"
#include "codec/lz4_decoder.hpp"
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

bool undo(const Unfilter& unfilter, const std::byte* from, std::span<std::byte> out) {
  const auto size = static_cast<std::int32_t>(out.size());
  const std::int32_t written =
      unfilter.filter == Filter::shuffle
          ? blosc2_unshuffle(unfilter.width, size, from, out.data())
          : blosc2_bitunshuffle(unfilter.width, size, from, out.data());
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

bool BlockDecoder::decode_stream(std::span<const std::byte> bytes, int compressor,
                                 std::size_t size, std::size_t wanted,
                                 std::span<std::byte> out) {
  if (compressor == kFormatLz4) return decode_lz4(bytes, size, wanted, out);
  if (!zstd_) zstd_.reset(ZSTD_createDCtx());
  if (!zstd_) throw std::bad_alloc();
  const std::size_t written =
      ZSTD_decompressDCtx(zstd_.get(), out.data(), size, bytes.data(), bytes.size());
  if (written == kZstdNoMemory) throw std::bad_alloc();
  return ZSTD_isError(written) == 0 && written == size;
}

bool BlockDecoder::read_streams(std::span<const std::byte> stored, const ChunkHeader& header,
                                std::span<std::byte> target, std::size_t slack,
                                std::span<const std::byte*> starts, std::size_t wanted) {
  const auto count =
      static_cast<std::size_t>(stream_count(header, static_cast<std::int32_t>(target.size())));
  const std::size_t stream_bytes = target.size() / count;
  const std::size_t enough = std::min(wanted, stream_bytes);
  StreamReader reader(stored);
  for (std::size_t i = 0; i < count; ++i) {
    const std::optional<Stream> stream = reader.next();
    if (!stream) return false;
    const std::span<std::byte> part = target.subspan(i * stream_bytes, stream_bytes);
    if (!starts.empty()) starts[i] = part.data();
    if (stream->is_run) {
      fill_bytes(part.first(enough), stream->run_value);
    } else if (stream->bytes.size() == stream_bytes) {
      // Did not shrink: stored as it is.
      if (starts.empty()) {
        copy_bytes(stream->bytes, part.data());
      } else {
        starts[i] = stream->bytes.data();
      }
    } else {
      // What lies behind this stream is decoded after it.
      const std::size_t room = target.size() - i * stream_bytes + slack;
      if (!decode_stream(stream->bytes, header.compressor, stream_bytes, enough,
                         std::span(part.data(), room))) {
        return false;
      }
    }
  }
  return true;
}

bool BlockDecoder::decode(std::span<const std::byte> stored, const ChunkHeader& header,
                          std::span<std::byte> out) {
  const std::optional<Unfilter> unfilter = only_filter(header);
  if (!unfilter) return false;
  if (unfilter->filter == Filter::none) {
    return read_streams(stored, header, out, 0, {}, out.size());
  }
  const std::span<std::byte> coded = coded_.get(out.size() + kLz4Slack).first(out.size());
  const std::byte* from = coded.data();
  const bool one = stream_count(header, static_cast<std::int32_t>(out.size())) == 1;
  if (!read_streams(stored, header, coded, kLz4Slack, std::span(&from, one ? 1 : 0),
                    out.size())) {
    return false;
  }
  return undo(*unfilter, from, out);
}

std::optional<BlockView> BlockDecoder::view(std::span<const std::byte> stored,
                                            const ChunkHeader& header, std::int32_t block,
                                            std::size_t wanted) {
  const std::optional<Unfilter> unfilter = only_filter(header);
  if (!unfilter) return std::nullopt;
  const std::int32_t size = block_size(header, block);
  const std::int32_t streams = stream_count(header, size);
  const std::int32_t width = unfilter->width;
  const auto block_bytes = static_cast<std::size_t>(size);
  BlockView view;
  const std::span starts(view.plane);
  if (unfilter->filter == Filter::shuffle && width == header.typesize &&
      BlockView::has_planes(width) && size % width == 0) {
    view.planes = width;
    const std::size_t plane_bytes = static_cast<std::size_t>(size / width);
    // One stream is all planes together; else there is one for each.
    const std::span<std::byte> coded = coded_.get(block_bytes + kLz4Slack).first(block_bytes);
    const auto bytes = static_cast<std::size_t>(width);
    const std::size_t of_plane = std::min((wanted + bytes - 1) / bytes, plane_bytes);
    const std::size_t enough = of_plane + (streams == 1 ? block_bytes - plane_bytes : 0);
    if (!read_streams(stored, header, coded, kLz4Slack,
                      starts.first(static_cast<std::size_t>(streams)), enough)) {
      return std::nullopt;
    }
    for (std::size_t i = 1; streams == 1 && i < static_cast<std::size_t>(width); ++i) {
      view.plane[i] = view.plane[0] + i * plane_bytes;
    }
    return view;
  }
  const std::span<std::byte> plain = plain_.get(block_bytes + kLz4Slack).first(block_bytes);
  view.plane[0] = plain.data();
  const bool decoded =
      unfilter->filter == Filter::none && streams == 1
          ? read_streams(stored, header, plain, kLz4Slack, starts.first(1), wanted)
          : decode(stored, header, plain);
  if (!decoded) return std::nullopt;
  return view;
}

}  // namespace mlarray::codec
