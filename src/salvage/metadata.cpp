#include "salvage/metadata.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "codec/bytes.hpp"
#include "codec/chunk.hpp"
#include "codec/chunk_format.hpp"
#include "codec/encoder.hpp"
#include "encoding/gzip.hpp"
#include "metadata/stored.hpp"
#include "mlarray/error.hpp"
#include "store/array_header.hpp"
#include "store/stored_layers.hpp"

namespace mlarray::salvaging {
namespace {

// How much more work than to hash a byte it is to make a value of one.
constexpr std::uint64_t kParse = 16;

// A value may be many times as long as what is stored of it.
std::optional<std::vector<std::byte>> value_of(const io::Bytes& chunk, WorkBudget& budget) {
  try {
    const codec::ChunkHeader header = codec::parse_chunk(chunk.data, {.what = "metadata"});
    const auto length = static_cast<std::uint64_t>(header.nbytes);
    if (length > kMostMetadata || !budget.spend(kParse * length)) return std::nullopt;
    return codec::decompress_bytes(chunk.data, static_cast<std::int64_t>(kMostMetadata),
                                   {.what = "metadata"});
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Where the gzip stream of a value begins that is one in a msgpack bin; 0 if it is none.
std::size_t gzip_at(std::span<const std::byte> value) {
  if (value.size() < 8) return 0;
  const auto head = std::to_integer<unsigned>(value[0]);
  const std::size_t at = head == 0xc4 ? 2 : head == 0xc5 ? 3 : head == 0xc6 ? 5 : 0;
  return at > 0 && encoding::is_gzip(value.subspan(at)) ? at : 0;
}

std::optional<Metadata> metadata_of(const std::vector<std::byte>& value, std::size_t ndim,
                                    WorkBudget& budget) {
  if (const std::size_t at = gzip_at(value)) {
    constexpr std::uint64_t kMostInflated = 1032;  // bytes that deflate makes of one
    const std::uint64_t most = std::min(kMostMetadata, budget.left() / kParse);
    std::uint64_t inflated = std::min(most, kMostInflated * value.size());
    try {
      inflated =
          encoding::gunzip(std::span(value).subspan(at), static_cast<std::size_t>(most)).size();
    } catch (const Error&) {
      budget.spend(kParse * inflated);
      return std::nullopt;
    }
    budget.spend(kParse * inflated);
  }
  try {
    return metadata::decode_stored(value, static_cast<int>(ndim));
  } catch (const Error&) {
    return std::nullopt;
  }
}
std::optional<Metadata> metadata_of(const io::Bytes& chunk, std::size_t ndim,
                                    WorkBudget& budget) {
  const auto value = value_of(chunk, budget);
  return value ? metadata_of(*value, ndim, budget) : std::nullopt;
}

// A chunk without a name is taken for metadata only if it has the check of a gzip stream: other
// writers' metalayers may be maps as well. Such a stream cannot be compressed much further.
std::optional<Metadata> checked_metadata_of(const io::Bytes& chunk, std::size_t ndim,
                                            WorkBudget& budget) {
  if (!may_hold_gzip(chunk.data)) return std::nullopt;
  const auto value = value_of(chunk, budget);
  if (!value || gzip_at(*value) == 0) return std::nullopt;
  return metadata_of(*value, ndim, budget);
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

struct ReadableLayer {
  io::Bytes chunk;
  Metadata metadata;
};

std::optional<ReadableLayer> readable_layer(const StateContent& content, std::size_t ndim,
                                            WorkBudget& budget) {
  for (const frame::VlMetalayer& layer : content.layers) {
    if (layer.name != store::kMetadataLayer) continue;
    if (auto metadata = metadata_of(layer.chunk, ndim, budget)) {
      return ReadableLayer{layer.chunk, std::move(*metadata)};
    }
  }
  for (const io::Bytes& chunk : content.nameless) {
    if (auto metadata = checked_metadata_of(chunk, ndim, budget)) {
      return ReadableLayer{chunk, std::move(*metadata)};
    }
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
  WorkBudget& budget = file.work();
  for (std::size_t i = 0; i < std::min(survey.states.size(), kMostLooked); ++i) {
    if (state == i) continue;
    file.go_on();
    const StateContent content = layers_of(file, header, survey.states[i]);
    if (auto layer = readable_layer(content, ndim, budget)) return layer->chunk;
  }
  const std::vector<Extent>& layers = survey.landmarks.layers;
  for (std::size_t i = 0; i < std::min(layers.size(), kMostLooked); ++i) {
    const Extent& extent = layers[layers.size() - 1 - i];
    file.go_on();
    if (!budget.spend(extent.length)) break;
    io::Bytes layer = file.get(extent.offset, extent.length);
    if (checked_metadata_of(layer, ndim, budget)) return layer;
  }
  return std::nullopt;
}

}  // namespace

bool may_hold_gzip(std::span<const std::byte> chunk) {
  constexpr std::int64_t kMostExpanded = 16;
  if (chunk.size() < codec::kChunkHeaderBytes) return false;
  const std::int64_t nbytes = codec::load_i32(chunk, codec::at::kNbytes);
  const std::int64_t cbytes = codec::load_i32(chunk, codec::at::kCbytes);
  return nbytes <= kMostExpanded * cbytes;
}

std::optional<ToldLayout> layout_told_by(const io::Bytes& layer, WorkBudget& budget) {
  const auto metadata = checked_metadata_of(layer, 0, budget);
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
  if (const auto layer = readable_layer(content, guess.geometry.ndim(), file.work())) {
    found.layer = copy_of(layer->chunk);
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

std::optional<Shape> shape_told_by(const DamagedFile& file, const HeaderGuess& header,
                                   const StateContent& content) {
  const auto layer = readable_layer(content, header.geometry.ndim(), file.work());
  return layer ? lengths_of(layer->metadata.get("spatial", "shape")) : std::nullopt;
}

std::size_t header_of(const DamagedFile& file, const Survey& survey, std::size_t state) {
  const FoundState& found = survey.states[state];
  if (found.sealed) return found.header;
  for (std::size_t i = 0; i < survey.headers.size(); ++i) {
    file.go_on();
    const HeaderGuess& guess = survey.headers[i];
    const auto told = shape_told_by(file, guess, layers_of(file, guess, found));
    if (told == guess.geometry.shape()) return i;
  }
  return 0;
}

}  // namespace mlarray::salvaging
