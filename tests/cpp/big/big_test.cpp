// What passes 32 bits: voxels, bytes, offsets, and a million chunks. The files are sparse and
// take few bytes of a disk, and the process may not have more memory than kMemory.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <vector>

#include "frame/frame.hpp"
#include "io/byte_source.hpp"
#include "mlarray/array.hpp"
#include "mlarray/process.hpp"
#include "mlarray/repack.hpp"
#include "mlarray/salvage.hpp"
#include "support/temp_dir.hpp"

namespace mlarray {
namespace {

constexpr std::uint64_t kMemory = std::uint64_t{256} << 20;
constexpr std::int64_t kTwo32 = std::int64_t{1} << 32;

// More memory is an std::bad_alloc. Maps of files do not count.
class LittleMemory : public testing::Environment {
 public:
  void SetUp() override {
    set_num_threads(2);
    const rlimit most{kMemory, kMemory};
    ASSERT_EQ(::setrlimit(RLIMIT_DATA, &most), 0);
  }
};
const auto* const kLittleMemory = testing::AddGlobalTestEnvironment(new LittleMemory);

std::int64_t bytes_on_disk(const std::filesystem::path& path) {
  struct stat found{};
  EXPECT_EQ(::stat(path.c_str(), &found), 0);
  return std::int64_t{found.st_blocks} * 512;
}

Shape minus(const Shape& a, const Shape& b) {
  Shape out = a;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] -= b[i];
  return out;
}

std::vector<std::int16_t> ramp(const Shape& shape, std::int16_t first) {
  std::vector<std::int16_t> voxels(static_cast<std::size_t>(element_count(shape)));
  std::iota(voxels.begin(), voxels.end(), first);
  return voxels;
}

// 4.5 * 10^9 voxels, 9.0 * 10^9 bytes, 1,100,800 chunks.
const Shape kShape{1075, 2048, 2048};
const Shape kPart{2, 70, 70};  // several chunks
const Box kFirst{{0, 0, 0}, kPart};
const Box kLast{minus(kShape, kPart), kShape};

SaveOptions in_small_chunks() {
  SaveOptions options;
  options.layout.patch = AutomaticLayout{};
  options.layout.chunk = Shape{1, 64, 64};
  options.layout.block = Shape{1, 64, 64};
  options.level = CommitLevel::none;
  return options;
}

class Big : public testing::Test {
 protected:
  std::filesystem::path sparse() {
    const auto path = folder_ / "sparse.mla";
    Array image = Array::create(path, kShape, DType::of<std::int16_t>(), {}, in_small_chunks());
    image.write<std::int16_t>(kFirst, ramp(kPart, 1));
    image.write<std::int16_t>(kLast, ramp(kPart, 2));
    image.close();
    return path;
  }

  void expect_both_ends(const Array& image, std::int16_t first, std::int16_t last) {
    ASSERT_EQ(image.shape(), kShape);
    EXPECT_EQ(image.read<std::int16_t>(kFirst), ramp(kPart, first));
    EXPECT_EQ(image.read<std::int16_t>(kLast), ramp(kPart, last));
    EXPECT_EQ(image.read<std::int16_t>({{537, 0, 0}, {538, 1, 4}}),
              std::vector<std::int16_t>(4));
    const Box boxes[] = {kLast, kFirst};
    std::vector<std::int16_t> both(2 * ramp(kPart, 0).size());
    image.read_many<std::int16_t>(boxes, both);
    EXPECT_EQ(both.front(), last);
    EXPECT_EQ(both[both.size() / 2], first);
    const Box beyond{minus(kShape, {1, 1, 1}), {1076, 2049, 2049}};
    const auto padded = image.read_padded<std::int16_t>(beyond, std::int16_t{-5});
    EXPECT_EQ(padded, (std::vector<std::int16_t>{ramp(kPart, last).back(), -5, -5, -5, -5, -5,
                                                 -5, -5}));
  }

