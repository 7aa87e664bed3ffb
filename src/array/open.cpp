// Opening and creating.
#include <algorithm>
#include <cstring>

#include "array/impl.hpp"
#include "array/save.hpp"
#include "base/naming.hpp"
#include "codec/encoder.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"

namespace mlarray {
namespace {

std::unique_ptr<io::ByteSource> open_source(const std::filesystem::path& path, Access access) {
  return access == Access::mapped ? io::open_mapped(path) : io::open_buffered(path);
}

std::shared_ptr<Array::Impl> new_impl(const std::filesystem::path& path,
                                      const OpenOptions& options) {
  auto impl = std::make_shared<Array::Impl>();
  impl->path = path.string();
  std::error_code ignored;
  impl->file_path = std::filesystem::weakly_canonical(path, ignored).string();
  if (ignored) impl->file_path = impl->path;
  impl->absolute_path = std::filesystem::absolute(path, ignored).string();
  if (ignored) impl->absolute_path = impl->path;
  impl->mode = options.mode;
  impl->threads = options.threads;
  impl->verify = options.verify;
  impl->access = options.access;
  return impl;
}

frame::SealCheck seal_check(const Array::Impl& impl) {
  return impl.verifies() ? frame::SealCheck::on : frame::SealCheck::off;
}

// A state for reading: nothing of it can reach the file.
void read_from(Array::Impl& impl, std::shared_ptr<io::ByteSource> source) {
  frame::State state = frame::read_state(*source, seal_check(impl));
  auto content = std::make_shared<Content>(array::content_of(state, std::move(source)));
  impl.committed_bytes = state.header.frame_len;
  impl.write_codec = codec::params_for_edits(content->codec, content->dtype);
  impl.layers = StoredLayers(std::move(state.vlmeta));
  impl.set_content(std::move(content));
}

// A name that promises metadata on a file that has none: a renamed .b2nd.
// Errors: unsupported.
void check_name(const std::filesystem::path& path, const StoredLayers& layers) {
  if (path.extension() != ".mla" || layers.find(kMetadataLayer) != nullptr) return;
  throw Error(
      ErrorKind::unsupported,
      "'" + path.string() + "' is a plain Blosc2 array without the metadata ('" +
          std::string(kMetadataLayer) +
          "') that an .mla file has; rename it to .b2nd to open it, and save it as .mla "
          "from there");
}

void commit_own_writer(const std::filesystem::path& path) {
  if (const auto writer = array::WriterRegistry::instance().find(path)) writer->flush(false);
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

Array::Array(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Array Array::open(const std::filesystem::path& path, const OpenOptions& options) {
  const parallel::OperationGuard guard;
  auto impl = new_impl(path, options);
  if (options.mode != Mode::read_write) {
    commit_own_writer(path);
    read_from(*impl, open_source(path, options.access));
    check_name(path, impl->layers);
    return Array(std::move(impl));
  }
  array::WriterRegistry& registry = array::WriterRegistry::instance();
  registry.supersede(path);
  io::WritableFile file = io::WritableFile::open(path);
  std::shared_ptr<io::ByteSource> source = open_source(path, options.access);
  // Always with the seal: a commit would put a right one on what is damaged.
  frame::State state = frame::read_state(*source);
  check_name(path, StoredLayers(state.vlmeta));
  // What a writer that was killed left behind its last commit.
  if (file.size() > state.header.frame_len) file.truncate(state.header.frame_len);
  impl->adopt(std::move(file), std::move(source), std::move(state));
  registry.add(impl);
  return Array(std::move(impl));
}

Array Array::load(const std::filesystem::path& path, const OpenOptions& options) {
  const parallel::OperationGuard guard;
  commit_own_writer(path);
  auto impl = std::make_shared<Impl>();
  impl->mode = Mode::copy_on_write;
  impl->threads = options.threads;
  impl->verify = options.verify;
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
  read_from(*impl, io::from_memory(std::move(bytes), path.string()));
  check_name(path, impl->layers);
  return Array(std::move(impl));
}

Array Array::create(const std::filesystem::path& path, const Shape& shape, const DType& dtype,
                    const Metadata& metadata, const SaveOptions& options) {
  const parallel::OperationGuard guard;
  array::NewFile file = base::naming(
      path.string(), [&] { return array::NewFile(shape, dtype, metadata, options); });
  array::WriterRegistry& registry = array::WriterRegistry::instance();
  registry.supersede(path);
  io::AtomicFile out(path);
  file.begin(out);
  file.finish(out);
  auto impl = new_impl(path, {.mode = Mode::read_write, .threads = options.threads});
  io::WritableFile written = out.publish(options.durable);
  std::shared_ptr<io::ByteSource> source = io::open_mapped(path);
  frame::State state = frame::read_state(*source);
  impl->adopt(std::move(written), std::move(source), std::move(state));
  registry.add(impl);
  return Array(std::move(impl));
}

Array Array::in_memory(const Shape& shape, const DType& dtype,
                       const std::optional<ConstArrayView>& voxels, const Metadata& metadata,
                       const SaveOptions& options) {
  const parallel::OperationGuard guard;
  array::NewFile file(shape, dtype, metadata, options);
  auto impl = std::make_shared<Impl>();
  impl->mode = Mode::copy_on_write;
  impl->threads = options.threads;
  impl->write_codec = file.codec();
  if (options.store_metadata) impl->layers.set(kMetadataLayer, file.metadata_layer());
  auto content = std::make_shared<Content>();
  content->geometry = file.geometry();
  content->dtype = dtype;
  content->codec = file.codec();
  content->store = std::make_shared<array::ChunkStore>(file.geometry().chunk_count());
  impl->set_content(std::move(content));
  Array out(std::move(impl));
  if (voxels) out.write({Shape(shape.size(), 0), shape}, *voxels);
  return out;
}

}  // namespace mlarray
