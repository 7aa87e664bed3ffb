// What is left of a damaged file, in a new one.
#include "mlarray/salvage.hpp"

#include <algorithm>
#include <mutex>
#include <string>

#include "base/naming.hpp"
#include "frame/foreign.hpp"
#include "grid/gather.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "salvage/choice.hpp"
#include "salvage/fill_value.hpp"
#include "salvage/metadata.hpp"
#include "salvage/scan.hpp"
#include "salvage/states.hpp"
#include "session/new_file.hpp"
#include "store/array_header.hpp"

namespace mlarray {
namespace salvaging {
namespace {

constexpr Reason kUnverified = "decoded, with nothing to verify it by";

class Salvager {
 public:
  Salvager(const std::filesystem::path& bad, const std::filesystem::path& good,
           const SalvageOptions& options)
      : good_(good), options_(options), file_(io::open_buffered(bad), [this] {
          if (options_.progress) options_.progress(0, 1);
        }) {}

  SalvageReport run() {
    survey_ = survey(file_, options_.like);
    if (survey_.headers.empty()) no_header();
    StateChooser chooser(file_, survey_, options_);
    const Attempt attempt = chooser.choose();
    const HeaderGuess& header = survey_.headers[attempt.header];
    const std::vector<std::byte> fill = element_of(options_.fill, header.dtype);
    const FoundMetadata metadata =
        find_metadata(file_, survey_, attempt.state, attempt.header, attempt.chunks->content());
    SalvageReport report = report_of(attempt, header);
    report.metadata = metadata.status;
    report.whole_state = chooser.whole_state(attempt);
    report.notes.insert(report.notes.end(), chooser.notes().begin(), chooser.notes().end());
    if (!good_.empty()) write(attempt, header, metadata, fill);
    if (file_.work().exhausted()) {
      report.notes.push_back(
          "it would take more work than any file of its size that was damaged by chance: not "
          "all of it was looked at");
    }
    if (file_.unreadable()) {
      report.notes.push_back("parts of the file could not be read and were taken for zeros");
    }
    return report;
  }

 private:
  // --- report -------------------------------------------------------------------------------

  SalvageReport report_of(const Attempt& attempt, const HeaderGuess& header) const {
    SalvageReport report;
    for (const FoundState& state : survey_.states) {
      report.states.push_back(
          {state.begin(), state.end(), state.sealed, state.named, state.foreign});
    }
    report.state = attempt.state;
    report.newer_lost =
        survey_.newest_is_gone || (attempt.state && *attempt.state > 0 && !options_.state &&
                                   !survey_.states[*attempt.state].named);
    report.may_be_older = attempt.state && !report.newer_lost && may_be_older(*attempt.state);
    report.shape = header.geometry.shape();
    report.dtype = header.dtype;
    report.voxels = element_count(report.shape);
    report.verified_voxels = attempt.verified;
    report.unverified_voxels = attempt.unverified;
    report.lost_voxels = attempt.lost;
    list_places(attempt, report);
    report.notes = survey_.notes;
    add_notes(attempt, header, report);
    return report;
  }

  // Any byte behind a state that is whole, where the header of the file does not name it.
  bool may_be_older(std::size_t taken) const {
    const FoundState& state = survey_.states[taken];
    return !options_.state && state.sealed && !state.named && file_.size() > state.end();
  }

  static void list_places(const Attempt& attempt, SalvageReport& report) {
    const grid::Geometry& geometry = attempt.chunks->geometry();
    std::int64_t listed = 0;
    const auto list = [&](std::vector<Damage>& places, std::int64_t number, std::int32_t block,
                          Reason reason) {
      if (places.size() >= kMostListed) return;
      const std::string what = "chunk " + std::to_string(number) +
                               (block < 0 ? "" : ", block " + std::to_string(block)) + ": " +
                               reason;
      const Box box =
          block < 0 ? geometry.chunk_box(number) : geometry.block_box(number, block);
      places.push_back({number, block, box, what});
      listed += element_count(box.shape());
    };
    for (const auto& [number, chunk] : attempt.losses) {
      if (chunk.chunk_is_lost != nullptr) list(report.lost, number, -1, chunk.chunk_is_lost);
      for (const auto& [block, reason] : chunk.lost_blocks)
        list(report.lost, number, block, reason);
    }
    report.lost_is_complete = listed == attempt.lost;
    listed = 0;
    for (const auto& [number, chunk] : attempt.doubts) {
      if (chunk.unverified_blocks.empty()) {
        list(report.unverified, number, -1, kUnverified);
      }
      for (const std::int32_t block : chunk.unverified_blocks)
        list(report.unverified, number, block, kUnverified);
    }
    report.unverified_is_complete = listed == attempt.unverified;
  }

  void add_notes(const Attempt& attempt, const HeaderGuess& header,
                 SalvageReport& report) const {
    std::vector<std::string>& notes = report.notes;
    const bool sealed = attempt.state && survey_.states[*attempt.state].sealed;
    if (header.origin == HeaderOrigin::mended)
      notes.push_back("a byte of the header was mended");
    if (header.origin == HeaderOrigin::like) notes.push_back("the header is the other file's");
    if (header.origin == HeaderOrigin::rebuilt) {
      notes.push_back("the header was rebuilt from shape, layout and type");
    }
    if (!sealed) {
      notes.push_back(
          "no seal covers the header: shape and type are as they were read, and may be wrong");
    }
    if (!attempt.state) return;
    const FoundState& state = survey_.states[*attempt.state];
    if (!state.mended.empty()) notes.push_back("a byte of index or trailer was mended");
    if (survey_.newest_is_gone) {
      notes.push_back("the header names a newer commit, which is not there");
    } else if (*attempt.state > 0 && !state.named && !options_.state) {
      notes.push_back("the newest commit that was found, at byte " +
                      std::to_string(survey_.states[0].begin()) + ", is not whole");
    }
    if (report.may_be_older) {
      notes.push_back(std::to_string(file_.size() - state.end()) +
                      " bytes follow this commit, and no header says that they were never "
                      "committed: there may have been a newer one");
    }
    const bool any_named = std::any_of(survey_.states.begin(), survey_.states.end(),
                                       [](const FoundState& s) { return s.named; });
    if (state.sealed && !state.named && *attempt.state == 0 && any_named) {
      notes.push_back("this commit was written whole, but the header names an older one");
    }
  }

