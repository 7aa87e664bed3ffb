// What a state of a damaged file says of its chunks, as far as it can be read.
#include <algorithm>
#include <span>

#include "codec/chunk.hpp"
#include "codec/encoder.hpp"
#include "frame/constants.hpp"
#include "frame/metalayers.hpp"
#include "mlarray/error.hpp"
#include "salvage/metadata.hpp"
#include "salvage/states.hpp"
#include "store/records.hpp"

namespace mlarray::salvaging {
namespace {

using Span = std::span<const std::byte>;

// Entries as they are: what leads nowhere is found when the chunk is looked at.
std::vector<frame::IndexEntry> index_of(Span chunk, std::int64_t count) {
  try {
    const std::vector<std::byte> raw = codec::decompress_bytes(
        chunk.first(static_cast<std::size_t>(std::min<std::int64_t>(
            codec::chunk_length(chunk, "index"), static_cast<std::int64_t>(chunk.size())))),
        8 * count, {.nbytes = 8 * count, .what = "index"});
    std::vector<frame::IndexEntry> index(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < index.size(); ++i) {
      std::uint64_t entry = 0;
      for (std::size_t b = 8; b-- > 0;) {
        entry = (entry << 8) | std::to_integer<std::uint64_t>(raw[i * 8 + b]);
      }
      index[i] = frame::IndexEntry::from_raw(entry);
    }
    return index;
  } catch (const Error&) {
    return {};
  }
}

// The bytes of a part of the file, with what was mended.
io::Bytes load(const DamagedFile& file, const FoundState& state, const Extent& extent) {
  if (!file.work().spend(extent.length)) return {};
  const bool changed =
      std::any_of(state.mended.begin(), state.mended.end(), [&](const auto& change) {
        return change.first >= extent.offset && change.first < extent.end();
      });
  if (!changed) return file.get(extent.offset, extent.length);
  const auto bytes = std::make_shared<std::vector<std::byte>>(file.copy(extent));
  for (const auto& [offset, byte] : state.mended) {
    if (offset >= extent.offset && offset < extent.end()) {
      (*bytes)[static_cast<std::size_t>(offset - extent.offset)] = byte;
    }
  }
  return {*bytes, bytes};
}

store::ChecksumTable table_in(const DamagedFile& file, const grid::Geometry& geometry,
                              const io::Bytes& chunk) {
  // A page that is lost leaves its blocks unverified.
  return store::ChecksumTable::parse(chunk, file.shared_source(), geometry.chunk_count(),
                                     geometry.block_count(),
                                     store::ChecksumTable::Damaged::has_no_sums);
}

bool may_be_table(const grid::Geometry& geometry, std::uint64_t length) {
  const std::int64_t chunks = geometry.chunk_count();
  const std::int64_t blocks = geometry.block_count();
  return length == store::ChecksumTable::stored_bytes(chunks, blocks) ||
         (store::ChecksumTable::is_large(chunks, blocks) &&
          length <= store::ChecksumTable::kMostLargeLayer);
}

// Metalayers without their names: a table of checksums, or what may be metadata.
std::vector<io::Bytes> nameless_of(const DamagedFile& file, const grid::Geometry& geometry,
                                   const FoundState& state) {
  const TailLimits limits({geometry});
  constexpr std::uint64_t kOneRead = 2048;
  std::uint64_t room = limits.trailer;
  std::vector<io::Bytes> out;
  for (const Extent& extent : state.layers) {
    if (!file.work().spend(kOneRead)) break;
    const io::Bytes head = file.get(extent.offset, codec::kChunkHeaderBytes);
    const bool table = may_be_table(geometry, extent.length);
    if ((!table && !may_hold_gzip(head.data)) || extent.length > room) continue;
    room -= extent.length;
    io::Bytes layer = load(file, state, extent);
    if (may_hold_gzip(head.data) || !table_in(file, geometry, layer).empty()) {
      out.push_back(std::move(layer));
    }
  }
  return out;
}

}  // namespace

StateContent layers_of(const DamagedFile& file, const HeaderGuess& header,
                       const FoundState& state) {
  const grid::Geometry& geometry = header.geometry;
  StateContent out;
  bool named = false;
  if (!state.trailer.empty()) {
    const io::Bytes trailer = load(file, state, state.trailer);
    try {
      for (const frame::NamedSpan& layer :
           frame::parse_metalayers(trailer.data, frame::kTrailerLayersAt, "trailer")) {
        out.layers.push_back({layer.name, {layer.content, trailer.owner}});
      }
      named = true;
    } catch (const Error&) {
      out.layers.clear();  // then by what they look like
    }
  }
  if (!named) out.nameless = nameless_of(file, geometry, state);
  const auto take_sums = [&](const io::Bytes& chunk) {
    store::ChecksumTable table = table_in(file, geometry, chunk);
    if (!table.empty()) out.sums = std::move(table);
  };
  for (const frame::VlMetalayer& layer : out.layers) {
    if (layer.name == store::kChecksumLayer) take_sums(layer.chunk);
  }
  for (const io::Bytes& chunk : out.nameless) take_sums(chunk);
  std::erase_if(out.layers, [](const auto& layer) {
    return layer.name == store::kChecksumLayer || layer.name == store::kRecordLayer;
  });
  return out;
}

bool has_table(const DamagedFile& file, const grid::Geometry& geometry,
               const FoundState& state) {
  return std::any_of(state.layers.begin(), state.layers.end(), [&](const Extent& layer) {
    return may_be_table(geometry, layer.length) && file.work().spend(layer.length) &&
           !table_in(file, geometry, file.get(layer.offset, layer.length)).empty();
  });
}

StateContent contents_of(const DamagedFile& file, const HeaderGuess& header,
                         const FoundState& state) {
  const std::int64_t count = header.geometry.chunk_count();
  StateContent out = layers_of(file, header, state);
  if (!state.index.empty() && count > 0 &&
      file.work().spend(16 * static_cast<std::uint64_t>(count))) {
    out.index = index_of(load(file, state, state.index).data, count);
  }
  out.index_and_sums_are_of_one = !out.index.empty() && !out.sums.empty() &&
                                  (!state.trailer.empty() || !state.layers.empty());
  return out;
}

}  // namespace mlarray::salvaging
