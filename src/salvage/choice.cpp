#include "salvage/choice.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "salvage/metadata.hpp"

namespace mlarray::salvaging {
namespace {

constexpr std::size_t kMostTried = 8;   // states that may have nothing left
constexpr std::size_t kMostOlder = 64;  // states that are looked at for a whole one

[[noreturn]] void nothing_left() {
  throw Error(ErrorKind::corruption, "no voxel of it is left that could be saved");
}

std::string share(std::int64_t voxels, const Attempt& of) {
  const double all = static_cast<double>(of.verified + of.unverified + of.lost);
  const double percent = std::floor(1000 * static_cast<double>(voxels) / all) / 10;
  std::string text = std::to_string(percent);
  return text.substr(0, text.find('.') + 2) + " %";
}

// An array as it was created, before anything was written to it.
bool is_blank(const SalvagedChunks& chunks) {
  for (std::int64_t n = 0; n < chunks.geometry().chunk_count(); ++n) {
    if (!chunks.is_zeros(n)) return false;
  }
  return true;
}

}  // namespace

Outcome outcome_of(const ChunkOutcome& chunk, const grid::Geometry& geometry) {
  if (chunk.lost_voxels == 0) return Outcome::whole;
  if (chunk.chunk_is_lost != nullptr) return Outcome::lost;
  return 2 * std::int64_t{chunk.verified_blocks} > geometry.block_count()
             ? Outcome::partly
             : Outcome::mostly_lost;
}

int salvage_threads(const grid::Geometry& geometry, std::size_t count, int wanted) {
  constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;
  const auto most = static_cast<int>(std::clamp<std::int64_t>(
      kMostBytes / std::max<std::int64_t>(geometry.chunk_bytes(), 1), 1, 1024));
  return std::min(parallel::worker_count(count, wanted), most);
}

Attempt StateChooser::choose() {
  if (options_.state) {
    if (*options_.state >= survey_.states.size()) {
      throw Error(ErrorKind::invalid_value, "there is no state " +
                                                std::to_string(*options_.state) + ": " +
                                                std::to_string(survey_.states.size()) +
                                                " were found, numbered from 0, the newest");
    }
    Attempt attempt = look_at(*options_.state);
    if (!attempt.is_something()) nothing_left();
    return attempt;
  }
  const std::vector<FoundState>& states = survey_.states;
  const auto first_sure =
      std::find_if(states.begin(), states.end(),
                   [](const FoundState& state) { return state.sealed || state.foreign; });
  const auto sure = static_cast<std::size_t>(first_sure - states.begin());
  std::optional<Attempt> sealed;
  if (sure < states.size()) {
    sealed = look_at(sure);
    // What follows the state that the header names was not committed.
    if (states[sure].named && sealed->is_something()) return std::move(*sealed);
  }
  for (std::size_t i = 0; i < std::min(sure, kMostTried); ++i) {
    Attempt newer = look_at(i);
    const bool all_of_it = newer.lost == 0 && newer.verified > 0;
    if (all_of_it || (newer.has_something() && (!sealed || is_blank(*sealed->chunks))))
      return newer;
    if (newer.has_something()) {
      notes_.push_back(share(newer.verified + newer.unverified, newer) + " of state " +
                       std::to_string(i) + ", which is newer, is left");
    }
  }
  if (sealed && sealed->is_something()) return std::move(*sealed);
  for (std::size_t i = sure + 1; i < std::min(states.size(), sure + kMostTried); ++i) {
    Attempt older = look_at(i);
    if (older.is_something()) return older;
  }
  if (options_.only_verified) {
    throw Error(
        ErrorKind::corruption,
        "nothing verifies any voxel of it; without only_verified (--only-verified) what "
        "can be decoded is saved");
  }
  return in_order();
}

Attempt StateChooser::look_at(std::size_t i) {
  const FoundState& state = survey_.states[i];
  Attempt attempt;
  attempt.state = i;
  attempt.header = header_of(file_, survey_, i);
  const HeaderGuess& header = survey_.headers[attempt.header];
  const Trust trust = state.sealed    ? Trust::sealed
                      : state.foreign ? Trust::foreign
                                      : Trust::damaged;
  attempt.chunks =
      std::make_unique<SalvagedChunks>(file_, header, contents_of(file_, header, state), trust,
                                       state.begin(), options_.only_verified);
  assess(attempt);
  // Chunks that were moved, or whose places are lost. In a wrong place, blocks of one value
  // may be right by chance.
  if (trust == Trust::foreign || attempt.chunks->content().sums.empty()) return attempt;
  std::vector<bool> missing(attempt.outcome.size());
  bool any = false;
  for (std::size_t n = 0; n < missing.size(); ++n) {
    missing[n] = attempt.outcome[n] >= Outcome::mostly_lost &&
                 attempt.chunks->has_sums(static_cast<std::int64_t>(n));
    any = any || missing[n];
  }
  if (!any) return attempt;
  WorkBudget budget(search_work(file_), &file_.work());
  attempt.chunks->find_by_sums(missing, all_chunks(attempt.header), budget);
  if (budget.exhausted()) {
    notes_.push_back("too many chunks have no place for all of them to be looked for");
  }
  assess(attempt);
  return attempt;
}

Attempt StateChooser::in_order() {
  Attempt attempt;
  const std::vector<Extent>& chunks = all_chunks(0);
  const std::int64_t total = survey_.headers[0].geometry.chunk_count();
  if (chunks.empty() && total > 0) nothing_left();
  // A single chunk has only one place.
  const bool sure = total == 0 || (total == 1 && chunks.size() == 1);
  if (!sure && !options_.assume_order) {
    throw Error(ErrorKind::corruption,
                std::to_string(chunks.size()) + " of " + std::to_string(total) +
                    " chunks were found, but neither index nor checksums, and nothing else "
                    "says where in the array they are; assume_order (--assume-order) takes "
                    "them in the order of the file, which is right for a file that was "
                    "written once and has no chunks of zeros");
  }
  std::uint64_t end = file_.size();
  for (const FoundState& state : survey_.states) end = std::min(end, state.begin());
  attempt.chunks = std::make_unique<SalvagedChunks>(
      file_, survey_.headers[0], StateContent{}, Trust::damaged, end, options_.only_verified);
  attempt.chunks->place_in_order(chunks);
  assess(attempt);
  if (!attempt.is_something()) nothing_left();
  if (!sure) {
    notes_.push_back("the places of the chunks are assumed: nothing in the file confirms them");
  }
  return attempt;
}

const std::vector<Extent>& StateChooser::all_chunks(std::size_t header) {
  const auto known = chunks_.find(header);
  if (known != chunks_.end()) return known->second;
  WorkBudget budget(search_work(file_), &file_.work());
  return chunks_[header] = find_chunks(file_, survey_.headers[header].geometry, budget);
}

void StateChooser::assess(Attempt& attempt) const {
  const SalvagedChunks& chunks = *attempt.chunks;
  const auto count = static_cast<std::size_t>(chunks.geometry().chunk_count());
  attempt.outcome.assign(count, Outcome::whole);
  attempt.verified = attempt.unverified = attempt.lost = 0;
  attempt.losses.clear();
  attempt.doubts.clear();
  attempt.unsure.assign(count, false);
  const auto keep = [](std::map<std::int64_t, ChunkOutcome>& map, std::int64_t number,
                       const ChunkOutcome& outcome) {
    map.emplace(number, outcome);
    if (map.size() > kMostListed) map.erase(--map.end());
  };
  const int workers = salvage_threads(chunks.geometry(), count, options_.threads);
  std::vector<ChunkScratch> scratch(static_cast<std::size_t>(workers));
  std::mutex mutex;
  std::int64_t done = 0;
  parallel::parallel_for(count, workers, [&](std::size_t i, int worker) {
    const auto number = static_cast<std::int64_t>(i);
    const ChunkOutcome found =
        chunks.read(number, {}, scratch[static_cast<std::size_t>(worker)]);
    const std::lock_guard lock(mutex);
    attempt.outcome[i] = outcome_of(found, chunks.geometry());
    attempt.verified += found.verified_voxels;
    attempt.unverified += found.unverified_voxels;
    attempt.lost += found.lost_voxels;
    if (found.lost_voxels > 0) keep(attempt.losses, number, found);
    if (found.unverified_voxels > 0) {
      keep(attempt.doubts, number, found);
      attempt.unsure[i] = true;
    }
    if (options_.progress) {
      options_.progress(++done, static_cast<std::int64_t>(count));
    }
  });
}

// Most chunks of an older state are where they are in the newer one.
bool StateChooser::is_whole(const SalvagedChunks& older, const Attempt& newer) const {
  ChunkScratch scratch;
  for (std::int64_t n = 0; n < older.geometry().chunk_count(); ++n) {
    file_.go_on();
    const bool whole = older.same_place(*newer.chunks, n)
                           ? newer.outcome[static_cast<std::size_t>(n)] == Outcome::whole
                           : older.read(n, {}, scratch).lost_voxels == 0;
    if (!whole) return false;
  }
  return true;
}

std::optional<std::size_t> StateChooser::whole_state(const Attempt& attempt) const {
  if (attempt.lost == 0 || !attempt.state) return std::nullopt;
  std::size_t tried = 0;
  for (std::size_t i = *attempt.state + 1; i < survey_.states.size(); ++i) {
    const FoundState& state = survey_.states[i];
    if (!state.sealed || state.header != attempt.header) continue;
    if (++tried > kMostOlder) break;
    const HeaderGuess& header = survey_.headers[state.header];
    const SalvagedChunks older(file_, header, contents_of(file_, header, state), Trust::sealed,
                               state.begin(), options_.only_verified);
    if (!is_blank(older) && is_whole(older, attempt)) return i;
  }
  return std::nullopt;
}

}  // namespace mlarray::salvaging
