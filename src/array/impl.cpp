#include "array/impl.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "array/encode_chunks.hpp"
#include "array/read_box.hpp"
#include "codec/encoder.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"

namespace mlarray {
namespace {

// A file is rewritten on close when its dead space passes both. Rewriting costs about one copy
// of the live bytes, so at one half it is paid for by the edits that made the space dead.
constexpr double kMaxDeadShare = 0.5;
constexpr std::int64_t kMinDeadBytes = std::int64_t{1} << 20;

}  // namespace

Array::Impl::~Impl() {
  const parallel::OperationGuard guard;
  try {
    close();
  } catch (...) {
    // A destructor has nobody to tell; close() is there for those who want to know.
  }
}

std::shared_ptr<const Content> Array::Impl::content() const {
  const std::lock_guard lock(content_mutex_);
  return content_;
}

std::shared_ptr<const Content> Array::Impl::open_content() const {
  auto found = content();
  if (!found->store) {  // not `closed`, which may come true in between
    throw Error(ErrorKind::closed,
                "'" + (path.empty() ? "the array" : path) + "' is closed: open it again");
  }
  return found;
}

std::pair<std::shared_ptr<const Content>, StoredLayers> Array::Impl::open_state() const {
  const std::lock_guard lock(write_mutex);
  return {open_content(), layers};
}

void Array::Impl::set_content(std::shared_ptr<const Content> content) {
  const std::lock_guard lock(content_mutex_);
  content_ = std::move(content);
}

void Array::Impl::check_writable() const {
  if (mode == Mode::read) {
    throw Error(ErrorKind::read_only,
                "'" + path +
                    "' is open for reading (mode 'r'): open it with 'r+' to edit the "
                    "file, or with 'c' to edit a copy in memory");
  }
  if (detached) {
    throw Error(ErrorKind::invalid_use,
                "'" + path +
                    "' was opened for writing again or replaced in this process; its "
                    "older handle is only for reading now: use the newer one");
  }
  if (mode == Mode::read_write && generation != parallel::process_generation()) {
    throw Error(ErrorKind::invalid_use,
                "'" + path +
                    "' was opened for writing by the parent of this process: open it "
                    "in the process that writes it");
  }
}

bool Array::Impl::verifies() const { return verify.value_or(verification()); }

void Array::Impl::write(const Box& box, const ConstArrayView& voxels, int call_threads) {
  const std::lock_guard lock(write_mutex);
  const auto content = open_content();
  check_writable();
  if (box.empty()) return;
  content->store->check();  // to append to a file that somebody has overwritten would damage it
  edited = true;
  const array::Geometry& geometry = content->geometry;
  const Box cells = array::Geometry::cells(box, geometry.chunk());
  const Shape grid = cells.shape();
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(element_count(grid)));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    Shape position = array::Geometry::unravel(static_cast<std::int64_t>(i), grid);
    for (std::size_t a = 0; a < position.size(); ++a) position[a] += cells.start[a];
    numbers[i] = array::Geometry::ravel(position, geometry.chunk_grid());
  }
  array::ChunkStore& store = *content->store;
  const auto fill = [&](std::int64_t number, std::span<std::byte> chunk) {
    const Box whole = geometry.chunk_box(number);
    const Box part = array::intersect(whole, box);
    if (part.start == whole.start && part.stop == whole.stop) {
      if (!array::fills_padding(geometry, part)) {
        std::fill(chunk.begin(), chunk.end(), std::byte{0});
      }
    } else {
      io::checked(store,
                  [&] { array::read_chunk(store, geometry, number, chunk, verifies()); });
    }
    array::gather(geometry, number, part, voxels, box.start, chunk);
  };
  const auto take = [&](array::EncodedChunk&& chunk) {
    if (writer) {
      store.replace(chunk.number, writer->append(chunk.bytes), chunk.checksums);
    } else if (chunk.bytes.empty()) {
      store.replace(chunk.number, frame::IndexEntry(), {});
    } else {
      store.replace(chunk.number,
                    std::make_shared<const std::vector<std::byte>>(std::move(chunk.bytes)));
    }
  };
  array::encode_chunks(numbers, geometry, write_codec,
                       call_threads > 0 ? call_threads : threads, fill, take);
  if (writer && writer->due(budget)) commit(false);
}

