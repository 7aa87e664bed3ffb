// Where the chunks of a damaged file are, if the index does not say it.
#include <algorithm>
#include <set>

#include "codec/checksum.hpp"
#include "codec/chunk.hpp"
#include "mlarray/error.hpp"
#include "salvage/chunks.hpp"

namespace mlarray::salvaging {

void SalvagedChunks::note_places() {
  std::vector<std::pair<std::uint64_t, std::size_t>> places;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (placed_[i] && !entries_[i].is_special()) places.emplace_back(entries_[i].offset(), i);
  }
  std::sort(places.begin(), places.end());
  starts_.clear();
  found_.assign(entries_.size(), kUntried);
  doubtful_.assign(entries_.size(), false);
  for (std::size_t i = 0; i < places.size(); ++i) {
    starts_.push_back(base_ + places[i].first);
    if (i > 0 && places[i].first == places[i - 1].first) {
      doubtful_[places[i].second] = doubtful_[places[i - 1].second] = true;
    }
  }
}

namespace {

// A block of one value, or of padding, has few bytes, and the same ones in many chunks.
bool tells(const TestBlock& test) {
  constexpr std::size_t kEnoughBytes = 128;
  return test.bytes.size() >= kEnoughBytes;
}

}  // namespace

// The quickest to try of the blocks that differ from chunk to chunk.
std::vector<TestBlock> SalvagedChunks::tests_of(const LoadedChunk& chunk) const {
  constexpr std::size_t kTests = 3;
  if (chunk.header.special != codec::Special::none) {
    return {{0, chunk.bytes().subspan(codec::kChunkHeaderBytes)}};
  }
  std::vector<TestBlock> tests;
  const auto quicker = [](const TestBlock& a, const TestBlock& b) {
    const auto rank = [](const TestBlock& test) {
      return std::pair(!tells(test), test.bytes.size());
    };
    return rank(a) < rank(b);
  };
  for (std::int32_t block = 0; block < chunk.header.block_count(); ++block) {
    try {
      tests.push_back({block, codec::block_bytes(chunk.bytes(), chunk.header, block)});
    } catch (const Error&) {
      continue;  // damaged
    }
    std::inplace_merge(tests.begin(), tests.end() - 1, tests.end(), quicker);
    if (tests.size() > kTests) tests.pop_back();
  }
  return tests;
}

std::int32_t SalvagedChunks::count_right(std::int64_t number, LoadedChunk& chunk) const {
  std::int32_t right = 0;
  for (std::int32_t block = 0; block < chunk.header.block_count(); ++block) {
    if (sum_is_right(number, chunk, block)) ++right;
  }
  return right;
}

// Is a chunk more of what this number should be than the one that the index leads to?
bool SalvagedChunks::is_better(std::int64_t number, LoadedChunk& chunk) const {
  if (!placed_[static_cast<std::size_t>(number)]) return true;
  LoadedChunk now;
  now.work = chunk.work;
  if (!load(offset_of(number), now)) return true;
  return count_right(number, chunk) > count_right(number, now);
}

