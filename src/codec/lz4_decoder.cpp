#include "codec/lz4_decoder.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "codec/lz4_format.hpp"

namespace mlarray::codec {
namespace {

using lz4::kLastLiterals;
using lz4::kLengthStep;
using lz4::kMinMatch;
using lz4::kNoMatchBegins;
using lz4::kTokenLimit;

constexpr std::size_t kStep = 16;                        // bytes copied at once
constexpr std::size_t kShortLiterals = kTokenLimit - 1;  // as far as the token says it
constexpr std::size_t kShortMatch = kTokenLimit - 1;
// Literals that end nearer than kNoMatchBegins to the end of the output are the last ones, and
// so are those with fewer bytes of input behind them.
constexpr std::size_t kLastSequenceIn = 8;
// Input that a sequence with short lengths takes at most, and is read at once.
constexpr std::size_t kShortSequence = 40;

void copy_step(std::byte* to, const std::byte* from) { std::memcpy(to, from, kStep); }

// Two steps at least, and whole pairs of them: writes up to 31 bytes more than `length`.
void copy_steps(std::byte* to, const std::byte* from, std::size_t length) {
  copy_step(to, from);
  copy_step(to + kStep, from + kStep);
  for (std::size_t at = 2 * kStep; at < length; at += 2 * kStep) {
    copy_step(to + at, from + at);
    copy_step(to + at + kStep, from + at + kStep);
  }
}

// A match that overlaps itself within a step. Writes up to 31 bytes more than `length`.
void repeat(std::byte* to, std::size_t offset, std::size_t length) {
  if (offset == 1) {
    std::byte run[kStep];
    std::memset(run, std::to_integer<int>(to[-1]), kStep);
    for (std::size_t at = 0; at < length; at += 2 * kStep) {
      copy_step(to + at, run);
      copy_step(to + at + kStep, run);
    }
    return;
  }
  const std::byte* from = to - offset;
  for (std::size_t i = 0; i < kStep; ++i) to[i] = from[i];
  // From here on a whole number of repetitions back, a step or more.
  const std::size_t period = offset * ((kStep + offset - 1) / offset);
  for (std::size_t at = kStep; at < length; at += kStep) copy_step(to + at, to + at - period);
}

std::size_t value(std::byte byte) { return std::to_integer<std::size_t>(byte); }

std::size_t between(const std::byte* from, const std::byte* to) {
  return static_cast<std::size_t>(to - from);
}

// Adds what the bytes from `in` on say. False: the input ends before the length does.
bool read_length(const std::byte*& in, const std::byte* end, std::size_t& length) {
  std::size_t more = 0;
  do {
    if (in == end) return false;
    more = value(*in++);
    length += more;
  } while (more == kLengthStep);
  return true;
}

// A block, and how far it is decoded.
struct Progress {
  const std::byte* in;
  std::byte* out;
  const std::byte* const in_end;
  std::byte* const out_begin;
  std::byte* const out_end;
  std::byte* const enough;  // where to stop, at or before the end
};

// Decodes sequences while none can be the last and there is not enough, and up to one that
// decode_rest() is to judge.
// The first `room` bytes of the output may be written.
void decode_most(Progress& progress, std::size_t room) {
  const std::byte* in = progress.in;
  std::byte* out = progress.out;
  const std::byte* const in_end = progress.in_end;
  std::byte* const out_begin = progress.out_begin;
  const std::size_t size = between(out_begin, progress.out_end);
  if (between(in, in_end) <= kShortSequence || room <= kLz4Slack) return;
  if (size <= kNoMatchBegins) return;
  const std::byte* const in_stop = in_end - kShortSequence;
  std::byte* const safe = out_begin + (room - kLz4Slack);
  std::byte* const literal_stop = std::min(safe, progress.out_end - kNoMatchBegins);
  std::byte* const match_stop = std::min(safe, progress.out_end - kLastLiterals);
  std::byte* const last_begin = std::min(literal_stop, progress.enough - 1);
  while (in < in_stop && out <= last_begin) {
    progress.in = in;
    progress.out = out;
    const std::size_t token = value(*in++);
    std::size_t literals = token >> 4;
    if (literals <= kShortLiterals) {
      copy_step(out, in);
    } else {
      if (!read_length(in, in_end, literals)) return;
      if (between(in, in_end) < literals + kShortSequence) return;
      if (between(out, literal_stop) < literals) return;
      copy_steps(out, in, literals);
    }
    in += literals;
    out += literals;
    const std::size_t offset = value(in[0]) | value(in[1]) << 8;
    in += 2;
    std::size_t length = token & kTokenLimit;
    if (length > kShortMatch && !read_length(in, in_end, length)) return;
    length += kMinMatch;
    // A short run of literals was not compared: it may end behind both.
    if (out > literal_stop || length > between(out, match_stop) ||
        offset > between(out_begin, out)) {
      return;
    }
    if (offset >= kStep) {
      copy_steps(out, out - offset, length);
    } else {
      if (offset == 0) return;
      repeat(out, offset, length);
    }
    out += length;
  }
  progress.in = in;
  progress.out = out;
}

// The same with every check, and nothing written but the output.
bool decode_rest(const Progress& progress) {
  const std::byte* in = progress.in;
  std::byte* out = progress.out;
  const std::byte* const in_end = progress.in_end;
  std::byte* const out_end = progress.out_end;
  for (;;) {
    if (progress.enough < out_end && out >= progress.enough) return true;
    if (in == in_end) return false;
    const std::size_t token = value(*in++);
    std::size_t literals = token >> 4;
    if (literals > kShortLiterals && !read_length(in, in_end, literals)) return false;
    if (literals > between(in, in_end) || literals > between(out, out_end)) return false;
    if (literals > 0) std::memcpy(out, in, literals);
    in += literals;
    out += literals;
    if (between(in, in_end) < kLastSequenceIn || between(out, out_end) < kNoMatchBegins) {
      return in == in_end && out == out_end;
    }
    const std::size_t offset = value(in[0]) | value(in[1]) << 8;
    in += 2;
    std::size_t length = token & kTokenLimit;
    if (length > kShortMatch && !read_length(in, in_end, length)) return false;
    length += kMinMatch;
    if (offset == 0 || offset > between(progress.out_begin, out)) return false;
    if (length > between(out, out_end) - kLastLiterals) return false;
    if (offset == 1) {
      std::memset(out, std::to_integer<int>(out[-1]), length);
    } else if (offset >= length) {
      std::memcpy(out, out - offset, length);
    } else {
      for (std::size_t i = 0; i < length; ++i) out[i] = *(out + i - offset);
    }
    out += length;
  }
}

}  // namespace

bool decode_lz4(std::span<const std::byte> in, std::size_t size, std::size_t wanted,
                std::span<std::byte> out) {
  if (size == 0) return false;  // no encoder writes it
  if (wanted == 0) return true;
  Progress progress{in.data(),  out.data(),        in.data() + in.size(),
                    out.data(), out.data() + size, out.data() + wanted};
  decode_most(progress, out.size());
  return decode_rest(progress);
}

bool decode_lz4(std::span<const std::byte> in, std::size_t size, std::span<std::byte> out) {
  return decode_lz4(in, size, size, out);
}

}  // namespace mlarray::codec
