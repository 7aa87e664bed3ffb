#include "array/save.hpp"

#include <algorithm>
#include <numeric>

#include "array/impl.hpp"
#include "array/read_box.hpp"
#include "base/naming.hpp"
#include "codec/encoder.hpp"
#include "layout/limits.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"

namespace mlarray {
namespace array {
namespace {

bool is_float(const DType& dtype) { return dtype.kind() == 'f' || dtype.kind() == 'c'; }

}  // namespace

NewFile::NewFile(const Shape& shape, const DType& dtype, const Metadata& metadata,
                 const SaveOptions& options)
    : store_metadata_(options.store_metadata), checksums_(0, 0) {
  layout::check_array(shape, dtype.itemsize());
  element_count(shape);
  const Layout layout = choose_layout(shape, dtype.itemsize(), options.layout);
  geometry_ = Geometry(shape, layout.chunk, layout.block, dtype.itemsize());
  codec_ = options.codec
               ? *options.codec
               : codec::preset_params(options.preset, dtype.itemsize(), is_float(dtype));
  codec::check_params(codec_);
  if (store_metadata_) {
    metadata_layer_ =
        build_metadata_layer(metadata, geometry_, codec_,
                             {layout.patch, options.has_array, options.metadata_encoding});
  }
  header_ = new_header(geometry_, dtype, codec_, header_bytes_);
  index_.resize(static_cast<std::size_t>(geometry_.chunk_count()));
  checksums_ = ChecksumBuilder(geometry_.chunk_count(), geometry_.block_count());
}

void NewFile::begin(io::AtomicFile& out) { out.append(header_bytes_); }

void NewFile::add_chunks(io::AtomicFile& out, int threads, const FillChunk& fill) {
  std::vector<std::int64_t> numbers(index_.size());
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  add_chunks(out, numbers, threads, fill);
}

void NewFile::add_chunks(io::AtomicFile& out, std::span<const std::int64_t> numbers,
                         int threads, const FillChunk& fill) {
  added_.insert(added_.end(), numbers.begin(), numbers.end());
  encode_chunks(numbers, geometry_, codec_, threads, fill, [&](EncodedChunk&& chunk) {
    if (chunk.bytes.empty()) return;
    index_[static_cast<std::size_t>(chunk.number)] =
        frame::IndexEntry::at(out.position() - header_.header_len);
    checksums_.set(chunk.number, stored_sums(chunk.checksums));
    out.append(chunk.bytes);
  });
}

void NewFile::finish(io::AtomicFile& out) {
  std::vector<frame::VlMetalayer> vlmeta = std::move(carried_);
  if (store_metadata_) {
    vlmeta.push_back({std::string(kMetadataLayer), {metadata_layer_, nullptr}});
  }
  sums_layer_ = std::move(checksums_).build();
  if (!sums_layer_.empty()) {
    vlmeta.push_back({std::string(kChecksumLayer), {sums_layer_, nullptr}});
  }
  out.append(frame::build_tail(header_, header_bytes_, out.position(), index_, vlmeta));
  out.write_at(0, header_bytes_);
  layers_ = std::move(vlmeta);
}

}  // namespace array

namespace {

void check_view(const ConstArrayView& view) {
  if (view.strides.size() != view.shape.size()) {
    throw Error(ErrorKind::invalid_value, "an array view of shape " + to_string(view.shape) +
                                              " needs one stride per "
                                              "axis, not " +
                                              std::to_string(view.strides.size()));
  }
}

// What the metadata of the new file must be. The older encoding drops what it cannot hold.
std::optional<Metadata> comparable(const std::optional<Metadata>& metadata,
                                   const SaveOptions& options) {
  const bool whole =
      options.store_metadata && options.metadata_encoding == MetadataEncoding::current;
  return whole ? metadata : std::nullopt;
}

}  // namespace

void Array::save_voxels(const std::filesystem::path& path, const ConstArrayView& voxels,
                        const DType& dtype, const Metadata& metadata,
                        const SaveOptions& options) {
  const parallel::OperationGuard guard;
  check_view(voxels);
  array::NewFile file = base::naming(
      path.string(), [&] { return array::NewFile(voxels.shape, dtype, metadata, options); });
  array::WriterRegistry::instance().supersede(path);
  io::AtomicFile out(path);
  file.begin(out);
  const array::Geometry& geometry = file.geometry();
  const Shape origin(voxels.shape.size(), 0);
  const auto fill = [&](std::int64_t number, std::span<std::byte> chunk) {
    const Box part = geometry.chunk_box(number);
    if (!array::fills_padding(geometry, part)) {
      std::fill(chunk.begin(), chunk.end(), std::byte{0});
    }
    array::gather(geometry, number, part, voxels, origin, chunk);
  };
  file.add_chunks(out, options.threads, fill);
  file.finish(out);
  if (options.verify) file.read_back(out, options.threads, fill, comparable(metadata, options));
  out.publish_and_close(options.durable);
}

void Array::save(const std::filesystem::path& path, const SaveOptions& options,
                 const std::optional<Metadata>& metadata) const {
  const parallel::OperationGuard guard;
  const auto [content, layers] = impl_->open_state();
  const array::ChunkStore& store = *content->store;
  const array::Geometry& source = content->geometry;
  store.watch();

  // One's own metadata that cannot be read is carried over as it is.
  std::optional<Metadata> readable = metadata;
  bool keep_stored = false;
  if (!readable) {
    try {
      readable = layers.metadata(source.ndim());
    } catch (const Error&) {
      keep_stored = true;
    }
  }
  array::NewFile file = base::naming(path.string(), [&, &dtype = content->dtype] {
    return array::NewFile(source.shape(), dtype, readable.value_or(Metadata{}), options);
  });
  std::vector<frame::VlMetalayer> others;
  for (const frame::VlMetalayer& layer : layers.all()) {
    if (layer.name != kMetadataLayer) {
      others.push_back(layer);
    } else if (keep_stored) {
      file.keep_metadata_layer({layer.chunk.data.begin(), layer.chunk.data.end()});
    }
  }
  if (options.store_metadata) file.carry(std::move(others));

  array::WriterRegistry& registry = array::WriterRegistry::instance();
  const bool own_file = registry.find(path) == impl_;
  if (!own_file) registry.supersede(path);
  io::AtomicFile out(path, own_file);
  const array::Geometry& geometry = file.geometry();
  const auto fill = [&](std::int64_t number, std::span<std::byte> chunk) {
    const Box part = geometry.chunk_box(number);
    std::vector<std::byte> voxels(
        static_cast<std::size_t>(element_count(part.shape()) * geometry.itemsize()));
    const Shape shape = part.shape();
    const auto strides = array::c_strides(shape, geometry.itemsize());
    array::read_box(store, source, part, {voxels.data(), shape, strides},
                    {.threads = 1, .verify = impl_->verifies()});
    if (!array::fills_padding(geometry, part)) {
      std::fill(chunk.begin(), chunk.end(), std::byte{0});
    }
    array::gather(geometry, number, part, {voxels.data(), shape, strides}, part.start, chunk);
  };
  io::checked(store, [&] {  // of all that was read, metadata included
    file.begin(out);
    file.add_chunks(out, options.threads, fill);
    file.finish(out);
    if (options.verify) {
      file.read_back(out, options.threads, fill, comparable(readable, options));
    }
  });
  if (!own_file) {
    out.publish_and_close(options.durable);
    return;
  }
  // Saved over the file it is open on: from here on, edits go to the new file.
  const std::lock_guard lock(impl_->write_mutex);
  io::WritableFile written = out.publish(options.durable);
  std::shared_ptr<io::ByteSource> mapped = io::open_mapped(path);
  frame::State state = frame::read_state(*mapped);
  impl_->adopt(std::move(written), std::move(mapped), std::move(state));
}

}  // namespace mlarray
