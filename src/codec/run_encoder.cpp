#include "codec/run_encoder.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "codec/bytes.hpp"
#include "codec/lz4_format.hpp"

namespace mlarray::codec {
namespace {

using lz4::kLastLiterals;
using lz4::kLengthStep;
using lz4::kMinMatch;
using lz4::kNoMatchBegins;
using lz4::kOffsetBytes;
using lz4::kTokenLimit;

constexpr std::size_t kWindow = 65535;  // what an offset can bridge
constexpr std::size_t kMeanRun = 3;
constexpr std::size_t kSentinels = 3;

// Token and offset, and 2 bytes more for the time that a reader takes over a match: the labels
// of benchmarks/ decode 5 % faster than without, and take 1.3 % more bytes.
constexpr std::size_t kMatchCost = 5;
constexpr std::size_t kTokenMatch = kMinMatch + kTokenLimit - 1;  // told by the token

// From here on lengths of runs count as equal: matches may end within the run.
constexpr std::size_t kLongRun = 16;
// Bounds the time for data of many runs: places looked at for each byte of the mean run.
constexpr std::size_t kTriesByRun = 2;
// More literals than this cost more than to repeat a byte.
constexpr std::size_t kMostSkipped = 3;

// What a number takes beyond its half of the token.
constexpr std::size_t number_bytes(std::size_t number) {
  return number < kTokenLimit ? 0 : 1 + (number - kTokenLimit) / kLengthStep;
}
// The same of a match's length; of the shorter ones that are no match, too.
constexpr std::size_t length_bytes(std::size_t length) {
  return number_bytes(std::max(length, kMinMatch) - kMinMatch);
}

std::size_t index_of(std::uint32_t key) { return (key * 2654435761U) >> 20; }

std::uint32_t value_at(std::span<const std::byte> data, std::size_t at) {
  return std::to_integer<std::uint32_t>(data[at]);
}

// How far data[behind...] and data[at...] are equal, up to data[end].
std::size_t match_end(const std::byte* data, std::size_t behind, std::size_t at,
                      std::size_t end) {
  for (; at + 8 <= end; at += 8, behind += 8) {
    const std::uint64_t differ = load_u64(data + at) ^ load_u64(data + behind);
    if (differ != 0) return at + static_cast<std::size_t>(std::countr_zero(differ)) / 8;
  }
  while (at < end && data[at] == data[behind]) ++at, ++behind;
  return at;
}

// Sequences, as long as there is room.
class Writer {
 public:
  explicit Writer(std::span<std::byte> out) : out_(out) {}

  bool match(std::span<const std::byte> literals, std::size_t offset, std::size_t length) {
    const std::size_t beyond = length - kMinMatch;
    if (!room(literals.size(), kOffsetBytes + number_bytes(beyond))) return false;
    put_literals(literals, beyond);
    put(offset & 0xff);
    put(offset >> 8);
    put_number(beyond);
    return true;
  }
  // Bytes written, or 0.
  std::size_t finish(std::span<const std::byte> literals) {
    if (!room(literals.size(), 0)) return 0;
    put_literals(literals, 0);
    return at_;
  }

 private:
  bool room(std::size_t literals, std::size_t more) const {
    return 1 + number_bytes(literals) + literals + more <= out_.size() - at_;
  }
  void put(std::size_t value) { out_[at_++] = static_cast<std::byte>(value); }
  // What the token does not hold of it.
  void put_number(std::size_t number) {
    if (number < kTokenLimit) return;
    for (number -= kTokenLimit; number >= kLengthStep; number -= kLengthStep) put(kLengthStep);
    put(number);
  }
  void put_literals(std::span<const std::byte> literals, std::size_t beyond) {
    put(std::min(literals.size(), kTokenLimit) << 4 | std::min(beyond, kTokenLimit));
    put_number(literals.size());
    copy_bytes(literals, out_.data() + at_);
    at_ += literals.size();
  }

