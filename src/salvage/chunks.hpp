// The chunks of one state of a damaged file: where they are, and which of their blocks are
// whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "codec/chunk.hpp"
#include "codec/decoder.hpp"
#include "salvage/scan.hpp"
#include "salvage/states.hpp"

namespace mlarray::salvaging {

// How far what a state says of its chunks is to be believed.
enum class Trust {
  sealed,   // as it was committed
  foreign,  // by another writer, who leaves no sums, and old ones as they were
  damaged,  // an index or a table with nothing that covers it, or only an order
};

// Why something is lost: a literal, so that a million of them cost nothing.
using Reason = const char*;

// What one chunk has left.
struct ChunkOutcome {
  std::int64_t verified_voxels = 0;
  std::int64_t unverified_voxels = 0;
  std::int64_t lost_voxels = 0;
  std::int32_t verified_blocks = 0;  // by their sums
  Reason chunk_is_lost = nullptr;
  std::vector<std::int32_t> unverified_blocks;               // if not all are
  std::vector<std::pair<std::int32_t, Reason>> lost_blocks;  // if not all are
};

// What one thread needs.
struct ChunkScratch {
  codec::Decoder decoder;
  std::vector<std::byte> bytes;
};

// A chunk in memory, perhaps as it was before a bit of it flipped.
struct LoadedChunk {
  WorkBudget* work = nullptr;  // what looking at it may cost; nullptr: that is known
  bool too_much = false;
  std::uint64_t offset = 0;
  io::Bytes held;
  std::vector<std::byte> own;  // if not empty, a copy with changes
  std::size_t length = 0;
  codec::ChunkHeader header;
  std::uint64_t seed = 0;

  std::span<const std::byte> bytes() const {
    return (own.empty() ? held.data : std::span<const std::byte>(own)).first(length);
  }
  bool spend(std::uint64_t bytes) {
    too_much = too_much || (work != nullptr && !work->spend(bytes));
    return !too_much;
  }
  std::span<std::byte> changeable() {
    if (own.empty()) own.assign(held.data.begin(), held.data.end());
    return std::span(own).first(length);
  }
};

// A block by which a chunk can be told from others.
struct TestBlock {
  std::int32_t block = 0;
  std::span<const std::byte> bytes;
};

// Not synchronised while places are looked for; then any threads may read, one of them a chunk.
class SalvagedChunks {
 public:
  // `end`: where chunks end, and the tail of the state or the file begins. `only_verified`:
  // what nothing verifies is lost.
  SalvagedChunks(const DamagedFile& file, const HeaderGuess& header, StateContent content,
                 Trust trust, std::uint64_t end, bool only_verified);

  const grid::Geometry& geometry() const { return geometry_; }
  const StateContent& content() const { return content_; }

  // Finds chunks that the index does not lead to by their sums, which tell their numbers.
  // `missing` says which they are.
  void find_by_sums(const std::vector<bool>& missing, const std::vector<Extent>& chunks,
                    WorkBudget& budget);
  // Gives chunks the numbers that they have in a file that was written once.
  void place_in_order(const std::vector<Extent>& chunks);

  // Looks at a chunk, and decodes what is whole of it: into `out`, a padded chunk of zeros, or
  // if that is empty, only to see whether it can be done. The first time takes of the file's
  // work, and how far that led holds from then on.
  ChunkOutcome read(std::int64_t number, std::span<std::byte> out, ChunkScratch& scratch) const;
  // Is it a chunk of zeros that the index names?
  bool is_zeros(std::int64_t number) const;
  // Does the table have sums of it, by which it can be found?
  bool has_sums(std::int64_t number) const;
  // Do both have the same bytes of it?
  bool same_place(const SalvagedChunks& other, std::int64_t number) const;

 private:
  std::uint64_t offset_of(std::int64_t number) const;
  store::ChunkSums sums_of(std::int64_t number) const;
  void note_places();
  ChunkOutcome all_lost(std::int64_t number, Reason reason) const;
  ChunkOutcome filled(std::int64_t number, codec::Special special,
                      std::span<const std::byte> item, bool verified,
                      std::span<std::byte> out) const;
  ChunkOutcome read_stored(std::int64_t number, std::span<std::byte> out,
                           ChunkScratch& scratch) const;
  ChunkOutcome read_loaded(std::int64_t number, LoadedChunk& chunk, std::span<std::byte> out,
                           ChunkScratch& scratch) const;
  ChunkOutcome read_whole(std::int64_t number, LoadedChunk& chunk, std::span<std::byte> out,
                          ChunkScratch& scratch) const;
  ChunkOutcome read_blocks(std::int64_t number, LoadedChunk& chunk, std::span<std::byte> out,
                           ChunkScratch& scratch) const;
  bool load(std::uint64_t offset, LoadedChunk& chunk) const;
  // With the bit of the header changed that it gives, or only block starts. `known`: that bit.
  std::optional<int> mend(std::int64_t number, LoadedChunk& chunk,
                          std::optional<int> known) const;
  std::uint64_t most_stored() const;
  bool parse(LoadedChunk& chunk) const;
  bool sum_is_right(std::int64_t number, LoadedChunk& chunk, std::int32_t block) const;
  bool any_sum_is_right(std::int64_t number, LoadedChunk& chunk) const;
  std::int64_t voxels_of(std::int64_t number) const;
  std::int64_t voxels_of(std::int64_t number, std::int32_t block) const;
  std::int32_t count_right(std::int64_t number, LoadedChunk& chunk) const;
  bool is_better(std::int64_t number, LoadedChunk& chunk) const;
  std::vector<TestBlock> tests_of(const LoadedChunk& chunk) const;

  const DamagedFile& file_;
  grid::Geometry geometry_;
  StateContent content_;
  Trust trust_;
  std::uint64_t base_;  // what the entries of the index count from
  std::uint64_t end_;
  std::vector<frame::IndexEntry> entries_;
  std::vector<bool> placed_;           // does the entry mean something?
  std::vector<bool> doubtful_;         // another chunk has the same place
  std::vector<std::uint64_t> starts_;  // of all chunks that have a place, ascending
  bool only_verified_;
  // What was found when a chunk was read for the first time: what mend() gave, which is -1 or
  // the number of a bit, or one of these.
  static constexpr std::int16_t kUntried = -2;
  static constexpr std::int16_t kTooMuch = -3;
  static constexpr std::int16_t kAsItIs = -4;
  mutable std::vector<std::int16_t> found_;
};

}  // namespace mlarray::salvaging