  test::TempDir folder_;
};

TEST_F(Big, AMillionChunksAreWrittenReadAndEditedAtBothEnds) {
  EXPECT_GT(element_count(kShape), kTwo32);
  const auto path = sparse();
  EXPECT_LT(bytes_on_disk(path), std::int64_t{32} << 20);
  expect_both_ends(Array::open(path), 1, 2);
  {
    Array image = Array::open(path, {.mode = Mode::read_write, .level = CommitLevel::none});
    image.write<std::int16_t>(kLast, ramp(kPart, 20));
    image.write<std::int16_t>(kFirst, ramp(kPart, 10));
    image.close();
  }
  const Array image = Array::open(path);
  expect_both_ends(image, 10, 20);
  EXPECT_ANY_THROW((image.read<std::int16_t>({{0, 0, 0}, {1, 1, 2049}})));
}

TEST_F(Big, AMillionChunksAreVerified) {
  const VerifyReport report = verify_file(sparse());
  EXPECT_TRUE(report.verified());
  EXPECT_EQ(report.chunks, 1075 * 32 * 32);
  EXPECT_GT(report.blocks, 0);
}

TEST_F(Big, StatisticsCountBeyond32Bits) {
  const Array image = Array::open(sparse());
  const Statistics all = image.statistics();
  EXPECT_EQ(all.count, element_count(kShape));
  EXPECT_EQ(all.max, Value(ramp(kPart, 2).back()));
  EXPECT_EQ(all.median, 0);
  // Of a part: under a mask that is 1 at the end.
  Array mask = Array::in_memory(kShape, DType::of<std::uint8_t>(), {}, {}, in_small_chunks());
  mask.write<std::uint8_t>(kLast, std::vector<std::uint8_t>(ramp(kPart, 0).size(), 1));
  const Statistics part = image.statistics({.mask = {.array = &mask}});
  EXPECT_EQ(part.count, element_count(kPart));
  EXPECT_EQ(part.min, Value(2));
}

TEST_F(Big, TheEndIsSalvaged) {
  const auto path = sparse();
  const auto good = folder_ / "good.mla";
  const SalvageReport report = salvage(path, good, {.level = CommitLevel::none});
  EXPECT_TRUE(report.verified());
  EXPECT_EQ(report.voxels, element_count(kShape));
  expect_both_ends(Array::open(good), 1, 2);
}

// Index and trailer of a file further behind, so that the next chunks lie there.
void move_tail(const std::filesystem::path& path, std::uint64_t position) {
  frame::State state;
  std::vector<std::byte> tail;
  {
    const auto source = io::open_buffered(path);
    state = frame::read_state(*source);
    tail = frame::build_tail(state.header, state.header_bytes, position, state.index,
                             state.vlmeta);
  }
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](std::uint64_t at, const std::vector<std::byte>& bytes) {
    file.seekp(static_cast<std::streamoff>(at));
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  };
  put(position, tail);
  put(0, state.header_bytes);
  file.close();
  ASSERT_TRUE(file);
}

TEST_F(Big, ChunksLieBeyondFourGiB) {
  const auto path = folder_ / "hole.mla";
  const Shape shape{8, 64, 64};
  const Box last{{7, 0, 0}, shape};
  const std::vector<std::int16_t> voxels = ramp(shape, 1);
  Array::save_voxels<std::int16_t>(path, voxels, shape, {}, in_small_chunks());
  move_tail(path, static_cast<std::uint64_t>(kTwo32) + 12345);
  EXPECT_LT(bytes_on_disk(path), std::int64_t{1} << 20);
  EXPECT_EQ(Array::open(path).read<std::int16_t>({{0, 0, 0}, shape}), voxels);

  const std::vector<std::int16_t> edited = ramp(last.shape(), 9);
  Array writer = Array::open(path, {.mode = Mode::read_write, .level = CommitLevel::none});
  writer.write<std::int16_t>(last, edited);
  writer.flush();
  for (const Access access : {Access::mapped, Access::buffered}) {
    const Array image = Array::open(path, {.access = access});
    EXPECT_EQ(image.seal(), Seal::valid);
    EXPECT_EQ(image.read<std::int16_t>(last), edited);
    EXPECT_EQ(image.read<std::int16_t>({{0, 0, 0}, {1, 64, 64}}), ramp({1, 64, 64}, 1));
    EXPECT_TRUE(image.verify().verified());
    EXPECT_GT(image.file_bytes(), kTwo32);
  }
  const auto good = folder_ / "good.mla";
  EXPECT_TRUE(salvage(path, good, {.level = CommitLevel::none}).complete());
  EXPECT_EQ(Array::open(good).read<std::int16_t>(last), edited);

  writer.close();  // compacts: the hole is dead space
  EXPECT_LT(static_cast<std::int64_t>(std::filesystem::file_size(path)), std::int64_t{1} << 20);
  EXPECT_EQ(Array::open(path).read<std::int16_t>(last), edited);
}

TEST_F(Big, AFileOfMoreThanFourGiBIsRepacked) {
  const auto path = folder_ / "hole.mla";
  const Shape shape{4, 64, 64};
  Array::save_voxels<std::int16_t>(path, ramp(shape, 1), shape, {}, in_small_chunks());
  move_tail(path, static_cast<std::uint64_t>(kTwo32) + 12345);
  const RepackReport report = repack(path, {.level = CommitLevel::none});
  EXPECT_GT(report.bytes_before, kTwo32);
  EXPECT_LT(report.bytes_after, std::int64_t{1} << 20);
  EXPECT_EQ(Array::open(path).read<std::int16_t>({{0, 0, 0}, shape}), ramp(shape, 1));
}

}  // namespace
}  // namespace mlarray
