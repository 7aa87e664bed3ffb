// LZ4 blocks of bytes that lie in runs: label maps, and the high byte planes of images.
// Internal.
//
// Denser there than LZ4HC below its level 8, in less time (figures: plane_encoder.cpp). LZ4HC
// looks for matches at every byte; within a run these are nearly all the same match. A match
// that goes beyond a run has to meet the end of it with the end of another one, so only the
// ends are looked up, by what lies around them. The time that is saved goes into the choice: of
// all sequences of the matches that were found, the one of fewest bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlarray::codec {

// Not synchronised: one per thread.
class RunEncoder {
 public:
  // For data of up to `most_bytes`; all memory is taken here.
  explicit RunEncoder(std::size_t most_bytes);

  // One LZ4 block to `out`; its size. 0 if it does not fit, or if a run has less than 3 bytes
  // in the mean, which would take long. A higher level (1 to 9) looks at more places: each step
  // doubles them. The same data give the same bytes, whatever was encoded before.
  // Precondition: at most `most_bytes` of data.
  std::size_t encode(std::span<const std::byte> data, std::span<std::byte> out, int level);

 private:
  // The furthest place that is reached at some cost, in bytes, and how: from the place that a
  // cost of `from` leads to, by `skipped` literals and a match from `offset` behind; by one
  // literal if `offset` is 0.
  struct Reach {
    std::uint16_t end;
    std::uint16_t from;
    std::uint16_t offset;
    std::uint16_t skipped;
  };
  // Where matches may lie in a window.
  struct Limits {
    std::size_t last_begin;
    std::size_t end;
  };
  using Heads = std::array<std::uint16_t, 4096>;

  bool find_runs(std::span<const std::byte> window);
  void link_runs(std::span<const std::byte> window);
  std::size_t choose(std::span<const std::byte> window, Limits limits, std::size_t tries);
  void search(std::span<const std::byte> window, Limits limits, std::size_t tries,
              std::size_t cost, std::size_t run);
  void offer(std::size_t cost, Reach reach);
  void offer_match(std::size_t from, std::size_t skipped, std::size_t end, std::size_t offset);
  void turn_round(std::size_t cost);

  std::vector<std::uint16_t> starts_;  // of the runs, and the window's size thrice
  std::size_t runs_ = 0;
  // The run before that begins alike; 0: none.
  std::vector<std::uint16_t> alike_;       // to the end of the run
  std::vector<std::uint16_t> very_alike_;  // to the end of the next one
  Heads heads_{};
  Heads very_heads_{};
  std::vector<Reach> reach_;  // by cost
  std::size_t furthest_ = 0;  // the last of them that is set
};

}  // namespace mlarray::codec
