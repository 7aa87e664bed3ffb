// What a small file may cost in memory, whatever it claims.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <random>
#include <vector>

#include "codec/chunk_format.hpp"
#include "mlarray/array.hpp"
#include "session/snapshot.hpp"
#include "support/child_process.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray::session {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// A file of uint8 as an attacker writes it: the chunks' bytes are taken as they are, and an
// empty one is named by the index alone.
void write_file(const std::filesystem::path& path, const Shape& shape, const Shape& chunk,
                const Shape& block, const std::vector<std::vector<std::byte>>& chunks) {
  const grid::Geometry geometry(shape, chunk, block, 1);
  std::vector<std::byte> header_bytes;
  frame::Header header = store::new_header({geometry, DType::parse("|u1"), {}}, header_bytes);
  std::vector<std::byte> body;
  std::vector<frame::IndexEntry> index(static_cast<std::size_t>(geometry.chunk_count()));
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    if (chunks[i].empty()) continue;
    index[i] = frame::IndexEntry::at(body.size());
    body.insert(body.end(), chunks[i].begin(), chunks[i].end());
  }
  const auto tail =
      frame::build_tail(header, header_bytes, header_bytes.size() + body.size(), index, {});
  std::ofstream out(path, std::ios::binary);
  for (const std::span<const std::byte> part :
       {std::span<const std::byte>(header_bytes), std::span<const std::byte>(body),
        std::span<const std::byte>(tail)}) {
    out.write(reinterpret_cast<const char*>(part.data()),
              static_cast<std::streamsize>(part.size()));
  }
}

// An LZ4 chunk of one block, which is a run of zeros: 40 bytes that claim any number.
std::vector<std::byte> run_chunk(std::int32_t nbytes) {
  std::vector<std::byte> chunk(codec::kChunkHeaderBytes + 8);
  chunk[codec::at::kVersion] = std::byte{codec::kFormatVersion};
  chunk[codec::at::kCodecVersion] = std::byte{1};
  chunk[codec::at::kFlags] =
      std::byte{codec::kExtendedHeader | codec::kNotSplit | (codec::kFormatLz4 << 5)};
  chunk[codec::at::kTypesize] = std::byte{1};
  codec::store_i32(chunk, codec::at::kNbytes, nbytes);
  codec::store_i32(chunk, codec::at::kBlocksize, nbytes);
  codec::store_i32(chunk, codec::at::kCbytes, static_cast<std::int32_t>(chunk.size()));
  codec::store_i32(chunk, codec::kChunkHeaderBytes, codec::kChunkHeaderBytes + 4);
  return chunk;  // the block's stream has length 0: zeros
}

std::int64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

// Builds without optimisation and sanitizers take their time.
constexpr unsigned kPatienceSeconds = 240;

// Bytes that `body` adds to the most that a process of its own has in memory; -1: it failed.
// Sanitizers keep what was freed, so under them the body runs and its memory is not judged.
template <class Body>
std::int64_t peak_growth(Body body) {
  const test::TempDir dir;
  const std::filesystem::path result = dir.path() / "result";
  const int status = test::run_in_child(
      [&] {
        const std::int64_t before = peak_bytes();
        body();
        std::ofstream(result) << peak_bytes() - before;
        return 0;
      },
      kPatienceSeconds);
  std::int64_t growth = -1;
  std::ifstream(result) >> growth;
  if (status != 0) return -1;
  return kSanitized ? 0 : growth;
}

std::vector<std::byte> read(const Array& image, const Box& box) {
  std::vector<std::byte> out(static_cast<std::size_t>(element_count(box.shape())),
                             std::byte{7});
  image.read(box, out, 4);
  return out;
}

TEST(Budget, AVoxelOfAHugeBlockOfOneValueCostsAVoxel) {
  const test::TempDir dir;
  const auto path = dir.path() / "a.b2nd";
  const std::int64_t side = 2147483000;
  write_file(path, {side}, {side}, {side}, {});
  EXPECT_LT(std::filesystem::file_size(path), 400U);
  const std::int64_t growth = peak_growth([&] {
    const auto voxels = read(Array::open(path), {{side - 3}, {side}});
    if (voxels != std::vector<std::byte>(3)) throw std::runtime_error("wrong voxels");
  });
  EXPECT_GE(growth, 0);
  EXPECT_LT(growth, 16 * kMiB);
}

TEST(Budget, ABlockMayNotBeMadeOfNothing) {
  const test::TempDir dir;
  const auto path = dir.path() / "a.b2nd";
  const std::int32_t side = 500'000'000;
  write_file(path, {side}, {side}, {side}, {run_chunk(side)});
  const std::int64_t growth = peak_growth([&] {
    try {
      read(Array::open(path), {{0}, {1}});
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::corruption) return;
    }
    throw std::runtime_error("it was read");
  });
  EXPECT_GE(growth, 0);
  EXPECT_LT(growth, 16 * kMiB);
}

TEST(Budget, LargeBlocksAreDecodedByFewThreads) {
  const test::TempDir dir;
  const auto path = dir.path() / "a.b2nd";
  const auto side = static_cast<std::int32_t>(codec::kFreeExpansion);
  write_file(path, {4 * std::int64_t{side}}, {side}, {side},
             std::vector<std::vector<std::byte>>(4, run_chunk(side)));
  const std::int64_t growth = peak_growth([&] {
    const Array image = Array::open(path);
    // Two voxels, on either side of a border between chunks.
    for (std::int64_t i = 1; i < 4; ++i) read(image, {{i * side - 1}, {i * side + 1}});
  });
  EXPECT_GE(growth, 0);
  EXPECT_LT(growth, 200 * kMiB);
}

TEST(Budget, LargeChunksAreEncodedByFewThreads) {
  const test::TempDir dir;
  const std::int64_t side = kSanitized ? kMiB : 64 * kMiB;
  // Noise, so that what is encoded is as large as what it is made of.
  std::vector<std::uint64_t> noise(static_cast<std::size_t>(side));
  std::mt19937_64 random(1);
  std::generate(noise.begin(), noise.end(), std::ref(random));
  const Shape shape = {8 * side};
  const ConstArrayView voxels{reinterpret_cast<const std::byte*>(noise.data()), shape, {1}};
  SaveOptions options = test::with_layout({side}, {kMiB});
  options.threads = 8;
  const std::int64_t growth = peak_growth([&] {
    Array::save_voxels(dir.path() / "a.mla", voxels, DType::parse("|u1"), {}, options);
  });
  EXPECT_GE(growth, 0);
  EXPECT_LT(growth, 640 * kMiB);  // a chunk and its encoding for each of 8 threads: 1024 MiB
}

TEST(Budget, AReadPlansAFewChunksAtATime) {
  const test::TempDir dir;
  const auto path = dir.path() / "a.b2nd";
  const std::int64_t chunks = 1'000'000;
  write_file(path, {chunks}, {1}, {1}, {});
  const std::int64_t growth = peak_growth([&] { read(Array::open(path), {{0}, {chunks}}); });
  EXPECT_GE(growth, 0);
  EXPECT_LT(growth, 96 * kMiB);
}

}  // namespace
}  // namespace mlarray::session
