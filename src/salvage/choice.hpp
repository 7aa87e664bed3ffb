// Which state of a damaged file is saved, and what is left of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mlarray/salvage.hpp"
#include "salvage/chunks.hpp"
#include "salvage/scan.hpp"
#include "salvage/states.hpp"

namespace mlarray::salvaging {

inline constexpr std::size_t kMostListed = 10000;  // of each kind, in a report

enum class Outcome : std::uint8_t { whole, partly, mostly_lost, lost };
Outcome outcome_of(const ChunkOutcome& chunk, const grid::Geometry& geometry);

// One way to read the file, and what comes of it.
struct Attempt {
  std::optional<std::size_t> state;  // none: in the order of the file
  std::size_t header = 0;
  std::unique_ptr<SalvagedChunks> chunks;
  std::vector<Outcome> outcome;  // by chunk
  std::int64_t verified = 0;
  std::int64_t unverified = 0;
  std::int64_t lost = 0;
  std::map<std::int64_t, ChunkOutcome> losses;  // of the first chunks with any
  std::map<std::int64_t, ChunkOutcome> doubts;  // of the first chunks with unverified voxels
  std::vector<bool> unsure;                     // by chunk: has it unverified voxels?

  bool has_something() const { return verified + unverified > 0; }
  bool is_something() const { return has_something() || lost == 0; }  // no voxels, none lost
};

// Chunks of bounded size altogether are decoded at once.
int salvage_threads(const grid::Geometry& geometry, std::size_t count, int wanted);

class StateChooser {
 public:
  StateChooser(const DamagedFile& file, const Survey& survey, const SalvageOptions& options)
      : file_(file), survey_(survey), options_(options) {}

  // Errors: corruption if nothing is left; invalid_value for a state that is not there.
  Attempt choose();
  // A sealed state older than that of an attempt that lost something, of which nothing is lost.
  std::optional<std::size_t> whole_state(const Attempt& attempt) const;
  // What a user should know of the choice.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  Attempt look_at(std::size_t i);
  Attempt in_order();
  void assess(Attempt& attempt) const;
  bool is_whole(const SalvagedChunks& older, const Attempt& newer) const;
  const std::vector<Extent>& all_chunks(std::size_t header);

  const DamagedFile& file_;
  const Survey& survey_;
  const SalvageOptions& options_;
  std::vector<std::string> notes_;
  std::map<std::size_t, std::vector<Extent>> chunks_;  // by header
};

}  // namespace mlarray::salvaging