void SalvagedChunks::find_by_sums(const std::vector<bool>& missing,
                                  const std::vector<Extent>& chunks, WorkBudget& budget) {
  // A sum has 32 bits: of so many tries, one in 65536 is wrong by chance.
  constexpr std::int64_t kMostTriesOfOne = std::int64_t{1} << 16;
  constexpr std::int64_t kTriesAtOnce = std::int64_t{1} << 12;
  std::set<std::int64_t> wanted;
  std::set<std::uint64_t> used;
  for (std::int64_t n = 0; n < geometry_.chunk_count(); ++n) {
    const auto i = static_cast<std::size_t>(n);
    if (missing[i] && has_sums(n)) {
      wanted.insert(n);
    } else if (placed_[i] && !entries_[i].is_special()) {
      used.insert(offset_of(n));
    }
  }
  std::int64_t next = 0;
  std::int64_t tries = 0;
  for (const Extent& extent : chunks) {
    if (wanted.empty() || budget.exhausted()) break;
    if (extent.offset < base_ || used.contains(extent.offset)) continue;
    file_.go_on();
    LoadedChunk chunk;
    chunk.work = &budget;
    if (!load(extent.offset, chunk)) continue;
    const std::vector<TestBlock> tests = tests_of(chunk);
    if (tests.empty()) continue;
    std::int64_t found = -1;
    const auto is = [&](std::int64_t number, const TestBlock& test) {
      const std::uint32_t sum = sums_of(number).of_block(test.block);
      if (++tries % kTriesAtOnce == 0) file_.go_on();
      const bool recorded = sum != codec::kNoChecksum;
      return budget.spend(recorded ? test.bytes.size() + 64 : 64) && recorded &&
             codec::stored_checksum(test.bytes, chunk.seed, number, test.block) == sum;
    };
    // One block that differs from chunk to chunk, and another one, since sums are short.
    const auto is_it = [&](std::int64_t number) {
      std::size_t right = 0;
      std::size_t telling = 0;
      for (const TestBlock& test : tests) {
        if (!is(number, test)) continue;
        ++right;
        if (tells(test)) ++telling;
      }
      if (tests.size() == 1) return right == 1 && (number == next || tries < kMostTriesOfOne);
      return tells(tests.front()) ? telling > 0 && right > 1 : right == tests.size();
    };
    // Most chunks follow one another.
    const auto from = wanted.lower_bound(next);
    for (auto it = from; it != wanted.end() && found < 0; ++it) {
      if (is_it(*it)) found = *it;
    }
    for (auto it = wanted.begin(); it != from && found < 0; ++it) {
      if (is_it(*it)) found = *it;
    }
    if (found < 0 || !is_better(found, chunk)) continue;
    const auto i = static_cast<std::size_t>(found);
    entries_[i] = frame::IndexEntry::at(extent.offset - base_);
    placed_[i] = true;
    wanted.erase(found);
    next = found + 1;
  }
  note_places();
}

void SalvagedChunks::place_in_order(const std::vector<Extent>& chunks) {
  // Chunks that follow one another without a gap.
  std::vector<std::vector<Extent>> runs;
  std::uint64_t at = base_;
  std::int64_t gaps = 0;
  std::int64_t count = 0;
  for (const Extent& chunk : chunks) {
    if (chunk.offset < at || chunk.end() > end_) continue;
    if (chunk.offset != at || runs.empty()) {
      gaps += chunk.offset != at ? 1 : 0;
      runs.emplace_back();
    }
    runs.back().push_back(chunk);
    at = chunk.end();
    ++count;
  }
  if (runs.empty()) return;
  const bool gap_in_front = runs.front().front().offset != base_;
  const bool gap_behind = at != end_;
  gaps += gap_behind ? 1 : 0;
  const std::int64_t total = geometry_.chunk_count();
  const auto place = [&](const std::vector<Extent>& run, std::int64_t number) {
    for (const Extent& chunk : run) {
      if (number >= total) return;
      entries_[static_cast<std::size_t>(number)] = frame::IndexEntry::at(chunk.offset - base_);
      placed_[static_cast<std::size_t>(number++)] = true;
    }
  };
  if (total == 1) {
    place(runs.front(), 0);
  } else if (count + gaps == total) {  // every gap is one chunk
    std::int64_t number = gap_in_front ? 1 : 0;
    for (const std::vector<Extent>& run : runs) {
      place(run, number);
      number += static_cast<std::int64_t>(run.size()) + 1;
    }
  } else {
    // What is in the middle could be anywhere.
    if (!gap_in_front) place(runs.front(), 0);
    const auto last = static_cast<std::int64_t>(runs.back().size());
    if (!gap_behind && (runs.size() > 1 || gap_in_front) && last <= total) {
      place(runs.back(), total - last);
    }
  }
  note_places();
}

}  // namespace mlarray::salvaging
