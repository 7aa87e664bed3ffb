#include "codec/run_encoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>

#include "codec/lz_functions.hpp"
#include "guarded_buffer.hpp"

namespace mlarray::codec::test {
namespace {

using Bytes = std::vector<std::byte>;
using Random = std::mt19937;

constexpr std::size_t kMost = 140000;

// Runs of 1 to `longest` bytes, of `values` values.
Bytes random_runs(std::size_t size, unsigned longest, unsigned values, unsigned seed) {
  Random random(seed);
  Bytes out;
  while (out.size() < size) {
    const std::size_t length = 1 + random() % longest;
    out.insert(out.end(), std::min(length, size - out.size()),
               static_cast<std::byte>(random() % values));
  }
  return out;
}

// What a block of a label map looks like: balls in a box of z * y * x voxels.
Bytes label_block(std::size_t z_size, std::size_t y_size, std::size_t x_size, unsigned seed) {
  struct Ball {
    double z, y, x, radius;
  };
  Random random(seed);
  std::vector<Ball> balls;
  const auto place = [&](std::size_t size) {
    return static_cast<double>(random() % (10 * size)) / 10;
  };
  for (int i = 0; i < 6; ++i) {
    balls.push_back({place(z_size), place(y_size), place(x_size), 4 + place(12)});
  }
  Bytes out;
  for (std::size_t z = 0; z < z_size; ++z) {
    for (std::size_t y = 0; y < y_size; ++y) {
      for (std::size_t x = 0; x < x_size; ++x) {
        unsigned label = 0;
        for (unsigned i = 0; i < balls.size(); ++i) {
          const double dz = static_cast<double>(z) - balls[i].z;
          const double dy = static_cast<double>(y) - balls[i].y;
          const double dx = static_cast<double>(x) - balls[i].x;
          if (dz * dz + dy * dy + dx * dx < balls[i].radius * balls[i].radius) label = i + 1;
        }
        out.push_back(static_cast<std::byte>(label));
      }
    }
  }
  return out;
}

struct Kind {
  const char* name;
  std::function<Bytes(std::size_t)> make;
};

Bytes by_place(std::size_t size, const std::function<std::size_t(std::size_t)>& value) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(value(i));
  return out;
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"zeros", [](std::size_t n) { return Bytes(n); }},
      {"short runs", [](std::size_t n) { return random_runs(n, 8, 3, 1); }},
      {"runs", [](std::size_t n) { return random_runs(n, 60, 4, 2); }},
      {"long runs", [](std::size_t n) { return random_runs(n, 3000, 200, 3); }},
      {"stripes", [](std::size_t n) { return by_place(n, [](auto i) { return i / 7 % 2; }); }},
      {"steps", [](std::size_t n) { return by_place(n, [](auto i) { return i / 40; }); }},
      {"far repeats",
       [](std::size_t n) {
         Bytes out = random_runs(n, 30, 250, 4);
         for (std::size_t i = 50000; i < n; ++i) out[i] = out[i - 50000];
         return out;
       }},
  };
  return all;
}

Bytes encode(RunEncoder& encoder, const Bytes& data, int level = 5) {
  Bytes out(data.size() + 64);
  out.resize(encoder.encode(data, out, level));
  return out;
}

Bytes decode(const Bytes& block, std::size_t size) {
  Bytes out(size + 1);  // one more shows a block that goes on
  const int written = LZ4_decompress_safe(
      reinterpret_cast<const char*>(block.data()), reinterpret_cast<char*>(out.data()),
      static_cast<int>(block.size()), static_cast<int>(out.size()));
  out.resize(written < 0 ? 0 : static_cast<std::size_t>(written));
  return out;
}

TEST(RunEncoder, RoundTripsAnySize) {
  RunEncoder encoder(kMost);
  std::vector<std::size_t> sizes{1000, 25200, 65534, 65535, 65536, 65546, 65547, 65548, kMost};
  for (std::size_t size = 1; size < 80; ++size) sizes.push_back(size);
  for (const Kind& kind : kinds()) {
    for (const std::size_t size : sizes) {
      const Bytes data = kind.make(size);
      for (const int level : {1, 4, 9}) {
        const Bytes block = encode(encoder, data, level);
        // A few bytes have too many runs: no block.
        if (size < 80 && block.empty()) continue;
        ASSERT_EQ(decode(block, size), data) << kind.name << " of " << size;
        if (size >= 1000) {
          EXPECT_LT(block.size(), size * 7 / 8) << kind.name;
        }
      }
    }
  }
}

TEST(RunEncoder, RoundTripsManySmallInputs) {
  RunEncoder encoder(kMost);
  std::size_t blocks = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    const Bytes data = random_runs(13 + seed % 500, 2 + seed % 37, 2 + seed % 5, seed);
    const Bytes block = encode(encoder, data, 1 + static_cast<int>(seed % 9));
    if (block.empty()) continue;
    ++blocks;
    ASSERT_EQ(decode(block, data.size()), data) << "seed " << seed;
  }
  EXPECT_GT(blocks, 2000U);
}

