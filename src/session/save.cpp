// Saving: an array, or voxels of the caller's, into a new file that takes the place of an old.
#include <algorithm>
#include <mutex>
#include <utility>

#include "base/naming.hpp"
#include "base/views.hpp"
#include "codec/encoder.hpp"
#include "grid/gather.hpp"
#include "mlarray/error.hpp"
#include "mlarray/metadata_only.hpp"
#include "parallel/thread_pool.hpp"
#include "pipeline/read_box.hpp"
#include "session/array_records.hpp"
#include "session/impl.hpp"
#include "session/new_file.hpp"
#include "session/publish.hpp"
#include "session/registry.hpp"

namespace mlarray {
namespace {

// What the metadata of the new file must be. The older encoding drops what it cannot hold.
std::optional<Metadata> comparable(const std::optional<Metadata>& metadata,
                                   const SaveOptions& options) {
  const bool whole =
      options.store_metadata && options.metadata_encoding == MetadataEncoding::current;
  return whole ? metadata : std::nullopt;
}

// The state that `from` shows, as `options` say, into a file that is not in place yet.
void write_copy(const Array::Impl& from, io::AtomicFile& out, const std::filesystem::path& path,
                const SaveOptions& options, const std::optional<Metadata>& metadata,
                bool verify) {
  const auto state = from.open_snapshot();
  const store::ChunkStore& chunks = *state->chunks;
  const grid::Geometry& source = state->geometry();
  chunks.watch();

  // One's own metadata that cannot be read is carried over as it is.
  std::optional<Metadata> readable = metadata;
  bool keep_stored = false;
  if (!readable) {
    try {
      readable = state->metadata();
    } catch (const Error&) {
      keep_stored = true;
    }
  }
  session::NewFile file = base::naming(path.string(), [&] {
    return session::NewFile(source.shape(), state->array->dtype, readable.value_or(Metadata{}),
                            options, state->has_array());
  });
  std::vector<frame::VlMetalayer> others;
  for (const frame::VlMetalayer& layer : state->layers->all()) {
    if (layer.name != store::kMetadataLayer) {
      others.push_back(layer);
    } else if (keep_stored) {
      file.keep_metadata_layer({layer.chunk.data.begin(), layer.chunk.data.end()});
    }
  }
  if (options.store_metadata) file.carry(std::move(others));

  if (!codec::shortens(file.array().codec)) {
    for (const std::string_view name : store::kRecordsOfVoxels) {
      auto record = base::naming(from.path, [&] { return session::read_record(*state, name); });
      if (record) file.carry_record(name, std::move(*record));
    }
  }

  const grid::Geometry& geometry = file.geometry();
  const auto fill = [&](std::int64_t number, std::span<std::byte> chunk) {
    const Box part = geometry.chunk_box(number);
    std::vector<std::byte> voxels(
        static_cast<std::size_t>(element_count(part.shape()) * geometry.itemsize()));
    const Shape shape = part.shape();
    const auto strides = grid::c_strides(shape, geometry.itemsize());
    base::naming(from.path, [&] {
      pipeline::read_box(chunks, source, part, {voxels.data(), shape, strides},
                         {.threads = 1, .verify = verify, .again = true});
    });
    if (!grid::fills_padding(geometry, part)) {
      std::fill(chunk.begin(), chunk.end(), std::byte{0});
    }
    grid::gather(geometry, number, part, {voxels.data(), shape, strides}, part.start, chunk);
  };
  io::checked(chunks, [&] {  // of all that was read, metadata included
    file.begin(out);
    file.add_chunks(out, options.threads, fill);
    file.finish(out);
    if (options.verify) {
      file.read_back(out, options.threads, fill, comparable(readable, options));
    }
  });
}

// Voxels of the caller's, or without `has_array` a placeholder.
void save_new(const std::filesystem::path& path, const ConstArrayView& voxels,
              const DType& dtype, const Metadata& metadata, const SaveOptions& options,
              bool has_array) {
  const parallel::OperationGuard guard;
  base::check_view(voxels, dtype.itemsize());
  session::NewFile file = base::naming(path.string(), [&] {
    return session::NewFile(voxels.shape, dtype, metadata, options, has_array);
  });
  std::optional<io::AtomicFile> place;
  session::begin_file(place, path, options.level);
  io::AtomicFile& out = *place;
  file.begin(out);
  const grid::Geometry& geometry = file.geometry();
  const Shape origin(voxels.shape.size(), 0);
  const auto fill = [&](std::int64_t number, std::span<std::byte> chunk) {
    const Box part = geometry.chunk_box(number);
    if (!grid::fills_padding(geometry, part)) {
      std::fill(chunk.begin(), chunk.end(), std::byte{0});
    }
    grid::gather(geometry, number, part, voxels, origin, chunk);
  };
  file.add_chunks(out, options.threads, fill);
  file.finish(out);
  if (options.verify) file.read_back(out, options.threads, fill, comparable(metadata, options));
  session::publish_and_close(out, path);
}

}  // namespace

void Array::save_voxels(const std::filesystem::path& path, const ConstArrayView& voxels,
                        const DType& dtype, const Metadata& metadata,
                        const SaveOptions& options) {
  save_new(path, voxels, dtype, metadata, options, true);
}

void save_metadata(const std::filesystem::path& path, const Metadata& metadata,
                   const SaveOptions& options) {
  // As every version writes it.
  save_new(path, {nullptr, {0}, {sizeof(double)}}, DType::of<double>(), metadata, options,
           false);
}

void Array::save(const std::filesystem::path& path, const SaveOptions& options,
                 const std::optional<Metadata>& metadata) const {
  const parallel::OperationGuard guard;
  if (session::Registry::instance().writer_of(path) == impl_) {
    // Over the file that it is open on: nobody edits it, or changes what the path names, until
    // the new file has all of it and takes the edits that follow.
    const session::Registry::NameLock name(path);
    const std::lock_guard lock(impl_->edit_mutex);
    if (impl_->written_file() && io::file_id(path) == impl_->written_file() &&
        !session::keeps_name(*impl_, path)) {
      io::AtomicFile out(path, options.level, true);
      // Verified always: the sums of the new file would make damage look right.
      write_copy(*impl_, out, path, options, metadata, true);
      const std::uint64_t edits = impl_->open_snapshot()->voxel_edits + 1;
      const auto unsure = session::publish_and_adopt(out, true, *impl_, edits);
      if (unsure) throw *unsure;
      return;
    }
  }
  std::optional<io::AtomicFile> out;
  session::begin_file(out, path, options.level);
  write_copy(*impl_, *out, path, options, metadata, impl_->verifies());
  session::publish_and_close(*out, path);
}

}  // namespace mlarray
