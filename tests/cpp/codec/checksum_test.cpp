#include "codec/checksum.hpp"

#include <gtest/gtest.h>

#include <set>

#include "codec/bytes.hpp"
#include "codec/hash.hpp"
#include "expect_error.hpp"
#include "golden_chunks.hpp"

namespace mlarray::codec::test {
namespace {

using Bytes = std::vector<std::byte>;

std::vector<std::uint32_t> sums(const Bytes& chunk, std::int64_t number) {
  return chunk_checksums(chunk, parse_chunk(chunk, {}), number);
}

TEST(Checksum, IsTheSameForOneBlockAndForAll) {
  for (const GoldenChunk& golden : golden_chunks()) {
    const ChunkHeader header = parse_chunk(golden.chunk, {});
    const auto all = chunk_checksums(golden.chunk, header, 5);
    ASSERT_EQ(all.size(), static_cast<std::size_t>(header.block_count()));
    for (std::size_t block = 0; block < all.size(); ++block) {
      if (header.special != Special::none && block > 0) {
        EXPECT_EQ(all[block], kNoChecksum) << golden.name;
        continue;
      }
      EXPECT_NE(all[block], kNoChecksum);
      EXPECT_EQ(all[block],
                block_checksum(golden.chunk, header, checksum_seed(golden.chunk, header), 5,
                               static_cast<std::int32_t>(block)));
    }
  }
}

TEST(Checksum, FindsAnyChangedByteButBlockStarts) {
  for (const char* name : {"lz4 shuffle typesize=4 split", "zstd none typesize=1 whole",
                           "incompressible", "special value <c16", "dictionary lz4"}) {
    const Bytes chunk = golden_chunk(name).chunk;
    const ChunkHeader header = parse_chunk(chunk, {});
    const auto before = chunk_checksums(chunk, header, 0);
    const bool has_starts = header.special == Special::none && !header.memcpyed;
    const std::size_t starts_end =
        32 + (has_starts ? 4 * static_cast<std::size_t>(header.block_count()) : 0);
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      if (i >= 32 && i < starts_end) continue;
      Bytes changed = chunk;
      changed[i] ^= std::byte{1};
      try {
        EXPECT_NE(chunk_checksums(changed, header, 0), before) << name << " byte " << i;
      } catch (const Error&) {
        // A changed stream size may lead out of the chunk: found as well.
      }
    }
  }
}

TEST(Checksum, KnowsThePlaceOfTheBlock) {
  // Stored as it is: two blocks of the same bytes.
  Bytes chunk = golden_chunk("incompressible").chunk;
  for (std::size_t i = 0; i < 500; ++i) chunk[32 + 500 + i] = chunk[32 + i];
  const auto here = sums(chunk, 3);
  EXPECT_NE(here[0], here[1]);
  EXPECT_NE(here[0], sums(chunk, 4)[0]);
}

TEST(Checksum, DoesNotDependOnTheOrderOfBlocksInTheChunk) {
  // The block starts may come in any order; a block is its own streams.
  const Bytes chunk = golden_chunk("lz4 shuffle typesize=4 split").chunk;
  const ChunkHeader header = parse_chunk(chunk, {});
  const auto first = block_bytes(chunk, header, 0);
  const auto second = block_bytes(chunk, header, 1);
  Bytes swapped = chunk;
  copy_bytes(second, swapped.data() + 44);
  copy_bytes(first, swapped.data() + 44 + second.size());
  store_i32(swapped, 32, static_cast<std::int32_t>(44 + second.size()));
  store_i32(swapped, 36, 44);
  EXPECT_EQ(sums(swapped, 9), sums(chunk, 9));
}

// The values of an independent implementation of the definition in checksum.hpp.
TEST(Checksum, IsFixedOnDisk) {
  using Sums = std::vector<std::uint32_t>;
  EXPECT_EQ(sums(golden_chunk("incompressible").chunk, 7),
            (Sums{367705U, 3565350677U, 4133634718U, 2667401421U}));
  EXPECT_EQ(sums(golden_chunk("dictionary zstd").chunk, 7),
            (Sums{2818110955U, 319383589U, 2242359500U, 443376484U}));
  EXPECT_EQ(sums(golden_chunk("special value <c16").chunk, 7)[0], 2107747886U);
}

// A kernel for wide vectors must not write other sums than the next machine expects.
TEST(Hash, IsTheSameWithEveryInstructionSet) {
  Bytes data(5000);
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i] = static_cast<std::byte>(i * 2654435761U >> 13);
  }
  const HashKernel& plain = *hash_kernels().back();
  EXPECT_STREQ(plain.name, "baseline");
  for (const HashKernel* kernel : hash_kernels()) {
    for (std::size_t size = 0; size <= data.size(); size += size < 600 ? 1 : 97) {
      ASSERT_EQ(kernel->hash64(data.data(), size, 77), plain.hash64(data.data(), size, 77))
          << kernel->name << " of " << size;
      const HashPart parts[] = {{data.data(), size / 3},
                                {data.data() + size / 3, size - size / 3}};
      std::uint64_t here[2];
      std::uint64_t there[2];
      kernel->hash128(parts, 2, here);
      plain.hash128(parts, 2, there);
      ASSERT_EQ(here[0], there[0]) << kernel->name << " of " << size;
      ASSERT_EQ(here[1], there[1]) << kernel->name << " of " << size;
    }
  }
}

std::string hex(const std::array<std::byte, 16>& bytes) {
  std::string text;
  for (const std::byte b : bytes) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(b) >> 4];
    text += "0123456789abcdef"[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

TEST(Fingerprint, IsXxh3OfThePartsTogether) {
  using Part = std::span<const std::byte>;
  const Part whole = as_bytes("header, index and trailer");
  const std::vector<Part> one{whole};
  const std::vector<Part> three{whole.first(6), {}, whole.subspan(6)};
  EXPECT_EQ(fingerprint(one), fingerprint(three));
  EXPECT_NE(fingerprint(one), fingerprint(std::vector<Part>{whole.first(6)}));
  // The published value for no bytes.
  EXPECT_EQ(hex(fingerprint({})), "99aa06d3014798d86001c324468d497f");
}

}  // namespace
}  // namespace mlarray::codec::test
