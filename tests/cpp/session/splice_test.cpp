// Edits by block: what is kept, what is encoded, and what damage does.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <numeric>

#include "codec/chunk.hpp"
#include "codec/encoder.hpp"
#include "mlarray/verify.hpp"
#include "session/state_of.hpp"
#include "support/errors.hpp"
#include "support/rounds.hpp"
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
using test::write;

using Bytes = std::vector<std::byte>;

Bytes file_bytes(const std::filesystem::path& path) { return test::read_bytes<Bytes>(path); }

// One chunk of a file.
struct Stored {
  Bytes bytes;
  codec::ChunkHeader header;
  std::size_t at = 0;  // in the file

  std::span<const std::byte> block(std::int32_t number) const {
    return codec::block_bytes(bytes, header, number);
  }
};

Stored chunk_of(const std::filesystem::path& path, std::int64_t number) {
  const session::Snapshot state = test::state_of(io::open_buffered(path));
  const store::ChunkRef ref = state.chunks->get(number);
  Stored out;
  out.bytes.assign(ref.bytes.data.begin(), ref.bytes.data.end());
  if (!out.bytes.empty()) out.header = codec::parse_chunk(out.bytes, {});
  out.at = static_cast<std::size_t>(ref.offset);
  return out;
}

// 27 chunks of 8 blocks, of which those at the far edges are cut.
struct Sample {
  TempDir dir;
  std::filesystem::path path = dir.path() / "a.mla";
  Voxels voxels{{37, 39, 43}};

  explicit Sample(CodecParams codec = codec_for(Preset::fast, int16())) {
    SaveOptions options = with_layout({16, 16, 16}, {8, 8, 8});
    options.codec = codec;
    Array::save_voxels(path, voxels.view(), int16(), {}, options);
  }
  Array edit() const { return Array::open(path, {.mode = Mode::read_write}); }
  void put(Array& array, const Box& box, std::int16_t value) {
    const std::vector<std::int16_t> values(static_cast<std::size_t>(element_count(box.shape())),
                                           value);
    write(array, box, values);
    voxels.put(box, values);
  }
  void flip(std::size_t at) const {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    const auto place = static_cast<std::streamoff>(at);
    file.seekg(place);
    const int byte = file.get();
    file.seekp(place).put(static_cast<char>(byte ^ 1));
  }
};

CodecParams params(Codec codec, int level, std::array<std::uint8_t, 6> filters, bool split) {
  CodecParams out;
  out.codec = codec;
  out.level = level;
  out.filters = filters;
  out.split = split;
  return out;
}

TEST(Splice, EncodesTheBlocksOfTheBoxAndKeepsTheOthers) {
  for (const bool adaptive : {true, false}) {
    CodecParams codec = codec_for(Preset::fast, int16());
    codec.adaptive = adaptive;
    Sample sample(codec);
    const Stored before = chunk_of(sample.path, 0);
    Array array = sample.edit();
    sample.put(array, {{8, 0, 8}, {16, 8, 12}}, 77);  // a part of block 5
    sample.put(array, {{0, 0, 0}, {8, 8, 8}}, -3);    // all of block 0
    array.close();
    const Stored after = chunk_of(sample.path, 0);
    EXPECT_EQ(read_all(Array::open(sample.path)), sample.voxels.data);
    EXPECT_TRUE(verify_file(sample.path).verified());
    std::size_t at = codec::kChunkHeaderBytes + 4 * 8;
    for (std::int32_t block = 0; block < 8; ++block) {
      const auto stored = after.block(block);
      // In order, one behind the other.
      EXPECT_EQ(stored.data() - after.bytes.data(), static_cast<std::ptrdiff_t>(at));
      at += stored.size();
      if (block != 0 && block != 5) {
        EXPECT_TRUE(std::ranges::equal(stored, before.block(block))) << "block " << block;
      }
    }
    EXPECT_EQ(at, after.bytes.size());
    // The header is the old one, but for the length.
    Bytes head(before.bytes.begin(), before.bytes.begin() + codec::kChunkHeaderBytes);
    std::copy_n(after.bytes.begin() + 12, 4, head.begin() + 12);
    EXPECT_TRUE(std::equal(head.begin(), head.end(), after.bytes.begin()));
    if (!adaptive) continue;  // edits of such a file are: as_preset()
    // The same bytes as if all of it had been encoded.
    Array::save_voxels(sample.dir.path() / "b.mla", sample.voxels.view(), int16(), {}, [&] {
      SaveOptions options = with_layout({16, 16, 16}, {8, 8, 8});
      options.codec = codec;
      return options;
    }());
    EXPECT_EQ(after.bytes, chunk_of(sample.dir.path() / "b.mla", 0).bytes);
  }
}

