// What a frame means as an array, and the other way round.
#include <algorithm>

#include "array/b2nd.hpp"
#include "array/impl.hpp"
#include "base/naming.hpp"
#include "codec/encoder.hpp"
#include "metadata/stored.hpp"
#include "mlarray/error.hpp"

namespace mlarray {
namespace {

constexpr std::int64_t kMaxMetadataBytes = std::int64_t{256} << 20;
constexpr std::string_view kB2nd = "b2nd";
// c-blosc2's numbers for how blocks are split; the header stores them less one.
constexpr std::uint8_t kAlwaysSplit = 0;
constexpr std::uint8_t kNeverSplit = 1;

std::vector<std::byte> layer_value(const frame::VlMetalayer& layer) {
  const std::string what = "metadata '" + layer.name + "'";
  return codec::decompress_bytes(layer.chunk.data, kMaxMetadataBytes, {.what = what});
}

}  // namespace

namespace array {
namespace {

// Sums of a state that another writer changed say nothing about its chunks.
ChecksumTable checksums_of(const frame::State& state, const Geometry& geometry) {
  const frame::VlMetalayer* layer = state.find(kChecksumLayer);
  if (layer == nullptr || state.seal == Seal::absent) return {};
  return ChecksumTable::parse(layer->chunk, geometry.chunk_count(), geometry.block_count());
}

}  // namespace
}  // namespace array

StoredLayers::StoredLayers(std::vector<frame::VlMetalayer> layers)
    : layers_(std::move(layers)) {
  std::erase_if(layers_, [](const frame::VlMetalayer& layer) {
    return layer.name == array::kChecksumLayer;
  });
}

const frame::VlMetalayer* StoredLayers::find(std::string_view name) const {
  const auto it = std::find_if(layers_.begin(), layers_.end(),
                               [&](const auto& layer) { return layer.name == name; });
  return it == layers_.end() ? nullptr : &*it;
}

void StoredLayers::set(std::string_view name, std::vector<std::byte> chunk) {
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(chunk));
  const io::Bytes bytes{*owner, owner};
  const auto it = std::find_if(layers_.begin(), layers_.end(),
                               [&](const auto& layer) { return layer.name == name; });
  if (it != layers_.end()) {
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

namespace array {

CodecParams codec_of_header(const frame::Header& header) {
  CodecParams codec;
  codec.codec = static_cast<Codec>(header.compressor);
  codec.level = header.level;
  codec.filters = header.filters;
  codec.filters_meta = header.filters_meta;
  codec.split = (header.split_mode & 3) != kNeverSplit;
  return codec;
}

void put_codec(frame::Header& header, const CodecParams& codec) {
  header.compressor = static_cast<int>(codec.codec);
  header.level = codec.level;
  header.filters = codec.filters;
  header.filters_meta = codec.filters_meta;
  header.split_mode = codec.split ? kAlwaysSplit : kNeverSplit;
}

frame::Header new_header(const Geometry& geometry, const DType& dtype, const CodecParams& codec,
                         std::vector<std::byte>& header_bytes) {
  frame::Header header;
  put_codec(header, codec);
  const bool empty = geometry.chunk_count() == 0;
  header.typesize = static_cast<std::int32_t>(geometry.itemsize());
  header.chunksize = empty ? 0 : static_cast<std::int32_t>(geometry.chunk_bytes());
  header.blocksize = empty ? 0 : static_cast<std::int32_t>(geometry.block_bytes());
  header.nbytes = geometry.chunk_count() * header.chunksize;
  B2nd b2nd{geometry.shape(), geometry.chunk(), geometry.block(), dtype};
  for (std::size_t i = 0; i < geometry.ndim(); ++i) {
    // Along an axis without voxels Blosc2 has chunks of length 0.
    if (b2nd.shape[i] == 0) b2nd.chunk[i] = b2nd.block[i] = 0;
  }
  header.metalayers.push_back({std::string(kB2nd), build_b2nd(b2nd)});
  header_bytes = frame::build_header(header);
  return header;
}

Content content_of(const frame::State& state, std::shared_ptr<io::ByteSource> source) {
  const std::string name = source->name();
  return base::naming(name, [&] {
    const frame::Metalayer* layer = state.header.find(kB2nd);
    if (layer == nullptr) {
      throw Error(ErrorKind::unsupported,
                  "a Blosc2 file without an N-d array (no metalayer 'b2nd')");
    }
    const B2nd b2nd = parse_b2nd(layer->content, state.header.typesize);
    Content content;
    content.geometry = Geometry(b2nd.shape, b2nd.chunk, b2nd.block, b2nd.dtype.itemsize());
    content.dtype = b2nd.dtype;
    const char kind = content.dtype.kind();
    content.codec = codec::as_preset(codec_of_header(state.header), content.dtype.itemsize(),
                                     kind == 'f' || kind == 'c');
    content.seal = state.seal;
    if (state.seal == Seal::absent && state.find(kChecksumLayer) != nullptr) {
      content.seal = Seal::edited;
    }
    const Geometry& geometry = content.geometry;
    if (geometry.chunk_count() != state.header.chunk_count() ||
        (geometry.chunk_count() > 0 && geometry.chunk_bytes() != state.header.chunksize)) {
      throw Error(ErrorKind::corruption,
                  "shape " + to_string(b2nd.shape) + " in chunks of " + to_string(b2nd.chunk) +
                      " makes " + std::to_string(geometry.chunk_count()) + " chunks of " +
                      std::to_string(geometry.chunk_bytes()) + " bytes; the header says " +
                      std::to_string(state.header.chunk_count()) + " of " +
                      std::to_string(state.header.chunksize));
    }
    content.store = std::make_shared<ChunkStore>(
        std::move(source), state, geometry.block_count(), checksums_of(state, geometry));
    return content;
  });
}

std::vector<std::byte> build_metadata_layer(const Metadata& metadata, const Geometry& geometry,
                                            const CodecParams& codec,
                                            const MetadataLayerOptions& options) {
  // A placeholder's axes say nothing about the metadata.
  metadata.check(options.has_array ? static_cast<int>(geometry.ndim()) : -1);
  metadata::ArrayFacts facts;
  facts.has_array = options.has_array;
  facts.shape = geometry.shape();
  facts.layout = {geometry.chunk(), geometry.block(), options.patch};
  facts.codec = codec;
  const std::string value = options.replaces
                                ? metadata::encode_edited(metadata, facts, *options.replaces)
                                : metadata::encode_stored(metadata, facts, options.encoding);
  return codec::compress_bytes(std::as_bytes(std::span(value)), 1);
}

}  // namespace array
}  // namespace mlarray