  std::span<std::byte> out_;
  std::size_t at_ = 0;
};

}  // namespace

RunEncoder::RunEncoder(std::size_t most_bytes) {
  const std::size_t window = std::min(most_bytes, kWindow);
  const std::size_t runs = window / kMeanRun + 8 + kSentinels;
  starts_.resize(runs);
  alike_.resize(runs);
  very_alike_.resize(runs);
  reach_.resize(window + 1 + kMatchCost + length_bytes(window) + 1);
}

// Whether they are few enough.
bool RunEncoder::find_runs(std::span<const std::byte> window) {
  constexpr std::uint64_t kTopBits = 0x8080808080808080;
  const std::byte* data = window.data();
  const std::size_t size = window.size();
  const std::size_t most = size / kMeanRun;
  std::size_t runs = 1;
  std::size_t at = 1;
  starts_[0] = 0;
  for (; at + 8 <= size; at += 8) {
    const std::uint64_t differ = load_u64(data + at) ^ load_u64(data + at - 1);
    if (differ == 0) continue;
    // Noise is told by about a twelfth of it, so that it costs little.
    if (runs > std::min(most, 8 + most / 8 + at / 2)) return false;
    // The top bit of each byte that is not 0.
    std::uint64_t marks = (((differ & ~kTopBits) + ~kTopBits) | differ) & kTopBits;
    for (; marks != 0; marks &= marks - 1) {
      const std::size_t place = at + static_cast<std::size_t>(std::countr_zero(marks)) / 8;
      starts_[runs++] = static_cast<std::uint16_t>(place);
    }
  }
  if (runs > most) return false;
  for (; at < size; ++at) {
    if (data[at] != data[at - 1]) starts_[runs++] = static_cast<std::uint16_t>(at);
  }
  if (runs > most) return false;
  std::fill_n(starts_.begin() + static_cast<std::ptrdiff_t>(runs), kSentinels,
              static_cast<std::uint16_t>(size));
  runs_ = runs;
  return true;
}

void RunEncoder::link_runs(std::span<const std::byte> window) {
  heads_.fill(0);
  very_heads_.fill(0);
  for (std::size_t run = 1; run < runs_; ++run) {
    const std::size_t start = starts_[run];
    const std::size_t next = starts_[run + 1];
    const auto length = static_cast<std::uint32_t>(std::min(next - start, kLongRun));
    const std::uint32_t key =
        value_at(window, start - 1) | value_at(window, start) << 8 | length << 16;
    const std::uint32_t after = next < window.size() ? value_at(window, next) : 0;
    const auto length_after = static_cast<std::uint32_t>(starts_[run + 2] - next);
    const auto found = static_cast<std::uint16_t>(run);
    alike_[run] = std::exchange(heads_[index_of(key)], found);
    const std::uint32_t very_key = key * 31 + (after | length_after << 8) * 0x9e3779b1U;
    very_alike_[run] = std::exchange(very_heads_[index_of(very_key)], found);
  }
}

void RunEncoder::offer(std::size_t cost, Reach reach) {
  while (furthest_ < cost) reach_[++furthest_] = {};
  if (reach.end > reach_[cost].end) reach_[cost] = reach;
}

// From where a cost of `from` leads: some literals, then a match up to `end`.
void RunEncoder::offer_match(std::size_t from, std::size_t skipped, std::size_t end,
                             std::size_t offset) {
  const std::size_t begin = reach_[from].end + skipped;
  const auto reach = [&](std::size_t place) {
    return Reach{static_cast<std::uint16_t>(place), static_cast<std::uint16_t>(from),
                 static_cast<std::uint16_t>(offset), static_cast<std::uint16_t>(skipped)};
  };
  const std::size_t extra = length_bytes(end - begin);
  const std::size_t cost = from + skipped + kMatchCost + extra;
  offer(cost, reach(end));
  // The most that a byte less can say.
  if (extra > 0) offer(cost - 1, reach(begin + kTokenMatch + (extra - 1) * kLengthStep));
}

// The matches that begin where `cost` leads, in `run`, and go beyond that run.
void RunEncoder::search(std::span<const std::byte> window, Limits limits, std::size_t tries,
                        std::size_t cost, std::size_t run) {
  const std::size_t place = reach_[cost].end;
  const std::size_t start = starts_[run + 1];
  if (start >= limits.end) return;
  const std::size_t rest = start - place;
  const std::byte* data = window.data();

  // A match is of use if it goes further than what is known at its cost. The best by
  // literals before it: a shorter one could only cost less if it is as far as a part of it.
  struct Best {
    std::size_t end = 0;
    std::size_t offset = 0;
  };
  std::array<Best, kMostSkipped + 1> best{};
  std::size_t known = start;
  const std::size_t far = reach_[furthest_].end;
  if (cost + kMatchCost + length_bytes(std::max(far, place) - place) >= furthest_) {
    known = std::max(known, far);
  }
  const auto follow = [&](const std::vector<std::uint16_t>& links, std::size_t left) {
    for (std::size_t found = links[run + 1]; found != 0 && left > 0; found = links[found]) {
      --left;
      const std::size_t behind = starts_[found];
      // Of our run no more than the other one has.
      const std::size_t other = behind - starts_[found - 1];
      const std::size_t skipped = rest > other ? rest - other : 0;
      if (skipped > kMostSkipped) continue;
      const std::size_t needed = std::max(known, best[skipped].end);
      const std::size_t offset = start - behind;
      if (needed >= limits.end || data[needed - offset] != data[needed] ||
          data[behind - 1] != data[start - 1]) {
        continue;
      }
      const std::size_t end = match_end(data, behind, start, limits.end);
      if (end <= needed) continue;
      if (skipped == 0) known = end;
      best[skipped] = {end, offset};
    }
  };
  follow(very_alike_, tries);
  follow(alike_, std::max<std::size_t>(1, tries / 4));
  for (std::size_t skipped = 0; skipped < best.size(); ++skipped) {
    const std::size_t begin = place + skipped;
    if (begin <= limits.last_begin && best[skipped].end >= begin + kMinMatch) {
      offer_match(cost, skipped, best[skipped].end, best[skipped].offset);
    }
  }
}

// Fills reach_ until it has the end; what that costs. A part of a match is a match, so of all
// places that are reached at the same cost only the furthest can be of use: a match that
// begins there goes at least as far as one that begins before.
std::size_t RunEncoder::choose(std::span<const std::byte> window, Limits limits,
                               std::size_t tries) {
  std::size_t run = 0;
  std::size_t searched = runs_;
  reach_[0] = {};
  furthest_ = 0;
  for (std::size_t cost = 0;; ++cost) {
    const std::size_t place = reach_[cost].end;
    if (place >= limits.end) return cost;
    offer(cost + 1, {.end = static_cast<std::uint16_t>(place + 1),
                     .from = static_cast<std::uint16_t>(cost),
                     .offset = 0,
                     .skipped = 0});
    while (starts_[run + 1] <= place) ++run;
    if (run == searched || place > limits.last_begin) continue;
    searched = run;  // from its first place on: a match from a later one goes no further
    const std::size_t repeat = place + (place == starts_[run] ? 1 : 0);
    const std::size_t run_end = std::min<std::size_t>(starts_[run + 1], limits.end);
    if (repeat <= limits.last_begin && run_end >= repeat + kMinMatch) {
      offer_match(cost, repeat - place, run_end, 1);
    }
    search(window, limits, tries, cost, run);
  }
}

// Lets `from` lead from the first step to the last instead of back.
void RunEncoder::turn_round(std::size_t cost) {
  std::size_t next = cost;
  for (std::size_t at = cost; at != 0;) {
    const std::size_t from = reach_[at].from;
    reach_[at].from = static_cast<std::uint16_t>(next);
    next = at;
    at = from;
  }
  reach_[0].from = static_cast<std::uint16_t>(next);
}

std::size_t RunEncoder::encode(std::span<const std::byte> data, std::span<std::byte> out,
                               int level) {
  Writer writer(out);
  std::size_t written = 0;  // of the data; literals from here on
  // All of about one size: a few bytes at the end could have too many runs by chance.
  const std::size_t windows = (data.size() + kWindow - 1) / kWindow;
  const std::size_t size = windows == 0 ? 0 : (data.size() + windows - 1) / windows;
  for (std::size_t base = 0; base + kNoMatchBegins < data.size(); base += size) {
    const std::size_t left = data.size() - base;
    const std::span<const std::byte> window = data.subspan(base, std::min(left, size));
    if (!find_runs(window)) return 0;
    link_runs(window);
    const Limits limits{.last_begin = left - kNoMatchBegins,
                        .end = std::min(window.size(), left - kLastLiterals)};
    const std::size_t tries =
        std::min(std::size_t{1} << (level - 1), kTriesByRun * window.size() / runs_);
    const std::size_t cost = choose(window, limits, tries);
    turn_round(cost);
    std::size_t at = 0;
    for (std::size_t step = 0; step != cost;) {
      step = reach_[step].from;
      const Reach& reach = reach_[step];
      if (reach.offset != 0) {
        const std::size_t begin = at + reach.skipped;
        if (!writer.match(data.subspan(written, base + begin - written), reach.offset,
                          reach.end - begin)) {
          return 0;
        }
        written = base + reach.end;
      }
      at = reach.end;
    }
  }
  return writer.finish(data.subspan(written));
}

}  // namespace mlarray::codec
