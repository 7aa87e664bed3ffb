// A damaged file: every state that is found in it is read, as far as it can be.
#include <vector>

#include "fuzz.hpp"
#include "salvage/choice.hpp"
#include "salvage/metadata.hpp"
#include "salvage/states.hpp"

using namespace mlarray;

namespace {

constexpr std::int64_t kMostVoxels = 1 << 20;
constexpr std::int64_t kMostChunkBytes = 1 << 20;
constexpr std::uint64_t kMendingBytes = 1 << 22;

// What a chunk says of itself must hold again when it is decoded into place.
void read_again(const salvaging::Attempt& attempt) {
  const salvaging::SalvagedChunks& chunks = *attempt.chunks;
  const grid::Geometry& geometry = chunks.geometry();
  if (geometry.chunk_bytes() > kMostChunkBytes) return;
  salvaging::ChunkScratch scratch;
  std::vector<std::byte> out(static_cast<std::size_t>(geometry.chunk_bytes()));
  for (std::int64_t n = 0; n < std::min<std::int64_t>(geometry.chunk_count(), 16); ++n) {
    std::fill(out.begin(), out.end(), std::byte{0});
    const salvaging::ChunkOutcome found = chunks.read(n, out, scratch);
    fuzz::require(
        salvaging::outcome_of(found, geometry) == attempt.outcome[static_cast<std::size_t>(n)],
        "a chunk that is read twice has the same blocks");
  }
}

}  // namespace

void fuzz_input(fuzz::Input input) {
  const salvaging::DamagedFile file(io::from_memory({input.begin(), input.end()}, "<input>"));
  salvaging::Survey survey;
  if (!fuzz::accepts([&] { survey = salvaging::survey(file, {}, kMendingBytes); })) return;
  for (const salvaging::FoundState& state : survey.states) {
    fuzz::require(state.index.end() <= input.size() && state.trailer.end() <= input.size(),
                  "what is found is in the file");
  }
  if (survey.headers.empty()) return;
  for (const salvaging::HeaderGuess& header : survey.headers) {
    // Tables of chunks that are named by the index alone take time, and nothing else.
    if (header.geometry.chunk_count() > kMostVoxels) return;
  }
  SalvageOptions options;
  options.threads = 1;
  options.assume_order = true;
  for (std::size_t i = 0; i <= std::min<std::size_t>(survey.states.size(), 3); ++i) {
    if (i > 0) options.state = i - 1;
    fuzz::accepts([&] {
      salvaging::StateChooser chooser(file, survey, options);
      const salvaging::Attempt attempt = chooser.choose();
      const std::int64_t voxels = element_count(attempt.chunks->geometry().shape());
      fuzz::require(attempt.verified + attempt.unverified + attempt.lost == voxels,
                    "every voxel is verified, unverified or lost");
      read_again(attempt);
      static_cast<void>(chooser.whole_state(attempt));
      static_cast<void>(salvaging::find_metadata(file, survey, attempt.state, attempt.header,
                                                 attempt.chunks->content()));
    });
  }
}