std::vector<frame::VlMetalayer> Array::Impl::all_layers(const Content& content) const {
  std::vector<frame::VlMetalayer> out = layers.all();
  const auto sums = std::make_shared<const std::vector<std::byte>>(
      content.store->checksum_layer(content.geometry.block_count()));
  if (!sums->empty()) out.push_back({std::string(array::kChecksumLayer), {*sums, sums}});
  return out;
}

void Array::Impl::commit(bool durable) {
  const auto content = this->content();
  // Nothing may be committed into a file that somebody has overwritten, nor zeros for what it
  // lost.
  content->store->watch();
  writer->commit(content->store->index(), all_layers(*content), durable,
                 [&] { content->store->check(); });
  layers_dirty = false;
  committed_bytes = writer->committed_bytes();
}

void Array::Impl::flush(bool durable) {
  const std::lock_guard lock(write_mutex);
  if (!writer || generation != parallel::process_generation()) return;
  if (writer->dirty() || layers_dirty || durable) commit(durable);
}

void Array::Impl::close() {
  const std::lock_guard lock(write_mutex);
  if (closed) return;
  flush(false);
  if (writer && writer->ever_committed() && generation == parallel::process_generation()) {
    try {
      compact();
    } catch (const Error&) {
      // The edits are committed; a file with dead space is whole.
    }
  }
  writer.reset();
  closed = true;
  if (const auto old = content()) {
    auto rest = std::make_shared<Content>(*old);
    rest->store.reset();
    set_content(std::move(rest));
  }
  layers = {};
}

void Array::Impl::detach() {
  const std::lock_guard lock(write_mutex);
  flush(false);
  writer.reset();
  detached = true;
}

void Array::Impl::after_fork() noexcept {
  // No other thread was inside an operation when the process forked, so nothing is locked.
  if (writer) writer->abandon();
}

void Array::Impl::adopt(io::WritableFile file, std::shared_ptr<io::ByteSource> source,
                        frame::State state) {
  auto content = std::make_shared<Content>(array::content_of(state, std::move(source)));
  const std::lock_guard lock(write_mutex);
  layers = StoredLayers(std::move(state.vlmeta));
  layers_dirty = false;
  committed_bytes = state.header.frame_len;
  write_codec = codec::params_for_edits(content->codec, content->dtype);
  writer = std::make_unique<array::Writer>(std::move(file), std::move(state.header),
                                           std::move(state.header_bytes));
  generation = parallel::process_generation();
  set_content(std::move(content));
}

void Array::Impl::compact() {
  const auto content = this->content();
  const array::Geometry& geometry = content->geometry;
  content->store->watch();
  const std::int64_t total = static_cast<std::int64_t>(writer->committed_bytes());
  const std::int64_t live = content->store->stored_bytes();
  const std::int64_t tail = total - writer->index_position();
  const std::int64_t dead =
      total - live - tail - static_cast<std::int64_t>(writer->header_len());
  if (dead < kMinDeadBytes ||
      static_cast<double>(dead) < kMaxDeadShare * static_cast<double>(total)) {
    return;
  }
  if (io::file_id(file_path) != writer->id()) return;  // replaced by somebody else meanwhile
  io::AtomicFile out(file_path, true);
  std::vector<std::byte> header_bytes = writer->header_bytes();
  frame::Header header = writer->header();
  out.append(header_bytes);
  std::vector<frame::IndexEntry> index = content->store->index();
  for (std::int64_t number = 0; number < geometry.chunk_count(); ++number) {
    frame::IndexEntry& entry = index[static_cast<std::size_t>(number)];
    if (entry.is_special()) continue;
    entry = frame::IndexEntry::at(out.position() - header.header_len);
    const array::ChunkRef chunk = content->store->get(number);
    content->store->prefetch(chunk);
    out.append(chunk.bytes.data);
  }
  out.append(
      frame::build_tail(header, header_bytes, out.position(), index, all_layers(*content)));
  out.write_at(0, header_bytes);
  content->store->check();
  out.publish_and_close(false);
  committed_bytes = header.frame_len;
}

}  // namespace mlarray