TEST(Splice, GivesTheSameBytesByAnyNumberOfThreads) {
  std::vector<Bytes> files;
  for (const int threads : {1, 2, 5}) {
    Sample sample;
    Array array = sample.edit();
    for (const Box& box : {Box{{3, 3, 3}, {30, 29, 41}}, Box{{0, 17, 0}, {37, 20, 43}}}) {
      std::vector<std::int16_t> values(static_cast<std::size_t>(element_count(box.shape())));
      std::iota(values.begin(), values.end(), std::int16_t{0});
      array.write(box, std::as_bytes(std::span(values)), threads);
    }
    array.close();
    files.push_back(file_bytes(sample.path));
  }
  EXPECT_EQ(files[0], files[1]);
  EXPECT_EQ(files[0], files[2]);
}

TEST(Splice, OfADamagedNeighbourIsRefusedAndChangesNothing) {
  for (const bool verify : {true, false}) {
    const Sample sample;
    const Stored chunk = chunk_of(sample.path, 13);
    const auto block = chunk.block(3);
    sample.flip(chunk.at + static_cast<std::size_t>(block.data() - chunk.bytes.data()) +
                block.size() - 1);
    const Bytes before = file_bytes(sample.path);
    Array array = Array::open(sample.path, {.mode = Mode::read_write, .verify = verify});
    // Block 5 alone: in part, and all of it.
    for (const std::int64_t stop : {26, 32}) {
      const Box box{{24, 16, 24}, {stop, 24, 32}};
      const std::vector<std::int16_t> values(
          static_cast<std::size_t>(element_count(box.shape())), 5);
      EXPECT_ERROR(write(array, box, values), ErrorKind::corruption, "chunk 13, block 3",
                   "mlarray verify");
      EXPECT_EQ(read(array, box), sample.voxels.cut(box));
    }
    array.close();
    EXPECT_EQ(file_bytes(sample.path), before);
    // All of the damaged block may be written, and is then right.
    Array again = sample.edit();
    const Box damaged{{16, 24, 24}, {24, 32, 32}};
    write(again, damaged, sample.voxels.cut(damaged));
    again.close();
    EXPECT_EQ(read_all(Array::open(sample.path)), sample.voxels.data);
    EXPECT_TRUE(verify_file(sample.path).verified());
  }
}

TEST(Splice, LooksAtCopiedBlocksAlsoWhereTheyWereFoundWholeBefore) {
  const Sample sample;
  const Stored chunk = chunk_of(sample.path, 13);
  Array array = sample.edit();
  EXPECT_EQ(read_all(array), sample.voxels.data);
  const auto block = chunk.block(3);
  sample.flip(chunk.at + static_cast<std::size_t>(block.data() - chunk.bytes.data()) +
              block.size() - 1);
  EXPECT_ERROR(write(array, {{24, 16, 24}, {25, 17, 25}}, {5}), ErrorKind::corruption,
               "chunk 13, block 3");
}

TEST(Splice, AChunkThatBecomesZerosTakesNoRoom) {
  for (const CodecParams& codec :
       {codec_for(Preset::fast, int16()), params(Codec::zlib, 5, {0, 0, 0, 0, 1, 35}, true),
        params(Codec::blosclz, 5, {0, 0, 0, 0, 0, 2}, false)}) {
    Sample sample(codec);
    Array array = sample.edit();
    for (std::int64_t x = 0; x < 16; x += 8) sample.put(array, {{x, 0, 0}, {x + 8, 16, 16}}, 0);
    array.close();
    EXPECT_EQ(read_all(Array::open(sample.path)), sample.voxels.data);
    EXPECT_EQ(chunk_of(sample.path, 0).bytes.size(), 0U);
    EXPECT_TRUE(verify_file(sample.path).verified());
  }
}

