// The commits that a damaged file still shows, whole or not.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "frame/frame.hpp"
#include "grid/geometry.hpp"
#include "salvage/headers.hpp"
#include "salvage/scan.hpp"
#include "store/checksums.hpp"

namespace mlarray::salvaging {

// Index, trailer, or what is left of them.
struct FoundState {
  Extent index;                // empty if not found, or if there are no chunks
  Extent trailer;              // empty if not found
  std::vector<Extent> layers;  // chunks of metalayers, for where the trailer cannot be read
  bool sealed = false;
  bool named = false;
  bool foreign = false;
  std::size_t header = 0;  // which of the guesses; of a sealed one, the right one
  // A byte of index or trailer as it was before one of its bits flipped.
  std::vector<std::pair<std::uint64_t, std::byte>> mended;

  std::uint64_t begin() const;
  std::uint64_t end() const { return trailer.empty() ? 0 : trailer.end(); }
};

struct Survey {
  std::vector<HeaderGuess> headers;  // the likeliest first; empty if there is nothing to go by
  std::vector<FoundState> states;    // newest first
  bool newest_is_gone = false;       // the header names another one, which would be newer
  bool header_is_doubtful = false;   // it could be mended, but nothing says that it is right
  Landmarks landmarks;
  std::vector<std::string> notes;
};

// How much is hashed to find the one byte that changed: a second or so.
inline constexpr std::uint64_t kMendingBytes = std::uint64_t{8} << 30;

// `like`: a whole file whose header may stand in; empty for none. Errors: what opening it
// gives.
Survey survey(const DamagedFile& file, const std::filesystem::path& like,
              std::uint64_t mending_bytes = kMendingBytes);

// What a state says of its chunks and of the metadata, as far as it can be read.
struct StateContent {
  std::vector<frame::IndexEntry> index;  // empty if it is lost
  store::ChecksumTable sums;
  bool index_and_sums_are_of_one = false;
  std::vector<frame::VlMetalayer> layers;  // by their names, without the checksums
  std::vector<io::Bytes> nameless;         // further chunks that may be metalayers
};
StateContent contents_of(const DamagedFile& file, const HeaderGuess& header,
                         const FoundState& state);
// The same without the index.
StateContent layers_of(const DamagedFile& file, const HeaderGuess& header,
                       const FoundState& state);
// Is one of the layers that were found without a trailer a table of checksums?
bool has_table(const DamagedFile& file, const grid::Geometry& geometry,
               const FoundState& state);

}  // namespace mlarray::salvaging
