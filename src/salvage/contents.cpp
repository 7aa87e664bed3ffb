// What a state of a damaged file says of its chunks, as far as it can be read.
#include <algorithm>
#include <span>

#include "codec/chunk.hpp"
#include "codec/encoder.hpp"
#include "frame/constants.hpp"
#include "frame/metalayers.hpp"
#include "mlarray/error.hpp"
#include "salvage/states.hpp"

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

}  // namespace

StateContent contents_of(const DamagedFile& file, const HeaderGuess& header,
                         const FoundState& state) {
  const auto load = [&](const Extent& extent) -> io::Bytes {
    const auto bytes = std::make_shared<std::vector<std::byte>>(file.copy(extent));
    for (const auto& [offset, byte] : state.mended) {
      if (offset >= extent.offset && offset < extent.end()) {
        (*bytes)[static_cast<std::size_t>(offset - extent.offset)] = byte;
      }
    }
    return {*bytes, bytes};
  };
  const grid::Geometry& geometry = header.geometry;
  StateContent out;
  if (!state.index.empty() && geometry.chunk_count() > 0) {
    out.index = index_of(load(state.index).data, geometry.chunk_count());
  }
  std::vector<Extent> nameless = state.layers;
  if (!state.trailer.empty()) {
    const io::Bytes trailer = load(state.trailer);
    try {
      for (const frame::NamedSpan& layer :
           frame::parse_metalayers(trailer.data, frame::kTrailerLayersAt, "trailer")) {
        out.layers.push_back({layer.name, {layer.content, trailer.owner}});
      }
      nameless.clear();
    } catch (const Error&) {
      out.layers.clear();  // then by what they look like
    }
  }
  for (const Extent& extent : nameless) out.nameless.push_back(load(extent));
  const auto take_sums = [&](const io::Bytes& chunk) {
    store::ChecksumTable table =
        store::ChecksumTable::parse(chunk, geometry.chunk_count(), geometry.block_count());
    if (!table.empty()) out.sums = std::move(table);
  };
  for (const frame::VlMetalayer& layer : out.layers) {
    if (layer.name == store::kChecksumLayer) take_sums(layer.chunk);
  }
  for (const io::Bytes& chunk : out.nameless) take_sums(chunk);
  std::erase_if(out.layers,
                [](const auto& layer) { return layer.name == store::kChecksumLayer; });
  out.index_and_sums_are_of_one = !out.index.empty() && !out.sums.empty() &&
                                  (!state.trailer.empty() || !state.layers.empty());
  return out;
}

}  // namespace mlarray::salvaging
