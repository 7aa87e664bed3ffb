// Our LZ4 decoder against LZ4's own.
#include "codec/lz4_decoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "codec/lz_functions.hpp"
#include "guarded_buffer.hpp"
#include "support/rounds.hpp"

namespace mlarray::codec::test {
namespace {

using Bytes = std::vector<std::byte>;

const char* chars(const std::byte* bytes) { return reinterpret_cast<const char*>(bytes); }
char* chars(std::byte* bytes) { return reinterpret_cast<char*>(bytes); }

// LZ4HC from level 1 on, LZ4's fast mode at 0.
Bytes compress(const Bytes& plain, int level) {
  Bytes out(plain.size() + plain.size() / 200 + 64);
  const auto from = static_cast<int>(plain.size());
  const auto room = static_cast<int>(out.size());
  int size = 0;
  if (level == 0) {
    size = LZ4_compress_fast(chars(plain.data()), chars(out.data()), from, room, 1);
  } else {
    Bytes state(static_cast<std::size_t>(LZ4_sizeofStateHC()));
    LZ4_initStreamHC(state.data(), state.size());
    size = LZ4_compress_HC_extStateHC_fastReset(state.data(), chars(plain.data()),
                                                chars(out.data()), from, room, level);
  }
  EXPECT_GT(size, 0);
  out.resize(static_cast<std::size_t>(size));
  return out;
}

// Pieces of noise, runs, and repetitions of what came before from near and far.
Bytes plain_bytes(std::size_t size, std::mt19937& random) {
  const auto upto = [&](std::size_t most) { return random() % (most + 1); };
  Bytes out;
  while (out.size() < size) {
    const std::size_t length =
        std::min<std::size_t>(size - out.size(), 1 + upto(std::size_t{1} << upto(10)));
    const std::size_t back = 1 + upto(std::size_t{1} << upto(12));
    const auto value = static_cast<std::byte>(random());
    const int kind = static_cast<int>(random() % 3);
    for (std::size_t i = 0; i < length; ++i) {
      if (kind == 0) out.push_back(static_cast<std::byte>(random()));
      if (kind == 1) out.push_back(value);
      if (kind == 2) out.push_back(back <= out.size() ? out[out.size() - back] : value);
    }
  }
  return out;
}

struct Decoded {
  bool accepted = false;
  Bytes bytes;
};

// Where one byte read or written too far is a crash.
Decoded decode_ours(const Bytes& in, std::size_t size, std::size_t slack) {
  GuardedBuffer input(in.size() + GuardedBuffer::kCanary);
  GuardedBuffer output(size + slack + GuardedBuffer::kCanary);
  const std::span<std::byte> from = input.last(in.size());
  std::copy(in.begin(), in.end(), from.begin());
  const std::span<std::byte> to = output.last(size + slack);
  const bool accepted = decode_lz4(from, size, to);
  EXPECT_TRUE(output.intact(to));
  return {accepted, Bytes(to.begin(), to.begin() + static_cast<std::ptrdiff_t>(size))};
}

Decoded decode_theirs(const Bytes& in, std::size_t size) {
  Bytes out(size);
  const int written = LZ4_decompress_safe(chars(in.data()), chars(out.data()),
                                          static_cast<int>(in.size()), static_cast<int>(size));
  return {written == static_cast<int>(size), out};
}

// Whether a sequence says to copy from where it writes: LZ4's decoder lets that pass.
bool has_offset_of_zero(const Bytes& in) {
  std::size_t at = 0;
  const auto next = [&] { return at < in.size() ? std::to_integer<std::size_t>(in[at++]) : 0; };
  while (at < in.size()) {
    const std::size_t token = next();
    const auto skip_length = [&](std::size_t length) {
      for (std::size_t more = length == 15 ? 255 : 0; more == 255 && at < in.size();) {
        more = next();
        length += more;
      }
      return length;
    };
    at += skip_length(token >> 4);
    if (at + 2 > in.size()) return false;
    if (in[at] == std::byte{0} && in[at + 1] == std::byte{0}) return true;
    at += 2;
    skip_length(token & 15);
  }
  return false;
}

TEST(Lz4Decoder, DecodesWhatLz4Encodes) {
  std::mt19937 random(11);
  for (int round = 0; round < 600; ++round) {
    const std::size_t most = round % 3 == 0 ? 40 : round % 3 == 1 ? 700 : 40'000;
    const Bytes plain = plain_bytes(1 + random() % most, random);
    const Bytes in = compress(plain, static_cast<int>(random() % 10));
    for (const std::size_t slack :
         {std::size_t{0}, std::size_t{1}, kLz4Slack - 1, kLz4Slack, std::size_t{1000}}) {
      const Decoded ours = decode_ours(in, plain.size(), slack);
      ASSERT_TRUE(ours.accepted) << "round " << round << ", slack " << slack;
      ASSERT_EQ(ours.bytes, plain) << "round " << round << ", slack " << slack;
    }
  }
}

// As far as it is wanted, and never past the end of the output.
TEST(Lz4Decoder, DecodesAPart) {
  std::mt19937 random(13);
  for (int round = 0; round < 600; ++round) {
    const Bytes plain = plain_bytes(1 + random() % (round % 2 == 0 ? 300 : 40'000), random);
    Bytes in = compress(plain, static_cast<int>(random() % 10));
    const std::size_t wanted = random() % (plain.size() + 1);
    const std::size_t slack = round % 3 == 0 ? 0 : kLz4Slack;
    const bool damaged = round % 5 == 0;
    if (damaged) in[random() % in.size()] ^= std::byte{0x41};
    GuardedBuffer output(plain.size() + slack + GuardedBuffer::kCanary);
    const std::span<std::byte> to = output.last(plain.size() + slack);
    const bool decoded = decode_lz4(in, plain.size(), wanted, to);
    ASSERT_TRUE(output.intact(to));
    if (damaged) continue;
    ASSERT_TRUE(decoded) << "round " << round;
    ASSERT_TRUE(std::equal(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(wanted),
                           to.begin()))
        << "round " << round << ", wanted " << wanted << " of " << plain.size();
  }
}

TEST(Lz4Decoder, RepeatsPatternsOfEveryLength) {
  for (std::size_t period = 1; period <= 40; ++period) {
    for (std::size_t size = 20; size < 200; size += 7) {
      Bytes plain(size);
      for (std::size_t i = 0; i < size; ++i) plain[i] = static_cast<std::byte>(i % period);
      const Decoded ours = decode_ours(compress(plain, 9), size, kLz4Slack);
      ASSERT_TRUE(ours.accepted) << period << " " << size;
      ASSERT_EQ(ours.bytes, plain) << period << " " << size;
    }
  }
}

TEST(Lz4Decoder, JudgesDamageAsLz4Does) {
  std::mt19937 random(12);
  int accepted = 0;
  int refused = 0;
  for (int round = 0; round < mlarray::test::rounds(20'000); ++round) {
    const Bytes plain = plain_bytes(1 + random() % (round % 2 == 0 ? 60 : 900), random);
    Bytes in = compress(plain, static_cast<int>(random() % 10));
    std::size_t size = plain.size();
    switch (random() % 4) {
      case 0:
        in[random() % in.size()] = static_cast<std::byte>(random());
        break;
      case 1:
        in[random() % in.size()] ^= static_cast<std::byte>(1u << random() % 8);
        break;
      case 2:
        in.resize(random() % in.size());
        break;
      default:
        size = std::max<std::size_t>(size + random() % 9, 4) - 4;  // -4 to 4 more
        break;
    }
    const std::size_t slack = random() % 2 == 0 ? kLz4Slack : random() % kLz4Slack;
    const Decoded ours = decode_ours(in, size, slack);
    const Decoded theirs = decode_theirs(in, size);
    if (ours.accepted) {
      ASSERT_TRUE(theirs.accepted) << "round " << round;
      ASSERT_EQ(ours.bytes, theirs.bytes) << "round " << round;
    } else {
      ASSERT_TRUE(!theirs.accepted || has_offset_of_zero(in)) << "round " << round;
    }
    ++(ours.accepted ? accepted : refused);
  }
  EXPECT_GT(accepted, mlarray::test::rounds(1000));
  EXPECT_GT(refused, mlarray::test::rounds(1000));
}

TEST(Lz4Decoder, RefusesAnOffsetOfZero) {
  // One literal, then a match of 19 bytes at offset 0, then five literals.
  Bytes in;
  for (const int byte :
       std::initializer_list<int>{0x1f, 'a', 0, 0, 0, 0x50, 'b', 'c', 'd', 'e', 'f'}) {
    in.push_back(static_cast<std::byte>(byte));
  }
  EXPECT_FALSE(decode_ours(in, 25, kLz4Slack).accepted);
  in[2] = std::byte{1};
  const Decoded right = decode_ours(in, 25, kLz4Slack);
  ASSERT_TRUE(right.accepted);
  EXPECT_EQ(right.bytes[19], std::byte{'a'});
  EXPECT_EQ(right.bytes[24], std::byte{'f'});
}

TEST(Lz4Decoder, RefusesNothing) {
  EXPECT_FALSE(decode_ours({}, 0, kLz4Slack).accepted);
  EXPECT_FALSE(decode_ours({}, 5, 0).accepted);
  EXPECT_FALSE(decode_ours({std::byte{0x04}}, 0, kLz4Slack).accepted);
}

}  // namespace
}  // namespace mlarray::codec::test
