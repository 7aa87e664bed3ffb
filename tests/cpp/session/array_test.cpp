#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "codec/checksum.hpp"
#include "codec/chunk.hpp"
#include "grid/strided.hpp"
#include "pipeline/read_box.hpp"
#include "session/state_of.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using test::int16;
using test::random_box;
using test::read;
using test::read_all;
using test::TempDir;
using test::Voxels;
using test::with_layout;

TEST(Array, ReadsBackWhatWasSavedForEveryRank) {
  const TempDir dir;
  std::mt19937 random(5);
  for (std::size_t ndim = 0; ndim <= 16; ++ndim) {
    Shape shape;
    for (std::size_t i = 0; i < ndim; ++i) {
      shape.push_back(ndim > 6 ? 1 + static_cast<std::int64_t>(random() % 2)
                               : 3 + static_cast<std::int64_t>(random() % 6));
    }
    const Voxels voxels(shape);
    Shape chunk;
    Shape block;
    for (const std::int64_t length : shape) {
      chunk.push_back(std::max<std::int64_t>(1, length * 2 / 3));
      block.push_back(std::max<std::int64_t>(1, chunk.back() / 2));
    }
    const auto path = dir.path() / "a.mla";
    Array::save_voxels(path, voxels.view(), int16(), {}, with_layout(chunk, block));
    const Array array = Array::open(path);
    EXPECT_EQ(array.shape(), shape);
    EXPECT_EQ(array.chunk_shape(), chunk);
    EXPECT_EQ(array.block_shape(), block);
    EXPECT_EQ(array.seal(), Seal::valid);
    EXPECT_EQ(read_all(array), voxels.data) << ndim << " axes";
    for (int i = 0; i < 20; ++i) {
      const Box box = random_box(shape, random);
      EXPECT_EQ(read(array, box), voxels.cut(box));
    }
  }
}

TEST(Array, KeepsEmptyArrays) {
  const TempDir dir;
  for (const Shape& shape : {Shape{0}, Shape{0, 5}, Shape{3, 0, 2}}) {
    const Voxels voxels(shape);
    const auto path = dir.path() / "empty.mla";
    Array::save_voxels(path, voxels.view(), int16());
    EXPECT_EQ(Array::open(path).shape(), shape);
    EXPECT_TRUE(read_all(Array::open(path)).empty());
  }
}

TEST(Array, ReadsIntoAnyStrides) {
  const TempDir dir;
  const Voxels voxels({9, 11, 13});
  const auto path = dir.path() / "a.mla";
  Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({4, 5, 6}, {2, 3, 4}));
  const Array array = Array::open(path);
  // Fortran order.
  std::vector<std::int16_t> out(voxels.data.size());
  const std::vector<std::int64_t> strides = {2, 9 * 2, 9 * 11 * 2};
  array.read(voxels.whole(),
             ArrayView{reinterpret_cast<std::byte*>(out.data()), voxels.shape, strides});
  Voxels::for_each(voxels.whole(), [&](const Shape& p) {
    EXPECT_EQ(out[static_cast<std::size_t>(p[0] + 9 * p[1] + 99 * p[2])],
              voxels.data[voxels.offset(p)]);
  });
}

TEST(Array, RefusesBoxesAndBuffersThatDoNotFit) {
  const TempDir dir;
  const Voxels voxels({9, 11});
  const auto path = dir.path() / "a.mla";
  Array::save_voxels(path, voxels.view(), int16());
  const Array array = Array::open(path);
  std::vector<std::byte> out(18);
  EXPECT_THROW(array.read({{0, 0}, {1, 12}}, out), Error);
  EXPECT_THROW(array.read({{-1, 0}, {1, 9}}, out), Error);
  EXPECT_THROW(array.read({{0}, {9}}, out), Error);
  EXPECT_THROW(array.read({{0, 0}, {1, 8}}, out), Error);
  EXPECT_NO_THROW(array.read({{0, 0}, {1, 9}}, out));
}

TEST(Array, EveryAccessAndModeReadsTheSame) {
  const TempDir dir;
  const Voxels voxels({20, 30, 25});
  const auto path = dir.path() / "a.mla";
  Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({8, 16, 16}, {4, 8, 8}));
  for (const Access access : {Access::mapped, Access::buffered}) {
    for (const Mode mode : {Mode::read, Mode::copy_on_write, Mode::read_write}) {
      EXPECT_EQ(read_all(Array::open(path, {.mode = mode, .access = access})), voxels.data);
    }
  }
  EXPECT_EQ(read_all(Array::load(path)), voxels.data);
  EXPECT_EQ(read_all(Array::in_memory(voxels.shape, int16(), voxels.view())), voxels.data);
}

TEST(Array, ReadsTheSameByCopiesAndFromTheMap) {
  const TempDir dir;
  const Voxels voxels({40, 50, 60});
  const auto path = dir.path() / "a.mla";
  SaveOptions options = with_layout({16, 16, 32}, {8, 8, 8});
  for (const Codec codec : {Codec::lz4, Codec::zstd}) {
    options.codec = CodecParams{.codec = codec};
    Array::save_voxels(path, voxels.view(), int16(), {}, options);
    const std::shared_ptr<io::ByteSource> source = io::open_mapped(path);
    const session::Snapshot content = test::state_of(source);
    std::mt19937 random(3);
    int copied = 0;
    int mapped = 0;
    for (int round = 0; round < 200; ++round) {
      ++(source->prefers_copies() ? copied : mapped);
      const Box box = random_box(voxels.shape, random);
      const std::vector<std::int16_t> expected = voxels.cut(box);
      std::vector<std::int16_t> found(expected.size());
      const ArrayView out{reinterpret_cast<std::byte*>(found.data()), box.shape(),
                          grid::c_strides(box.shape(), 2)};
      pipeline::read_box(*content.chunks, content.geometry(), box, out,
                         {.threads = 1 + round % 2});
      ASSERT_EQ(found, expected) << "round " << round;
    }
    EXPECT_GT(copied, 0);
    EXPECT_GT(mapped, 0);
  }
}

