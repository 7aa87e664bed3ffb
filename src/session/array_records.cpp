#include "session/array_records.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/naming.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "session/impl.hpp"
#include "session/inside.hpp"
#include "session/tail.hpp"

namespace mlarray {
namespace session {

std::optional<std::vector<std::byte>> read_record(const Snapshot& state,
                                                  std::string_view name) {
  for (const store::Record& record : records_that_hold(state)) {
    if (record.name != name || record.pages.bytes > kMostRecordBytes) continue;
    try {
      std::vector<std::byte> out(static_cast<std::size_t>(record.pages.bytes));
      std::size_t at = 0;
      for (std::size_t i = 0; i < record.pages.pages.size(); ++i) {
        const std::size_t length = record.pages.length_of(i);
        if (!record.pages.pages[i].absent()) {
          const io::Bytes page =
              store::read_page(record.pages, i, state.chunks->source(), "a record");
          std::copy(page.data.begin(), page.data.end(),
                    out.begin() + static_cast<std::ptrdiff_t>(at));
        }
        at += length;
      }
      return out;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corruption) throw;
    }
  }
  return std::nullopt;
}

std::optional<std::vector<std::byte>> read_record(const Array& array, std::string_view name) {
  const parallel::OperationGuard guard;
  const Array::Impl& impl = Array::Inside::impl(array);
  const auto state = impl.open_snapshot();
  return base::naming(impl.path, [&] {
    return io::checked(*state->chunks, [&] { return read_record(*state, name); });
  });
}

void write_record(const Array& array, const Snapshot& state, std::string_view name,
                  std::span<const std::byte> bytes, CommitLevel level) {
  const parallel::OperationGuard guard;
  Array::Impl& impl = Array::Inside::impl(array);
  base::naming(impl.path, [&] { impl.write_record(state, name, bytes, level); });
}

}  // namespace session

// Before the work of making one, too.
void Array::Impl::check_record(const Snapshot& state, std::string_view name) const {
  check_writable();
  if (!writer_) {
    throw Error(
        ErrorKind::invalid_use,
        "it is open in memory, where records cannot be kept: open the file in mode 'r+'");
  }
  if (!state.chunks->is_covered_by_seal()) {
    throw Error(ErrorKind::unsupported,
                "it has no checksums of all its chunks, which would tell whether the record '" +
                    std::string(name) +
                    "' is of these voxels: another writer made or edited it; 'mlarray repack' "
                    "or save() writes it anew");
  }
}

void Array::Impl::write_record(const Snapshot& state, std::string_view name,
                               std::span<const std::byte> bytes, CommitLevel at) {
  const std::lock_guard lock(edit_mutex);
  const auto now = open_snapshot();
  check_record(*now, name);
  if (bytes.empty() || bytes.size() > session::kMostRecordBytes) {
    throw Error(ErrorKind::unsupported, "a record '" + std::string(name) + "' of " +
                                            std::to_string(bytes.size()) +
                                            " bytes: 1 byte to 64 MiB are possible");
  }
  if (now->voxel_edits != state.voxel_edits) {
    throw Error(ErrorKind::invalid_use, "voxels were edited while the record '" +
                                            std::string(name) +
                                            "' was made of them: make it again");
  }
  now->chunks->watch();
  now->chunks->check();
  const std::uint64_t end = writer_->end();
  try {
    auto next = std::make_shared<Snapshot>(*now);
    std::vector<store::Record> records = session::records_that_hold(*now);
    std::erase_if(records, [&](const store::Record& one) { return one.name == name; });
    records.push_back({std::string(name), store::append_pages(bytes, [&](auto page) {
                         const std::uint64_t offset = writer_->end();
                         writer_->append(page);
                         return offset;
                       })});
    next->records = std::make_shared<const std::vector<store::Record>>(std::move(records));
    commit(*next, at);
  } catch (...) {
    if (!writer_->failure()) writer_->roll_back(end);
    throw;
  }
  edited_ = true;
}

}  // namespace mlarray
