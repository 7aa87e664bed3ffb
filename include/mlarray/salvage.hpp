// What can be saved of a damaged file, written to a new one. Memory: some indexes, trailers and
// checksums of the array's size, 256 MiB of metadata, one chunk per thread.
//
//   const mlarray::SalvageReport report = mlarray::salvage("bad.mla", "good.mla");
//   for (const mlarray::Damage& place : report.lost) std::cout << place.what << std::endl;
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mlarray/export.hpp"
#include "mlarray/options.hpp"
#include "mlarray/types.hpp"
#include "mlarray/value.hpp"
#include "mlarray/verify.hpp"

namespace mlarray {

struct SalvageOptions {
  // What lost voxels become: a bool, an integer or a float that the element type holds, NaN for
  // floats only. Types that are no numbers take 0 alone.
  Value fill = 0;
  // Fill as well what could be decoded, but has nothing to verify it by.
  bool only_verified = false;
  // Without index and checksums nothing says where in the array a chunk belongs. This places
  // chunks in the order of the file, as they are in one that was written once and never edited.
  bool assume_order = false;
  // Which of SalvageReport::states is taken, 0 being the newest. Empty: the newest that is
  // sealed, or a newer one if all of its voxels are there; if none is sealed, the newest of
  // which anything is left.
  std::optional<std::size_t> state = {};
  // A whole file of the same shape, type and layout, for its header, where that of the damaged
  // file is lost.
  std::filesystem::path like = {};
  int threads = 0;                           // 0: the process-wide number
  CommitLevel level = CommitLevel::durable;  // as SaveOptions::level
  // Called on any thread, one call at a time: with 0 of 1 while the file is searched, then with
  // chunks done and chunks in all, anew for each commit that is looked at, for writing and for
  // reading back. What it throws ends the call, and nothing is written.
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};
};

// A commit that was found in the file, whole or not.
struct SalvageState {
  std::uint64_t offset = 0;  // where its index and its trailer begin
  std::uint64_t end = 0;     // where they end; 0 if that is lost
  bool sealed = false;       // header, index and trailer are as they were committed
  bool named = false;        // the header of the file names it: what readers would open
  bool foreign = false;      // written by another Blosc2 writer, without a seal
};

enum class SalvagedMetadata {
  verified,    // under a right seal
  unverified,  // read, but no seal covers it
  older,       // of another commit than the voxels
  lost,
  absent,  // the file has none
};

struct SalvageReport {
  std::vector<SalvageState> states;  // newest first
  // Which one was taken. Empty: none, and chunks are in the order of the file.
  std::optional<std::size_t> state = {};
  // There was a newer commit, which is damaged or gone. What lies behind the one that the
  // header names was not committed.
  bool newer_lost = false;
  // Bytes follow the commit taken, and no header says that they were never committed: there may
  // have been a newer one. False if SalvageOptions::state chose it.
  bool may_be_older = false;
  // An older state of which nothing is lost, where something of the one taken is.
  std::optional<std::size_t> whole_state = {};

  Shape shape;
  DType dtype;
  // Of voxels. Each is one of the three that follow.
  std::int64_t voxels = 0;
  std::int64_t verified_voxels = 0;    // by checksum, or by a seal over the index
  std::int64_t unverified_voxels = 0;  // decoded, with nothing to verify them by
  std::int64_t lost_voxels = 0;        // filled
  std::vector<Damage> lost;            // in the order of the array; the first 10000
  bool lost_is_complete = true;
  // Where unverified voxels are, with the same limit. Their chunks have no checksums in the new
  // file, so that they stay unverified there.
  std::vector<Damage> unverified;
  bool unverified_is_complete = true;
  SalvagedMetadata metadata = SalvagedMetadata::absent;
  std::vector<std::string> notes;  // what else a user should know, one line each

  // Nothing is lost, metadata included, but perhaps not everything was verified.
  bool complete() const {
    return !newer_lost && lost_voxels == 0 && metadata != SalvagedMetadata::lost &&
           metadata != SalvagedMetadata::older;
  }
  // Everything is there, and right.
  bool verified() const {
    return complete() && !may_be_older && unverified_voxels == 0 && state &&
           states[*state].sealed && metadata != SalvagedMetadata::unverified;
  }
};

// Reads what is left of `bad` and writes it to `good`, with the chunks, blocks and codec that
// `bad` has. `good` is read back before it gets its name. An empty `good` writes
// nothing: the report says what would be saved. `bad` is only read, and never changed.
// Errors: invalid_use if `good` exists (also if it is `bad`); corruption if nothing can be
// saved (the message says why, and which option would help); invalid_value for a fill that the
// type does not hold, and a state that is not there; not_found; unsupported; io.
MLARRAY_EXPORT SalvageReport salvage(const std::filesystem::path& bad,
                                     const std::filesystem::path& good = {},
                                     const SalvageOptions& options = {});

}  // namespace mlarray
