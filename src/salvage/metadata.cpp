#include "salvage/metadata.hpp"

#include <algorithm>

#include "codec/encoder.hpp"
#include "metadata/stored.hpp"
#include "mlarray/error.hpp"
#include "store/array_header.hpp"
#include "store/stored_layers.hpp"

namespace mlarray::salvaging {
namespace {

constexpr std::int64_t kMaxMetadataBytes = std::int64_t{256} << 20;

std::optional<std::vector<std::byte>> value_of(const io::Bytes& chunk) {
  try {
    return codec::decompress_bytes(chunk.data, kMaxMetadataBytes, {.what = "metadata"});
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<Metadata> metadata_of(const io::Bytes& chunk, std::size_t ndim) {
  const auto value = value_of(chunk);
  if (!value) return std::nullopt;
  try {
    return metadata::decode_stored(*value, static_cast<int>(ndim));
  } catch (const Error&) {
    return std::nullopt;
  }
}

// A chunk without a name is taken for metadata only if it has the check of a gzip stream: other
// writers' metalayers may be maps as well.
bool is_checked(const io::Bytes& chunk) {
  const auto value = value_of(chunk);
  if (!value || value->size() < 8) return false;
  const auto head = std::to_integer<unsigned>((*value)[0]);  // of a msgpack bin
  const std::size_t at = head == 0xc4 ? 2 : head == 0xc5 ? 3 : head == 0xc6 ? 5 : 0;
  return at > 0 && (*value)[at] == std::byte{0x1f} && (*value)[at + 1] == std::byte{0x8b};
}

std::optional<Shape> lengths_of(const Value& value) {
  const List* list = value.get_if<List>();
  if (list == nullptr) return std::nullopt;
  Shape out;
  for (const Value& item : list->items) {
    const std::int64_t* length = item.get_if<std::int64_t>();
    if (length == nullptr) return std::nullopt;
    out.push_back(*length);
  }
  return out;
}

std::optional<io::Bytes> readable_layer(const StateContent& content, std::size_t ndim) {
  for (const frame::VlMetalayer& layer : content.layers) {
    if (layer.name == store::kMetadataLayer && metadata_of(layer.chunk, ndim))
      return layer.chunk;
  }
  for (const io::Bytes& chunk : content.nameless) {
    if (is_checked(chunk) && metadata_of(chunk, ndim)) return chunk;
  }
  return std::nullopt;
}

bool has_layer(const StateContent& content) {
  return std::any_of(content.layers.begin(), content.layers.end(),
                     [](const auto& layer) { return layer.name == store::kMetadataLayer; });
}

std::vector<std::byte> copy_of(const io::Bytes& bytes) {
  return {bytes.data.begin(), bytes.data.end()};
}

// The newest of other states, as far as there are not very many.
std::optional<io::Bytes> layer_of_another(const DamagedFile& file, const Survey& survey,
                                          std::optional<std::size_t> state,
                                          const HeaderGuess& header) {
  constexpr std::size_t kMostLooked = 256;
  const std::size_t ndim = header.geometry.ndim();
  for (std::size_t i = 0; i < std::min(survey.states.size(), kMostLooked); ++i) {
    if (state == i) continue;
    const StateContent content = contents_of(file, header, survey.states[i]);
    if (auto layer = readable_layer(content, ndim)) return layer;
  }
  const std::vector<Extent>& layers = survey.landmarks.layers;
  for (std::size_t i = 0; i < std::min(layers.size(), kMostLooked); ++i) {
    const Extent& extent = layers[layers.size() - 1 - i];
    io::Bytes layer = file.get(extent.offset, extent.length);
    if (is_checked(layer) && metadata_of(layer, ndim)) return layer;
  }
  return std::nullopt;
}

}  // namespace

std::optional<ToldLayout> layout_told_by(const io::Bytes& layer) {
  if (!is_checked(layer)) return std::nullopt;
  const auto metadata = metadata_of(layer, 0);
  if (!metadata) return std::nullopt;
  const auto shape = lengths_of(metadata->get("spatial", "shape"));
  const auto chunk = lengths_of(metadata->get("blosc2", "chunk_size"));
  const auto block = lengths_of(metadata->get("blosc2", "block_size"));
  if (!shape || !chunk || !block || chunk->size() != shape->size() ||
      block->size() != shape->size() || shape->size() > static_cast<std::size_t>(kMaxDims)) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < shape->size(); ++i) {
    if ((*shape)[i] < 0 || (*chunk)[i] < 1 || (*block)[i] < 1 || (*block)[i] > (*chunk)[i] ||
        (*chunk)[i] > codec::kMaxChunkBytes) {
      return std::nullopt;
    }
  }
  return ToldLayout{*shape, *chunk, *block};
}

FoundMetadata find_metadata(const DamagedFile& file, const Survey& survey,
                            std::optional<std::size_t> state, std::size_t header,
                            const StateContent& content) {
  const HeaderGuess& guess = survey.headers[header];
  const bool sealed = state && survey.states[*state].sealed;
  const bool foreign = state && survey.states[*state].foreign;
  FoundMetadata found;
  if (sealed || foreign) {
    for (const frame::VlMetalayer& layer : content.layers) {
      if (layer.name != store::kMetadataLayer) found.others.push_back(layer);
    }
  }
  if (const auto layer = readable_layer(content, guess.geometry.ndim())) {
    found.layer = copy_of(*layer);
    found.status = sealed ? SalvagedMetadata::verified : SalvagedMetadata::unverified;
    return found;
  }
  if (sealed || foreign) {
    if (!has_layer(content)) return found;  // a plain Blosc2 array
    if (sealed) {                           // as it was written, and unknown to us
      for (const frame::VlMetalayer& layer : content.layers) {
        if (layer.name == store::kMetadataLayer) found.layer = copy_of(layer.chunk);
      }
      found.status = SalvagedMetadata::verified;
      return found;
    }
  }
  if (const auto layer = layer_of_another(file, survey, state, guess)) {
    found.layer = copy_of(*layer);
    found.status = SalvagedMetadata::older;
    return found;
  }
  found.status = SalvagedMetadata::lost;
  return found;
}

std::size_t header_of(const DamagedFile& file, const Survey& survey, std::size_t state) {
  const FoundState& found = survey.states[state];
  if (found.sealed) return found.header;
  for (std::size_t i = 0; i < survey.headers.size(); ++i) {
    const HeaderGuess& guess = survey.headers[i];
    const grid::Geometry& geometry = guess.geometry;
    const auto layer = readable_layer(contents_of(file, guess, found), geometry.ndim());
    if (!layer) continue;
    const auto metadata = metadata_of(*layer, geometry.ndim());
    if (metadata && lengths_of(metadata->get("spatial", "shape")) == geometry.shape()) return i;
  }
  return 0;
}

}  // namespace mlarray::salvaging