  [[noreturn]] void no_header() const {
    const io::Bytes start = file_.get(0, frame::kForeignBytes);
    const frame::Foreign foreign = frame::recognise(start.data);
    if (!foreign.what.empty()) {
      throw Error(ErrorKind::unsupported, "not an array file, it looks like " +
                                              std::string(foreign.what) + "; " +
                                              std::string(foreign.way_out));
    }
    if (survey_.header_is_doubtful) {
      throw Error(ErrorKind::corruption,
                  "the header is damaged, and nothing else in the file confirms what one "
                  "flipped bit would make of it; like (--like) takes that of a whole file of "
                  "the same shape, type and layout");
    }
    throw Error(ErrorKind::corruption,
                "the header is lost, so that nothing tells shape and type; like (--like) takes "
                "those of a whole file of the same shape, type and layout");
  }

  // --- the new file -------------------------------------------------------------------------

  void write(const Attempt& attempt, const HeaderGuess& header, const FoundMetadata& metadata,
             const std::vector<std::byte>& fill) {
    const grid::Geometry& geometry = header.geometry;
    SaveOptions save;
    save.layout.chunk = geometry.chunk();
    save.layout.block = geometry.block();
    save.codec = header.codec;
    save.store_metadata = !metadata.layer.empty() || good_.extension() == ".mla";
    session::NewFile file(geometry.shape(), header.dtype, {}, save);
    if (!metadata.layer.empty()) file.keep_metadata_layer(metadata.layer);
    file.carry(metadata.others);

    const bool zeros =
        std::all_of(fill.begin(), fill.end(), [](std::byte b) { return b == std::byte{0}; });
    std::vector<std::int64_t> numbers;
    for (std::int64_t n = 0; n < geometry.chunk_count(); ++n) {
      const bool lost = attempt.outcome[static_cast<std::size_t>(n)] == Outcome::lost;
      if (!(lost ? zeros : attempt.chunks->is_zeros(n))) numbers.push_back(n);
    }
    io::AtomicFile out(good_, options_.level);
    const int workers = salvage_threads(geometry, numbers.size(), options_.threads);
    std::mutex mutex;
    std::int64_t done = 0;
    const pipeline::FillChunk read = [&](std::int64_t number, std::span<std::byte> chunk) {
      fill_chunk(attempt, number, fill, chunk);
      if (!options_.progress) return;
      const std::lock_guard lock(mutex);
      options_.progress(++done, static_cast<std::int64_t>(numbers.size()));
    };
    file.begin(out);
    file.add_chunks(out, numbers, workers, read);
    for (const std::int64_t number : numbers) {
      if (attempt.unsure[static_cast<std::size_t>(number)]) file.leave_unverified(number);
    }
    file.finish(out);
    done = 0;
    file.read_back(out, workers, read, std::nullopt);
    if (const auto unsure = out.publish_new_and_close()) throw *unsure;
  }

  static void fill_chunk(const Attempt& attempt, std::int64_t number,
                         const std::vector<std::byte>& fill, std::span<std::byte> chunk) {
    const grid::Geometry& geometry = attempt.chunks->geometry();
    std::fill(chunk.begin(), chunk.end(), std::byte{0});
    ChunkScratch scratch;
    const ChunkOutcome found = attempt.chunks->read(number, chunk, scratch);
    if (outcome_of(found, geometry) != attempt.outcome[static_cast<std::size_t>(number)]) {
      throw Error(ErrorKind::corruption, "it changed while it was read; try again");
    }
    const std::vector<std::int64_t> strides(geometry.ndim(), 0);
    const auto put = [&](const Box& box) {
      if (box.empty() && geometry.ndim() > 0) return;
      grid::gather(geometry, number, box, {fill.data(), box.shape(), strides}, box.start,
                   chunk);
    };
    if (found.chunk_is_lost != nullptr) put(geometry.chunk_box(number));
    for (const auto& [block, reason] : found.lost_blocks)
      put(geometry.block_box(number, block));
  }

  std::filesystem::path good_;
  const SalvageOptions& options_;
  DamagedFile file_;
  Survey survey_;
};

void check_paths(const std::filesystem::path& bad, const std::filesystem::path& good) {
  if (good.empty()) return;
  const auto target = io::file_id(good);
  if (!target) return;
  const std::string name = good.string();
  throw Error(
      ErrorKind::invalid_use,
      target == io::file_id(bad)
          ? "'" + name + "' is the damaged file, which is never changed; name another path"
          : "'" + name + "' exists, and is never overwritten; name another path",
      name);
}

}  // namespace
}  // namespace salvaging

SalvageReport salvage(const std::filesystem::path& bad, const std::filesystem::path& good,
                      const SalvageOptions& options) {
  const parallel::OperationGuard guard;
  salvaging::check_paths(bad, good);
  return base::naming(bad.string(),
                      [&] { return salvaging::Salvager(bad, good, options).run(); });
}

}  // namespace mlarray
