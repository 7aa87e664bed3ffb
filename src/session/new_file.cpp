#include "session/new_file.hpp"

#include <numeric>
#include <string>
#include <utility>

#include "codec/encoder.hpp"
#include "layout/limits.hpp"
#include "mlarray/error.hpp"
#include "session/tail.hpp"
#include "store/stored_layers.hpp"

namespace mlarray::session {

Metadata without_statistics(Metadata metadata) {
  for (const MetadataField& field : Metadata::fields()) {
    if (field.section == "stats") metadata.set(field.section, field.name, {});
  }
  return metadata;
}

NewFile::NewFile(const Shape& shape, const DType& dtype, const Metadata& metadata,
                 const SaveOptions& options, bool has_array)
    : store_metadata_(options.store_metadata), access_(options.access), tables_(0, 0) {
  layout::check_array(shape, dtype.itemsize());
  element_count(shape);
  LayoutRequest request = options.layout;
  if (request.spatial_axes.empty() && has_array) {
    request.spatial_axes = metadata.spatial_axes(static_cast<int>(shape.size()));
  }
  const Layout layout = choose_layout(shape, dtype.itemsize(), request);
  array_.geometry = grid::Geometry(shape, layout.chunk, layout.block, dtype.itemsize());
  array_.dtype = dtype;
  array_.codec = codec::params_for(
      options.codec ? *options.codec : codec_for(options.preset, dtype), dtype);
  if (store_metadata_) {
    metadata_layer_ = store::build_metadata_layer(
        codec::shortens(array_.codec) ? without_statistics(metadata) : metadata, array_,
        {layout.patch, has_array, options.metadata_encoding});
  }
  header_ = store::new_header(array_, header_bytes_);
  index_.resize(static_cast<std::size_t>(array_.geometry.chunk_count()));
  tables_ = store::TableMaker(array_.geometry.chunk_count(), array_.geometry.block_count());
}

void NewFile::begin(io::AtomicFile& out) { out.append(header_bytes_); }

void NewFile::add_chunks(io::AtomicFile& out, int threads, const pipeline::FillChunk& fill) {
  std::vector<std::int64_t> numbers(index_.size());
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  add_chunks(out, numbers, threads, fill);
}

void NewFile::add_chunks(io::AtomicFile& out, std::span<const std::int64_t> numbers,
                         int threads, const pipeline::FillChunk& fill) {
  added_.insert(added_.end(), numbers.begin(), numbers.end());
  pipeline::encode_chunks(numbers, array_.geometry, array_.codec, threads, fill,
                          [&](pipeline::EncodedChunk&& chunk) {
                            if (chunk.bytes.empty()) return;
                            index_[static_cast<std::size_t>(chunk.number)] =
                                frame::IndexEntry::at(out.position() - header_.header_len);
                            tables_.set(chunk.number, store::stored_sums(chunk.checksums),
                                        chunk.bytes);
                            out.append(chunk.bytes);
                          });
}

void NewFile::finish(io::AtomicFile& out) {
  std::vector<frame::VlMetalayer> vlmeta = std::move(carried_);
  if (store_metadata_) {
    vlmeta.push_back({std::string(store::kMetadataLayer), {metadata_layer_, nullptr}});
  }
  std::vector<store::Record> records;
  for (const auto& [name, bytes] : records_) {
    records.push_back({name, store::append_pages(bytes, [&](auto page) {
                         const std::uint64_t offset = out.position();
                         out.append(page);
                         return offset;
                       })});
  }
  Tail tail = build_tail(header_, header_bytes_, out.position(), frame::build_index(index_),
                         tables_.finish(out.position()), std::move(vlmeta), std::move(records));
  if (!tail.pages.empty()) out.append(tail.pages);
  out.append(tail.bytes);
  out.write_at(0, header_bytes_);
  layers_ = std::move(tail.layers);
}

}  // namespace mlarray::session
