#include "store/stored_layers.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <string>

#include "codec/chunk.hpp"
#include "codec/decoder.hpp"
#include "codec/encoder.hpp"
#include "metadata/stored.hpp"
#include "store/checksums.hpp"
#include "store/records.hpp"

namespace mlarray::store {
namespace {

constexpr std::int64_t kMaxMetadataBytes = std::int64_t{256} << 20;

std::vector<std::byte> layer_value(const frame::VlMetalayer& layer) {
  const std::string what = "metadata '" + layer.name + "'";
  return codec::decompress_bytes(layer.chunk.data, kMaxMetadataBytes, {.what = what});
}

template <class Layers>
auto find_layer(Layers& layers, std::string_view name) {
  return std::find_if(layers.begin(), layers.end(),
                      [&](const auto& layer) { return layer.name == name; });
}

}  // namespace

StoredLayers::StoredLayers(std::vector<frame::VlMetalayer> layers)
    : layers_(std::move(layers)) {
  std::erase_if(layers_, [](const auto& layer) {
    return layer.name == kChecksumLayer || layer.name == kRecordLayer;
  });
}

const frame::VlMetalayer* StoredLayers::find(std::string_view name) const {
  const auto it = find_layer(layers_, name);
  return it == layers_.end() ? nullptr : &*it;
}

void StoredLayers::set(std::string_view name, std::vector<std::byte> chunk) {
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(chunk));
  const io::Bytes bytes{*owner, owner};
  if (const auto it = find_layer(layers_, name); it != layers_.end()) {
    it->chunk = bytes;
  } else {
    layers_.push_back({std::string(name), bytes});
  }
}

Metadata StoredLayers::metadata(std::size_t ndim) const {
  const frame::VlMetalayer* layer = find(kMetadataLayer);
  if (layer == nullptr) return {};
  return metadata::decode_stored(layer_value(*layer), static_cast<int>(ndim));
}

std::vector<std::byte> StoredLayers::stored_metadata() const {
  const frame::VlMetalayer* layer = find(kMetadataLayer);
  return layer == nullptr ? std::vector<std::byte>{} : layer_value(*layer);
}

std::vector<std::byte> build_metadata_layer(const Metadata& metadata, const ArrayHeader& array,
                                            const MetadataLayerOptions& options) {
  const grid::Geometry& geometry = array.geometry;
  // A placeholder's axes say nothing about the metadata.
  metadata.check(options.has_array ? static_cast<int>(geometry.ndim()) : -1);
  metadata::ArrayFacts facts;
  facts.has_array = options.has_array;
  facts.shape = geometry.shape();
  facts.layout = {geometry.chunk(), geometry.block(), options.patch};
  facts.codec = array.codec;
  const std::string value = options.replaces
                                ? metadata::encode_edited(metadata, facts, *options.replaces)
                                : metadata::encode_stored(metadata, facts, options.encoding);
  return codec::compress_bytes(std::as_bytes(std::span(value)), 1);
}

}  // namespace mlarray::store