TEST(Splice, AChunkThatDoesNotShrinkAnyMoreIsStored) {
  Sample sample;
  Array array = sample.edit();
  std::mt19937 random(3);
  for (std::int64_t x = 0; x < 16; x += 8) {
    const Box box{{x, 0, 0}, {x + 8, 16, 16}};
    std::vector<std::int16_t> values(static_cast<std::size_t>(element_count(box.shape())));
    for (auto& v : values) v = static_cast<std::int16_t>(random());
    write(array, box, values);
    sample.voxels.put(box, values);
  }
  sample.put(array, {{3, 3, 3}, {4, 4, 4}}, 1);  // of a chunk that is stored
  array.close();
  EXPECT_TRUE(chunk_of(sample.path, 0).header.memcpyed);
  EXPECT_EQ(read_all(Array::open(sample.path)), sample.voxels.data);
  EXPECT_TRUE(verify_file(sample.path).verified());
}

// A file whose damaged block nobody can notice, as another writer leaves it.
TEST(Splice, WithoutSumsWhatIsKeptHasToDecode) {
  Sample sample;
  {
    // Without our seal the sums say nothing.
    const std::shared_ptr<io::ByteSource> source = io::open_buffered(sample.path);
    const std::uint64_t end = frame::read_state(*source).header.frame_len;
    std::fstream file(sample.path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(end - 17)).write(std::string(17, '\0').data(), 17);
  }
  ASSERT_EQ(Array::open(sample.path).seal(), Seal::edited);
  const Stored chunk = chunk_of(sample.path, 13);
  {
    Array array = sample.edit();
    sample.put(array, {{0, 0, 0}, {3, 3, 3}}, 4);
    EXPECT_EQ(read_all(array), sample.voxels.data);
    array.close();
  }
  EXPECT_EQ(read_all(Array::open(sample.path)), sample.voxels.data);
  const auto block = chunk.block(3);
  std::fstream file(sample.path, std::ios::binary | std::ios::in | std::ios::out);
  // The length of its first stream.
  file.seekp(static_cast<std::streamoff>(
      chunk.at + static_cast<std::size_t>(block.data() - chunk.bytes.data())));
  file.write("\x7f\x7f\x7f\x7f", 4);
  file.close();
  Array array = sample.edit();
  EXPECT_ERROR(write(array, {{24, 16, 24}, {25, 17, 25}}, {5}), ErrorKind::corruption,
               "chunk 13", "block 3");
}

// Any elements, codecs, filters and boxes, against a plain twin.
class Twin {
 public:
  Twin(Shape shape, std::int64_t itemsize, std::mt19937& random)
      : shape_(std::move(shape)), itemsize_(itemsize) {
    data_.resize(static_cast<std::size_t>(element_count(shape_) * itemsize));
    fill({Shape(shape_.size(), 0), shape_}, random);
  }

  ConstArrayView view() const {
    return {data_.data(), shape_, grid::c_strides(shape_, itemsize_)};
  }
  // Smooth, noise, one value or zeros.
  void fill(const Box& box, std::mt19937& random) {
    const auto kind = static_cast<unsigned>(random() % 5);
    auto ramp = static_cast<unsigned>(random());
    const auto value = static_cast<std::byte>(random());
    Voxels::for_each(box, [&](const Shape& position) {
      std::byte* voxel = data_.data() + grid::Geometry::ravel(position, shape_) * itemsize_;
      ramp += kind == 0 ? 3U : 0U;
      for (std::int64_t i = 0; i < itemsize_; ++i) {
        voxel[i] = kind == 3   ? std::byte{0}
                   : kind == 2 ? value
                   : kind == 1 ? static_cast<std::byte>(random())
                   : i == 0    ? static_cast<std::byte>(ramp / 8 + random() % 2)
                               : std::byte{0};
      }
    });
  }
  void write(Array& array, const Box& box, int threads) const {
    const Shape at = box.start;
    array.write(box,
                {data_.data() + grid::Geometry::ravel(at, shape_) * itemsize_, box.shape(),
                 grid::c_strides(shape_, itemsize_)},
                threads);
  }
  bool same(const Array& array) const {
    Bytes found(data_.size());
    array.read({Shape(shape_.size(), 0), shape_}, found);
    return found == data_;
  }

