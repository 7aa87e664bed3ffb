#include "session/publish.hpp"

#include <mutex>
#include <utility>
#include <vector>

#include "base/mutants.hpp"
#include "codec/checksum.hpp"
#include "frame/frame.hpp"
#include "mlarray/error.hpp"
#include "pipeline/decode_job.hpp"
#include "session/registry.hpp"
#include "session/tail.hpp"

namespace mlarray::session {
namespace {

// The records that still hold, with their pages copied behind `out`. One with a damaged page is
// left out.
std::vector<store::Record> carried_records(const Snapshot& state, io::AtomicFile& out) {
  std::vector<store::Record> carried;
  for (store::Record& record : records_that_hold(state)) {
    try {
      store::PageList pages = record.pages;
      for (std::size_t i = 0; i < pages.pages.size(); ++i) {
        if (pages.pages[i].absent()) continue;
        const io::Bytes bytes =
            store::read_page(record.pages, i, state.chunks->source(), "a record");
        pages.pages[i].offset = out.position();
        out.append(bytes.data);
      }
      record.pages = std::move(pages);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corruption) throw;
      continue;
    }
    carried.push_back(std::move(record));
  }
  return carried;
}

}  // namespace

std::optional<Error> publish_and_adopt(io::AtomicFile& out, bool own_writer_open,
                                       Array::Impl& writer, std::uint64_t voxel_edits) {
  const std::shared_ptr<io::ByteSource> source =
      io::open_file(out.temporary(), writer.access, writer.path);
  frame::State state = frame::read_state(*source);
  frame::Committed committed(state);
  Snapshot shown = snapshot_of(std::move(state), source);
  shown.voxel_edits = voxel_edits;
  Array::Impl::Adoption adoption =
      writer.prepare_to_adopt(std::move(committed), std::move(shown));
  Registry::Entry entry;
  // Not from its destructor, where it is closed next.
  if (const auto self = writer.weak_from_this().lock()) {
    entry = Registry::entry_of(out.id(), self);
  }
  io::Published published = out.publish(own_writer_open);
  // From here on nothing fails: it would be written to a file that has lost its name.
  if (base::mutant("old_file_written_on")) return {};
  writer.adopt(std::move(published.file), std::move(adoption));
  Registry::instance().add(std::move(entry));
  return published.unsure;
}

bool keeps_name(const Array::Impl& writer, const std::filesystem::path& path) {
  return writer.file_path != resolved(path) &&
         io::file_id(writer.file_path) == writer.written_file();
}

void publish_and_close(io::AtomicFile& out, const std::filesystem::path& path) {
  Registry& registry = Registry::instance();
  std::shared_ptr<Array::Impl> older;  // goes after the name lock
  const Registry::NameLock name(path);
  older = registry.writer_of(path);
  std::unique_lock<std::mutex> its_edits;
  if (older) its_edits = std::unique_lock(older->edit_mutex);
  const bool own = older && older->writes_file();
  const bool replaced = own && !keeps_name(*older, path);
  Registry::Notice notice;
  if (replaced) notice = Registry::notice_of(*older);
  const std::optional<Error> unsure = out.publish_and_close(own);
  if (replaced) {
    older->detach();
    registry.note_detached(std::move(notice));
  }
  if (unsure) throw *unsure;
}

std::optional<Error> compact_file(Array::Impl& writer, const Snapshot& state,
                                  const WriteSession& old, CommitLevel level) {
  const grid::Geometry& geometry = state.geometry();
  io::AtomicFile out(writer.file_path, level, true);
  std::vector<std::byte> header_bytes = old.header_bytes();
  frame::Header header = old.header();
  out.append(header_bytes);
  std::vector<frame::IndexEntry> index = state.chunks->index().entries();
  store::TableMaker tables(geometry.chunk_count(), geometry.block_count());
  for (std::int64_t number = 0; number < geometry.chunk_count(); ++number) {
    frame::IndexEntry& entry = index[static_cast<std::size_t>(number)];
    if (entry.is_special()) continue;
    entry = frame::IndexEntry::at(out.position() - header.header_len);
    const store::ChunkRef chunk = state.chunks->get(number);
    state.chunks->prefetch(chunk);
    const bool has_sums = chunk.sums.of_block(0) != codec::kNoChecksum;
    if (has_sums) {
      // A file with damage stays as it is: of a chunk with a wrong length a part would be
      // copied, and salvage could not mend it any more.
      pipeline::DecodeJob(chunk, geometry, number, pipeline::Verify::always).verify_all();
    }
    out.append(chunk.bytes.data);
    tables.set(number, has_sums ? chunk.sums.stored() : std::span<const std::byte>(),
               chunk.bytes.data);
  }
  std::vector<store::Record> records = carried_records(state, out);
  const Tail tail =
      build_tail(header, header_bytes, out.position(), frame::build_index(index),
                 tables.finish(out.position()), state.layers->all(), std::move(records));
  if (!tail.pages.empty()) out.append(tail.pages);
  out.append(tail.bytes);
  out.write_at(0, header_bytes);
  state.chunks->check();
  return publish_and_adopt(out, true, writer, state.voxel_edits);
}

}  // namespace mlarray::session
