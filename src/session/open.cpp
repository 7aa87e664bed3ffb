// Opening and creating.
#include <algorithm>
#include <cstring>
#include <new>
#include <system_error>

#include "base/mutants.hpp"
#include "base/naming.hpp"
#include "codec/encoder.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "session/impl.hpp"
#include "session/new_file.hpp"
#include "session/publish.hpp"
#include "session/registry.hpp"

namespace mlarray {
namespace {

using session::Registry;
using session::Snapshot;

std::shared_ptr<Array::Impl> new_impl(const std::filesystem::path& path,
                                      const OpenOptions& options) {
  auto impl = std::make_shared<Array::Impl>(options);
  impl->path = path.string();
  std::error_code ignored;
  impl->absolute_path = std::filesystem::absolute(path, ignored).string();
  if (ignored == std::errc::not_enough_memory) throw std::bad_alloc();
  if (ignored) impl->absolute_path = impl->path;
  if (options.mode == Mode::read_write) impl->file_path = session::resolved(path);
  return impl;
}

frame::SealCheck seal_check(const Array::Impl& impl) {
  return impl.verifies() ? frame::SealCheck::on : frame::SealCheck::off;
}

// A name that promises metadata on a file that has none: a renamed .b2nd.
// Errors: unsupported.
void check_name(const std::filesystem::path& path, const Snapshot& state) {
  if (path.extension() != ".mla" || state.layers->find(store::kMetadataLayer) != nullptr) {
    return;
  }
  throw Error(
      ErrorKind::unsupported,
      "'" + path.string() + "' is a plain Blosc2 array without the metadata ('" +
          std::string(store::kMetadataLayer) +
          "') that an .mla file has; rename it to .b2nd to open it, and save it as .mla "
          "from there",
      path.string());
}

// A state for reading: nothing of it can reach the file.
void read_from(Array::Impl& impl, std::shared_ptr<io::ByteSource> source,
               const std::filesystem::path& path) {
  frame::State state = frame::read_state(*source, seal_check(impl));
  Snapshot shown = session::snapshot_of(std::move(state), std::move(source));
  check_name(path, shown);
  impl.write_codec = codec::params_for_edits(shown.array->codec, shown.array->dtype);
  impl.shown.set(std::make_shared<const Snapshot>(std::move(shown)));
}

// Opens for writing, in place of an older writer of this process, which is given up only when
// nothing can fail any more.
void open_to_write(const std::shared_ptr<Array::Impl>& impl,
                   const std::filesystem::path& path) {
  Registry& registry = Registry::instance();
  std::shared_ptr<Array::Impl> older;  // goes after the name lock
  const Registry::NameLock name(path);
  older = registry.writer_of(path);
  std::unique_lock<std::mutex> its_edits;
  if (older) its_edits = std::unique_lock(older->edit_mutex);
  const bool own = older && older->writes_file();
  std::optional<io::WritableFile> file;
  std::optional<Error> lost;
  if (own) {
    try {
      older->commit_pending(older->level);
    } catch (const Error& error) {
      lost = error;  // the file holds its last commit; the older one's close() says it
    }
  } else {
    file = io::WritableFile::open(path);
  }
  const std::shared_ptr<io::ByteSource> source = io::open_file(path, impl->access, impl->path);
  // Always with the seal: a commit would put a right one on what is damaged.
  frame::State state = frame::read_state(*source);
  frame::Committed committed(state);
  Snapshot shown = session::snapshot_of(std::move(state), source);
  check_name(path, shown);
  const io::FileId id = file ? file->id() : older->written_file().value_or(io::FileId());
  const std::lock_guard edits(impl->edit_mutex);
  const bool had_commits = own && older->may_have_dead_extents();
  const std::uint64_t length = committed.header.frame_len;
  Array::Impl::Adoption adoption =
      impl->prepare_to_adopt(std::move(committed), std::move(shown), had_commits);
  Registry::Entry entry = Registry::entry_of(id, impl);
  if (own) {
    Registry::Notice notice = Registry::notice_of(*older);
    file = older->detach(lost);
    registry.note_detached(std::move(notice));
  }
  try {
    // What a writer that was killed, or that failed, left behind its last commit.
    if (file->size() > length && !base::mutant("dead_tail_kept")) file->truncate(length);
  } catch (...) {
    // Nobody reads it, and it will be written over.
  }
  impl->adopt(std::move(*file), std::move(adoption));
  registry.add(std::move(entry));
}

// The first `size` bytes, on several threads: to read what is in memory is to copy it.
io::Bytes read_whole(const io::ByteSource& source, std::uint64_t size, int threads) {
  constexpr std::uint64_t kPiece = std::uint64_t{4} << 20;
  const auto length = static_cast<std::size_t>(size);
  const std::shared_ptr<std::byte[]> buffer = io::allocate(length);
  const std::span<std::byte> bytes(buffer.get(), length);
  const auto pieces = static_cast<std::size_t>((size + kPiece - 1) / kPiece);
  parallel::parallel_for(pieces, threads, [&](std::size_t i, int) {
    const std::uint64_t first = i * kPiece;
    const std::uint64_t count = std::min(kPiece, size - first);
    source.read({first, count}, bytes.subspan(static_cast<std::size_t>(first),
                                              static_cast<std::size_t>(count)));
  });
  return {bytes, buffer};
}

}  // namespace

// The last handle closes the file while the registry still knows who writes it, so that whoever
// opens the path meanwhile finds a writer of this process and not a lock that nobody owns.
Array::Array(std::shared_ptr<Impl> impl)
    : impl_(impl.get(), [impl](Impl* last) mutable {
        const parallel::OperationGuard guard;
        try {
          last->close();
        } catch (...) {
          // Nobody is told; close() is there for those who want to know.
        }
        impl.reset();
      }) {}

Array Array::open(const std::filesystem::path& path, const OpenOptions& options) {
  const parallel::OperationGuard guard;
  const auto impl = new_impl(path, options);
  Array out(impl);  // what can fail comes before a writer is given up
  if (options.mode == Mode::read_write) {
    open_to_write(impl, path);
  } else {
    session::commit_own_writer(path);
    read_from(*impl, io::open_file_to_read(path, options.access, impl->path), path);
  }
  return out;
}

Array Array::open(std::shared_ptr<ByteSource> source, const OpenOptions& options) {
  const parallel::OperationGuard guard;
  if (!source) throw Error(ErrorKind::invalid_value, "Array::open: there is no source");
  std::unique_ptr<io::ByteSource> bytes = io::from_source(std::move(source));
  if (options.mode == Mode::read_write) {
    throw Error(ErrorKind::read_only,
                "'" + bytes->name() +
                    "' is read from a source that cannot be written: open it with mode 'r', or "
                    "with 'c' to edit a copy in memory, and save that",
                bytes->name());
  }
  auto impl = std::make_shared<Impl>(options);
  impl->path = bytes->name();
  const std::filesystem::path name = impl->path;
  read_from(*impl, std::move(bytes), name);
  return Array(std::move(impl));
}

Array Array::load(const std::filesystem::path& path, const OpenOptions& options) {
  const parallel::OperationGuard guard;
  session::commit_own_writer(path);
  auto impl = std::make_shared<Impl>(options);
  impl->mode = Mode::copy_on_write;
  // Read, not mapped: one copy, and what another writer does to the file stays outside.
  const std::unique_ptr<io::ByteSource> source = io::open_buffered(path);
  io::Bytes bytes;
  for (bool same_state = false; !same_state; source->refresh()) {
    const frame::State state = frame::read_state(*source, seal_check(*impl));
    bytes = read_whole(*source, state.header.frame_len, options.threads);
    // Otherwise another process committed between the two reads.
    same_state = std::memcmp(bytes.data.data(), state.header_bytes.data(),
                             state.header_bytes.size()) == 0;
  }
  read_from(*impl, io::from_memory(std::move(bytes), path.string()), path);
  return Array(std::move(impl));
}

Array Array::create(const std::filesystem::path& path, const Shape& shape, const DType& dtype,
                    const Metadata& metadata, const SaveOptions& options) {
  const parallel::OperationGuard guard;
  session::NewFile file = base::naming(
      path.string(), [&] { return session::NewFile(shape, dtype, metadata, options); });
  const auto impl = new_impl(path, {.mode = Mode::read_write,
                                    .access = options.access,
                                    .threads = options.threads,
                                    .level = options.level});
  Array created(impl);  // what can fail comes before the file is in place
  Registry& registry = Registry::instance();
  std::shared_ptr<Impl> older;  // goes after the name lock
  const Registry::NameLock name(path);
  older = registry.writer_of(path);
  std::unique_lock<std::mutex> its_edits;
  if (older) its_edits = std::unique_lock(older->edit_mutex);
  const bool own = older && older->writes_file();
  io::AtomicFile out(path, options.level, own);
  file.begin(out);
  file.finish(out);
  const bool replaced = own && !session::keeps_name(*older, path);
  Registry::Notice notice;
  if (replaced) notice = Registry::notice_of(*older);
  std::optional<Error> unsure;
  {
    const std::lock_guard edits(impl->edit_mutex);
    unsure = session::publish_and_adopt(out, own, *impl);
  }
  if (replaced) {
    older->detach();
    registry.note_detached(std::move(notice));
  }
  if (unsure) throw *unsure;
  return created;
}

Array Array::in_memory(const Shape& shape, const DType& dtype,
                       const std::optional<ConstArrayView>& voxels, const Metadata& metadata,
                       const SaveOptions& options) {
  const parallel::OperationGuard guard;
  session::NewFile file(shape, dtype, metadata, options);
  auto impl = std::make_shared<Impl>(
      OpenOptions{.mode = Mode::copy_on_write, .threads = options.threads});
  impl->write_codec = file.array().codec;
  store::StoredLayers layers;
  if (options.store_metadata) layers.set(store::kMetadataLayer, file.metadata_layer());
  auto shown = std::make_shared<Snapshot>();
  shown->array = std::make_shared<const store::ArrayHeader>(file.array());
  shown->layers = std::make_shared<const store::StoredLayers>(std::move(layers));
  shown->chunks = std::make_shared<const store::ChunkStore>(file.geometry().chunk_count());
  impl->shown.set(std::move(shown));
  Array out(std::move(impl));
  if (voxels) out.write({Shape(shape.size(), 0), shape}, *voxels);
  return out;
}

}  // namespace mlarray
