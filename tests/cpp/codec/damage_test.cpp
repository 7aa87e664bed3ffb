// Damaged chunks: refused or decoded to something, never a crash, never a byte outside.
#include <gtest/gtest.h>

#include <random>

#include "codec/bytes.hpp"
#include "codec/checksum.hpp"
#include "codec/chunk_format.hpp"
#include "codec/decoder.hpp"
#include "codec/encoder.hpp"
#include "golden_chunks.hpp"
#include "guarded_buffer.hpp"

namespace mlarray::codec::test {
namespace {

constexpr std::size_t kMaxOut = 1 << 20;

class DamageTest : public ::testing::Test {
 protected:
  // Everything that a reader may do with a chunk. True: the guard let it pass.
  bool use(std::span<const std::byte> chunk, const Expected& expected) {
    ChunkHeader header;
    try {
      header = parse_chunk(chunk, expected);
    } catch (const Error&) {
      return false;
    }
    if (static_cast<std::size_t>(header.nbytes) > kMaxOut) return true;
    attempt([&] {
      const auto out = out_.last(static_cast<std::size_t>(header.nbytes));
      try {
        decoder_.decode_chunk(chunk, header, out, "damaged");
      } catch (const Error&) {
      }
      EXPECT_TRUE(out_.intact(out));
    });
    for (std::int32_t block = 0; block < std::min(header.block_count(), 64); ++block) {
      attempt([&] {
        const auto out = out_.last(static_cast<std::size_t>(block_size(header, block)));
        try {
          decoder_.decode_block(chunk, header, block, out, "damaged");
        } catch (const Error&) {
        }
        EXPECT_TRUE(out_.intact(out));
      });
      attempt([&] { block_checksum(chunk, header, checksum_seed(chunk, header), 0, block); });
    }
    return true;
  }

  template <typename Call>
  void attempt(Call&& call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_FALSE(std::string(error.what()).empty());
    }
  }

  // The chunk, ending at the end of readable memory.
  std::span<std::byte> place(std::span<const std::byte> chunk) {
    const auto target = in_.last(chunk.size());
    copy_bytes(chunk, target.data());
    return target;
  }

  GuardedBuffer in_{1 << 16};
  GuardedBuffer out_{kMaxOut};
  Decoder decoder_;
};

void flip_something(std::mt19937& random, std::span<std::byte> chunk) {
  const auto anywhere = [&](std::size_t from, std::size_t to) {
    return from + random() % (to - from);
  };
  const std::int32_t numbers[] = {0,
                                  1,
                                  -1,
                                  -2,
                                  -255,
                                  -256,
                                  3,
                                  4,
                                  31,
                                  32,
                                  255,
                                  256,
                                  65535,
                                  static_cast<std::int32_t>(chunk.size()),
                                  static_cast<std::int32_t>(chunk.size()) - 1,
                                  2147483647,
                                  -2147483647 - 1};
  const std::int32_t number = numbers[random() % std::size(numbers)];
  const std::size_t end = chunk.size();
  switch (random() % 5) {
    case 0:  // a byte of the header, but its length
      do {
        const std::size_t at = anywhere(0, 32);
        if (at >= 12 && at < 16) continue;
        chunk[at] = static_cast<std::byte>(random());
      } while (random() % 4 == 0);
      break;
    case 1:  // size or block size
      store_i32(chunk, random() % 2 == 0 ? 4 : 8, number);
      break;
    case 2:  // a number near the start: block starts, stream sizes, dictionary size
      if (end >= 40)
        store_i32(chunk, anywhere(32, std::min<std::size_t>(end - 3, 100)), number);
      break;
    case 3:  // a number anywhere
      if (end >= 40) store_i32(chunk, anywhere(32, end - 3), number);
      break;
    default:  // bytes anywhere behind the header
      for (unsigned i = 0; end > 32 && i <= random() % 4; ++i) {
        chunk[anywhere(32, end)] ^= static_cast<std::byte>(1U << random() % 8);
      }
  }
}

TEST_F(DamageTest, NeverCrashesNorWritesOutside) {
  std::mt19937 random(7);
  int passed = 0;
  int rounds = 0;
  for (const GoldenChunk& golden : golden_chunks()) {
    const auto nbytes = static_cast<std::int64_t>(golden.raw.size());
    for (int round = 0; round < 85; ++round, ++rounds) {
      const auto chunk = place(golden.chunk);
      flip_something(random, chunk);
      // As data chunks are opened (the file knows the size), and as unknown ones.
      const bool known = round % 2 == 0;
      passed += use(chunk, known ? Expected{nbytes, -1, -1, "damaged"} : Expected{}) ? 1 : 0;
      if (HasFailure()) FAIL() << golden.name << ", round " << round;
    }
  }
  EXPECT_GT(rounds, 50000);
  // The guard must not be what kept the decoders from being tried.
  EXPECT_GT(passed, rounds / 4);
  EXPECT_LT(passed, rounds);
}

TEST_F(DamageTest, ChunksCutShortButConsistent) {
  std::mt19937 random(8);
  for (const GoldenChunk& golden : golden_chunks()) {
    for (int round = 0; round < 8; ++round) {
      const std::size_t size = 32 + random() % (golden.chunk.size() - 31);
      const auto chunk = place(std::span(golden.chunk).first(size));
      store_i32(chunk, 12, static_cast<std::int32_t>(size));
      use(chunk, {});
      if (HasFailure()) FAIL() << golden.name << " cut to " << size;
    }
  }
}

TEST_F(DamageTest, NoiseBehindAGoodHeader) {
  std::mt19937 random(9);
  for (int round = 0; round < 5000; ++round) {
    const std::size_t size = 40 + random() % 300;
    const auto chunk = in_.last(size);
    for (std::byte& byte : chunk)
      byte = static_cast<std::byte>(random() % 8 == 0 ? random() : 0);
    const auto& golden = golden_chunks()[random() % golden_chunks().size()].chunk;
    copy_bytes(std::span(golden).first(32), chunk.data());
    store_i32(chunk, 12, static_cast<std::int32_t>(size));
    store_i32(chunk, 4, static_cast<std::int32_t>(random() % 2000));
    store_i32(chunk, 32, static_cast<std::int32_t>(32 + random() % 64));
    use(chunk, {});
    if (HasFailure()) FAIL() << "round " << round;
  }
}

TEST_F(DamageTest, DecompressBytesRefusesAClaimBeforeItAllocates) {
  // 32 bytes that claim two gigabytes of zeros.
  std::vector<std::byte> chunk = golden_chunk("zero run").chunk;
  store_i32(chunk, 4, 2147483600);
  EXPECT_THROW(decompress_bytes(chunk, 1 << 20, {.what = "index"}), Error);
}

}  // namespace
}  // namespace mlarray::codec::test