TEST(Array, HoldsElementsOfAnySize) {
  const TempDir dir;
  for (const int itemsize : {1, 3, 7, 16, 255, 256, 300, 5000}) {
    std::vector<std::byte> data(static_cast<std::size_t>(6 * 5 * itemsize));
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * i / 3);
    const DType dtype = DType::parse("|S" + std::to_string(itemsize));
    const Shape shape = {6, 5};
    const auto path = dir.path() / "a.mla";
    Array::save_voxels(path, {data.data(), shape, grid::c_strides(shape, itemsize)}, dtype, {},
                       with_layout({4, 4}, {2, 2}));
    std::vector<std::byte> out(data.size());
    Array::open(path).read({{0, 0}, shape}, out);
    EXPECT_EQ(out, data) << itemsize;
  }
}

TEST(Array, GivesTheSameBytesForTheSameArray) {
  const TempDir dir;
  const Voxels voxels({40, 40, 40});
  const auto bytes_of = test::read_text;
  SaveOptions options = with_layout({16, 16, 16}, {8, 8, 8});
  options.threads = 1;
  Array::save_voxels(dir.path() / "a.mla", voxels.view(), int16(), {}, options);
  options.threads = 4;
  Array::save_voxels(dir.path() / "b.mla", voxels.view(), int16(), {}, options);
  EXPECT_EQ(bytes_of(dir.path() / "a.mla"), bytes_of(dir.path() / "b.mla"));
}

TEST(Array, StoresAChecksumForEveryBlock) {
  const TempDir dir;
  const Voxels voxels({20, 20, 20});
  const auto path = dir.path() / "a.mla";
  Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({8, 8, 8}, {4, 4, 4}));
  const std::shared_ptr<io::ByteSource> source = io::open_mapped(path);
  const frame::State state = frame::read_state(*source);
  const session::Snapshot content = session::snapshot_of(state, source);
  const grid::Geometry& geometry = content.geometry();
  for (std::int64_t n = 0; n < geometry.chunk_count(); ++n) {
    const store::ChunkRef ref = content.chunks->get(n);
    const codec::ChunkHeader header = codec::parse_chunk(ref.bytes.data, {});
    const auto expected = codec::chunk_checksums(ref.bytes.data, header, n);
    ASSERT_EQ(ref.sums.stored().size(), expected.size() * 4);
    for (std::size_t block = 0; block < expected.size(); ++block) {
      EXPECT_EQ(ref.sums.of_block(static_cast<std::int32_t>(block)), expected[block]);
      EXPECT_NE(expected[block], codec::kNoChecksum);
    }
  }
}

TEST(Array, ReportsATruncatedFileWithBothLengths) {
  const TempDir dir;
  const Voxels voxels({30, 30});
  const auto path = dir.path() / "a.mla";
  Array::save_voxels(path, voxels.view(), int16());
  const auto size = std::filesystem::file_size(path);
  std::filesystem::resize_file(path, size - 7);
  try {
    Array::open(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corruption);
    const std::string text = error.what();
    EXPECT_NE(text.find(std::to_string(size)), std::string::npos) << text;
    EXPECT_NE(text.find(std::to_string(size - 7)), std::string::npos) << text;
    EXPECT_NE(text.find(path.string()), std::string::npos) << text;
  }
}

TEST(Array, FindsDamageOfHeaderIndexAndMetadata) {
  const TempDir dir;
  const Voxels voxels({20, 20});
  const auto path = dir.path() / "a.mla";
  Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({8, 8}, {4, 4}));
  const frame::State state = [&] {
    auto source = io::open_mapped(path);
    return frame::read_state(*source);
  }();
  std::vector<char> good(static_cast<std::size_t>(state.header.frame_len));
  std::ifstream(path, std::ios::binary).read(good.data(), std::ssize(good));
  const auto flip = [&](std::size_t at) {
    std::vector<char> bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    std::ofstream(dir.path() / "bad.mla", std::ios::binary).write(bad.data(), std::ssize(bad));
    EXPECT_THROW(Array::open(dir.path() / "bad.mla"), Error) << "byte " << at;
  };
  const std::size_t index_at =
      state.header.header_len + static_cast<std::size_t>(state.header.cbytes);
  for (std::size_t at = 0; at < state.header.header_len; ++at) flip(at);
  for (std::size_t at = index_at; at < good.size(); at += 3) flip(at);
}

TEST(Array, ManyThreadsReadOneArray) {
  const TempDir dir;
  const Voxels voxels({50, 60, 40});
  const auto path = dir.path() / "a.mla";
  Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({16, 20, 16}, {8, 10, 8}));
  const Array array = Array::open(path);
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < 16; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(t);
        for (int i = 0; i < 40; ++i) {
          const Box box = random_box(voxels.shape, random);
          if (read(array, box, 1 + static_cast<int>(t % 3)) != voxels.cut(box)) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace mlarray