// The format asks for more at the end than most decoders check.
TEST(RunEncoder, EndsAsTheFormatAsksFor) {
  RunEncoder encoder(kMost);
  for (const Kind& kind : kinds()) {
    for (const std::size_t size : {13U, 14U, 17U, 30U, 200U, 5000U, 65547U, 65552U, 100000U}) {
      const Bytes block = encode(encoder, kind.make(size));
      std::size_t at = 0;
      std::size_t decoded = 0;
      std::size_t match_begin = 0;
      std::size_t literals = 0;
      const auto number = [&](std::size_t half) {
        if (half < 15) return half;
        std::size_t more = 255;
        while (more == 255) half += more = std::to_integer<std::size_t>(block.at(at++));
        return half;
      };
      while (at < block.size()) {
        const auto token = std::to_integer<std::size_t>(block[at++]);
        literals = number(token >> 4);
        at += literals;
        decoded += literals;
        if (at >= block.size()) break;
        at += 2;
        match_begin = decoded;
        decoded += 4 + number(token & 15);
        literals = 0;
      }
      if (block.empty()) continue;
      EXPECT_EQ(decoded, size) << kind.name;
      EXPECT_GE(literals, std::min<std::size_t>(size, 5)) << kind.name << " of " << size;
      if (match_begin != 0) {
        EXPECT_LE(match_begin + 12, size) << kind.name << " of " << size;
      }
    }
  }
}

TEST(RunEncoder, StaysInsideWhatItIsGiven) {
  RunEncoder encoder(kMost);
  GuardedBuffer input(3000);
  GuardedBuffer output(3000);
  for (const Kind& kind : kinds()) {
    for (const std::size_t size : {13U, 64U, 700U}) {
      const Bytes data = kind.make(size);
      const Bytes block = encode(encoder, data);
      const std::span<std::byte> from = input.last(size);
      std::copy(data.begin(), data.end(), from.begin());
      for (std::size_t room = 0; room <= block.size(); ++room) {
        const std::span<std::byte> to = output.last(room);
        const std::size_t written = encoder.encode(from, to, 5);
        EXPECT_TRUE(output.intact(to));
        ASSERT_EQ(written, room == block.size() ? room : 0) << kind.name << " of " << size;
        if (written != 0) {
          EXPECT_TRUE(std::ranges::equal(to, block));
        }
      }
    }
  }
}

TEST(RunEncoder, GivesTheSameBytesWhateverCameBefore) {
  RunEncoder used(kMost);
  for (int round = 0; round < 2; ++round) {
    for (const Kind& kind : kinds()) {
      for (const std::size_t size : {300U, 20000U, 70000U}) {
        const Bytes data = kind.make(size);
        RunEncoder fresh(size);
        EXPECT_EQ(encode(used, data), encode(fresh, data)) << kind.name;
      }
    }
  }
}

TEST(RunEncoder, LeavesManyRunsToOthers) {
  RunEncoder encoder(kMost);
  Random random(5);
  const Bytes noise = by_place(10000, [&](std::size_t) { return random(); });
  EXPECT_TRUE(encode(encoder, noise).empty());
  Bytes late = noise;  // only in its second half
  std::fill_n(late.begin(), 5000, std::byte{0});
  EXPECT_TRUE(encode(encoder, late).empty());
  const auto every = [](std::size_t step) {
    return by_place(9000, [=](std::size_t i) { return i / step; });
  };
  EXPECT_TRUE(encode(encoder, every(2)).empty());
  EXPECT_FALSE(encode(encoder, every(3)).empty());
}

std::size_t lz4hc_bytes(const Bytes& data, int level) {
  Bytes state(static_cast<std::size_t>(LZ4_sizeofStateHC()));
  EXPECT_NE(LZ4_initStreamHC(state.data(), state.size()), nullptr);
  Bytes out(data.size());
  return static_cast<std::size_t>(LZ4_compress_HC_extStateHC_fastReset(
      state.data(), reinterpret_cast<const char*>(data.data()),
      reinterpret_cast<char*>(out.data()), static_cast<int>(data.size()),
      static_cast<int>(out.size()), level));
}

TEST(RunEncoder, IsAboutAsDenseAsLz4HcLevel8OnLabels) {
  RunEncoder encoder(kMost);
  std::array<std::size_t, 3> ours{};
  std::array<std::size_t, 2> theirs{};
  for (unsigned seed = 0; seed < 30; ++seed) {
    const Bytes data = label_block(28, 30, 30, seed);
    for (const int level : {1, 3, 6}) {
      ours[static_cast<std::size_t>(level / 3)] += encode(encoder, data, level).size();
    }
    theirs[0] += lz4hc_bytes(data, 5);
    theirs[1] += lz4hc_bytes(data, 8);
  }
  EXPECT_GT(ours[0], ours[1]);
  EXPECT_GT(ours[1], ours[2]);
  EXPECT_GT(ours[2], 0U);
  EXPECT_LT(ours[1], theirs[0]);
  EXPECT_LT(ours[2], theirs[1] + theirs[1] / 50);
}

}  // namespace
}  // namespace mlarray::codec::test