 private:
  Shape shape_;
  std::int64_t itemsize_;
  Bytes data_;
};

TEST(Splice, RandomEditsOfRandomFilesAreRight) {
  constexpr std::array<const char*, 7> kTypes = {"|u1",  "<i2", "<f4",  "<f8",
                                                 "<c16", "|S3", "|S300"};
  constexpr std::array<std::array<std::uint8_t, 2>, 5> kFilters = {
      {{0, 0}, {0, 1}, {0, 2}, {1, 35}, {2, 0}}};
  for (unsigned round = 0; round < test::rounds(60); ++round) {
    std::mt19937 random(round);
    const auto upto = [&](unsigned most) {
      return 1 + static_cast<std::int64_t>(random() % most);
    };
    const DType type = DType::parse(kTypes[random() % kTypes.size()]);
    Shape shape, chunk, block;
    const std::size_t ndim = 1 + random() % 3;
    for (std::size_t a = 0; a < ndim; ++a) {
      shape.push_back(upto(ndim == 1 ? 4000 : ndim == 2 ? 90 : 30));
      chunk.push_back(upto(static_cast<unsigned>(shape[a])));
      block.push_back(upto(static_cast<unsigned>(chunk[a])));
    }
    SaveOptions options = with_layout(chunk, block);
    options.threads = 1;
    if (random() % 3 == 0) {
      options.preset = static_cast<Preset>(random() % 3);
    } else {
      const auto& filters = kFilters[random() % kFilters.size()];
      CodecParams codec;
      codec.codec = std::array{Codec::blosclz, Codec::lz4, Codec::lz4hc, Codec::zlib,
                               Codec::zstd}[random() % 5];
      codec.level = static_cast<int>(random() % 10);
      codec.split = random() % 2 == 0;
      codec.filters[4] = filters[0];
      codec.filters[5] = filters[1];
      if (type.itemsize() > 127) codec.filters = {};
      options.codec = codec;
    }
    const TempDir dir;
    const auto path = dir.path() / "a.mla";
    Twin twin(shape, type.itemsize(), random);
    Array::save_voxels(path, twin.view(), type, {}, options);
    const bool in_file = random() % 4 != 0;
    Array array = Array::open(path, {.mode = in_file ? Mode::read_write : Mode::copy_on_write});
    for (int edit = 0; edit < 6; ++edit) {
      Box box = random_box(shape, random);
      if (edit % 2 == 0) {  // a small one
        for (std::size_t a = 0; a < ndim; ++a) {
          box.stop[a] = std::min(box.stop[a], box.start[a] + upto(6));
        }
      }
      if (box.empty()) continue;
      twin.fill(box, random);
      twin.write(array, box, 1 + static_cast<int>(random() % 2));
      ASSERT_TRUE(twin.same(array)) << "round " << round << ", edit " << edit;
      if (random() % 3 == 0) array.flush();
    }
    if (!in_file) {
      array.save(dir.path() / "b.mla");
      array.close();
      ASSERT_TRUE(twin.same(Array::open(dir.path() / "b.mla"))) << "round " << round;
      continue;
    }
    array.close();
    ASSERT_TRUE(twin.same(Array::open(path))) << "round " << round;
    const VerifyReport report = verify_file(path, {.threads = 1});
    ASSERT_TRUE(report.verified())
        << "round " << round << ": " << (report.damaged() ? report.damage[0].what : "");
  }
}

}  // namespace
}  // namespace mlarray
