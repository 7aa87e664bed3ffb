#include <algorithm>
#include <array>
#include <limits>

#include "base/chunk_limits.hpp"
#include "codec/checksum.hpp"
#include "codec/encoder.hpp"
#include "codec/index_chunk.hpp"
#include "frame/big_endian.hpp"
#include "frame/constants.hpp"
#include "frame/frame.hpp"
#include "frame/metalayers.hpp"
#include "mlarray/error.hpp"

namespace mlarray::frame {
namespace {

void store_lengths(const Header& header, std::span<std::byte> bytes) {
  store_big(bytes, kHeaderLenAt, static_cast<std::uint32_t>(header.header_len));
  store_big(bytes, kFrameLenAt, header.frame_len);
  store_big(bytes, kCbytesAt, header.cbytes);
  store_big(bytes, kHasVlmetaAt,
            static_cast<std::uint8_t>(header.has_vlmeta ? kMsgpackTrue : kMsgpackFalse));
}

std::vector<std::byte> build_trailer(std::span<const VlMetalayer> vlmeta) {
  std::vector<std::byte> out = {std::byte{0x94}, std::byte{1}};  // 4 elements, version 1
  std::vector<NamedSpan> layers;
  for (const VlMetalayer& layer : vlmeta) layers.push_back({layer.name, layer.chunk.data});
  append_metalayers(out, layers, Place::trailer);
  out.push_back(static_cast<std::byte>(kUint32Marker));
  const std::size_t length = out.size() + 4 + 18;
  append_big(out, static_cast<std::uint32_t>(length));
  out.push_back(static_cast<std::byte>(kFixExt16Marker));
  out.push_back(static_cast<std::byte>(kSealType));
  out.resize(length);
  return out;
}

}  // namespace

std::vector<std::byte> build_index(std::span<const IndexEntry> index) {
  return build_index(
      static_cast<std::int64_t>(index.size()), {}, [](std::int64_t) { return true; },
      [&](std::int64_t number) { return index[static_cast<std::size_t>(number)]; });
}

std::vector<std::byte> build_index(std::int64_t count, std::span<const std::byte> previous,
                                   const std::function<bool(std::int64_t part)>& changed,
                                   const std::function<IndexEntry(std::int64_t)>& entry) {
  if (count == 0) return {};
  if (count > base::kMaxChunks) {
    throw Error(ErrorKind::unsupported,
                std::to_string(count) + " chunks; the index of a file holds at most " +
                    std::to_string(base::kMaxChunks) + ": use larger chunks");
  }
  const auto fill = [&](std::int64_t first, std::span<std::byte> out) {
    for (std::size_t at = 0; at < out.size(); at += 8) {
      std::uint64_t raw = entry(first++).raw();
      for (std::size_t b = 0; b < 8; ++b, raw >>= 8) {
        out[at + b] = static_cast<std::byte>(raw & 0xff);
      }
    }
  };
  static_assert(codec::kIndexBlockBytes == 8 * kIndexPart);
  const auto bytes = static_cast<std::size_t>(8 * count);
  if (count <= kIndexPart) {
    std::vector<std::byte> raw(bytes);
    fill(0, raw);
    return codec::compress_bytes(raw, 8);
  }
  return codec::encode_index(
      bytes, previous,
      [&](std::size_t part) { return changed(static_cast<std::int64_t>(part)); },
      [&](std::size_t part, std::span<std::byte> out) {
        fill(static_cast<std::int64_t>(part) * kIndexPart, out);
      });
}

void check_chunk_count(std::int64_t chunks, std::uint64_t file_bytes) {
  const auto room = static_cast<std::int64_t>(file_bytes / codec::kChunkHeaderBytes);
  if (const std::int64_t most = std::max(kMaxSparseChunks, room); chunks > most) {
    throw Error(ErrorKind::unsupported,
                std::to_string(chunks) + " chunks in a file of " + std::to_string(file_bytes) +
                    " bytes, most of them empty; at most " + std::to_string(most) +
                    " are possible in it: use larger chunks");
  }
}

std::vector<std::byte> build_header(Header& header) {
  std::vector<std::byte> out(kHeaderMinBytes);
  const std::span<std::byte> bytes(out);
  const auto marker = [&](std::size_t at, unsigned value) {
    bytes[at] = static_cast<std::byte>(value);
  };
  marker(0, 0x9e);  // msgpack array of 14
  for (std::size_t i = 0; i < kMagic.size(); ++i) {
    bytes[1 + i] = static_cast<std::byte>(kMagic[i]);
  }
  marker(kHeaderLenAt - 1, 0xd2);
  marker(kFrameLenAt - 1, 0xcf);
  marker(kFlagsAt - 1, 0xa4);
  marker(kFlagsAt, kWrittenVersion | kOffsets64);
  marker(kTypeAt, 0);
  marker(kCodecsAt,
         static_cast<unsigned>(header.compressor) | static_cast<unsigned>(header.level) << 4);
  marker(kSplitModeAt, header.split_mode);
  marker(kNbytesAt - 1, 0xd3);
  store_big(bytes, kNbytesAt, header.nbytes);
  marker(kCbytesAt - 1, 0xd3);
  marker(kTypesizeAt - 1, 0xd2);
  store_big(bytes, kTypesizeAt, header.typesize);
  marker(kBlocksizeAt - 1, 0xd2);
  store_big(bytes, kBlocksizeAt, header.blocksize);
  marker(kChunksizeAt - 1, 0xd2);
  store_big(bytes, kChunksizeAt, header.chunksize);
  marker(62, 0xd1);  // threads that wrote: always 1, so that equal arrays give equal bytes
  store_big(bytes, 63, std::int16_t{1});
  marker(65, 0xd1);
  store_big(bytes, 66, std::int16_t{1});
  marker(69, kFixExt16Marker);
  marker(kFilterCountAt, 6);
  for (std::size_t i = 0; i < 6; ++i) {
    marker(kFiltersAt + i, header.filters[i]);
    marker(kFiltersMetaAt + i, header.filters_meta[i]);
  }
  marker(kCompressorAt, static_cast<unsigned>(header.compressor));
  std::vector<NamedSpan> layers;
  layers.reserve(header.metalayers.size());
  for (const Metalayer& layer : header.metalayers)
    layers.push_back({layer.name, layer.content});
  append_metalayers(out, layers, Place::header);
  header.header_len = out.size();
  store_lengths(header, out);
  return out;
}

std::vector<std::byte> build_tail(Header& header, std::vector<std::byte>& header_bytes,
                                  std::uint64_t position, std::vector<std::byte> index_chunk,
                                  std::span<const VlMetalayer> vlmeta) {
  check_chunk_count(header.chunk_count(), position);
  std::vector<std::byte> tail = std::move(index_chunk);
  const std::size_t index_bytes = tail.size();
  const std::vector<std::byte> trailer = build_trailer(vlmeta);
  tail.insert(tail.end(), trailer.begin(), trailer.end());
  header.cbytes = static_cast<std::int64_t>(position - header.header_len);
  header.frame_len = position + tail.size();
  header.has_vlmeta = !vlmeta.empty();
  store_lengths(header, header_bytes);
  const std::span<const std::byte> whole(tail);
  const std::array<std::span<const std::byte>, 3> parts = {
      std::span<const std::byte>(header_bytes), whole.first(index_bytes),
      whole.subspan(index_bytes, trailer.size() - 16)};
  const auto seal = codec::fingerprint(parts);
  std::copy(seal.begin(), seal.end(), tail.end() - 16);
  return tail;
}

std::vector<std::byte> build_tail(Header& header, std::vector<std::byte>& header_bytes,
                                  std::uint64_t position, std::span<const IndexEntry> index,
                                  std::span<const VlMetalayer> vlmeta) {
  return build_tail(header, header_bytes, position, build_index(index), vlmeta);
}

}  // namespace mlarray::frame
