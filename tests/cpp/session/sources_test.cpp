// Arrays opened on a ByteSource: how often it is asked, and for how much.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "codec/chunk.hpp"
#include "frame/big_endian.hpp"
#include "frame/frame.hpp"
#include "io/system_calls.hpp"
#include "mlarray/array.hpp"
#include "pipeline/read_box.hpp"
#include "session/state_of.hpp"
#include "store/block_check.hpp"
#include "support/counting_source.hpp"
#include "support/errors.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using test::CountingSource;
using test::int16;
using test::random_box;
using test::TempDir;
using test::Voxels;
using test::with_layout;

constexpr std::uint64_t kMostAtOpen = (64 + 4) << 10;

std::vector<std::byte> bytes_of(const Array& array, const Box& box, int threads = 0) {
  std::vector<std::byte> out(
      static_cast<std::size_t>(element_count(box.shape()) * array.dtype().itemsize()));
  array.read(box, out, threads);
  return out;
}

Box whole(const Array& array) { return {Shape(array.shape().size(), 0), array.shape()}; }

Box cube(const Shape& start, std::int64_t side) {
  Box box{start, start};
  for (std::int64_t& stop : box.stop) stop += side;
  return box;
}

// The file as it lies on disk, for looking at what the library must ask for.
session::Snapshot stored(const std::filesystem::path& path) {
  return test::state_of(io::open_mapped(path));
}

struct Needed {
  std::uint64_t blocks = 0;  // stored bytes of all blocks that a box meets
  std::uint64_t heads = 0;   // of their chunks
};

Needed needed(const std::filesystem::path& path, const Box& box) {
  const session::Snapshot state = stored(path);
  const grid::Geometry& geometry = state.geometry();
  Needed out;
  for (std::int64_t number = 0; number < geometry.chunk_count(); ++number) {
    const store::ChunkRef ref = state.chunks->get(number);
    if (ref.special != codec::Special::none) continue;
    const codec::ChunkHeader header = store::checked_header(ref, geometry, number);
    bool met = false;
    for (std::int32_t block = 0; block < geometry.block_count(); ++block) {
      if (grid::intersect(geometry.block_box(number, block), box).empty()) continue;
      met = true;
      if (header.special != codec::Special::none) continue;
      out.blocks += codec::block_bytes(ref.bytes.data, header, block).size();
    }
    if (met) out.heads += codec::head_bytes(geometry.block_count());
  }
  return out;
}

// Opened by a source, with the source at hand.
struct Remote {
  std::shared_ptr<CountingSource> source;
  Array array;

  explicit Remote(const std::filesystem::path& path, const OpenOptions& options = {})
      : source(std::make_shared<CountingSource>(path)), array(Array::open(source, options)) {}
};

template <class T>
void save(const std::filesystem::path& path, const Shape& shape,
          T (*value)(std::size_t, unsigned), const SaveOptions& options = {}) {
  std::vector<T> voxels(static_cast<std::size_t>(element_count(shape)));
  std::mt19937 random(5);
  for (std::size_t i = 0; i < voxels.size(); ++i) {
    voxels[i] = value(i, static_cast<unsigned>(random()));
  }
  Array::save_voxels(path, std::span<const T>(voxels), shape, {}, options);
}

std::int16_t scan_value(std::size_t i, unsigned random) {
  return static_cast<std::int16_t>(i % 210 * 3 + random % 61);
}

std::uint8_t byte_value(std::size_t i, unsigned random) {
  return static_cast<std::uint8_t>(i / 50 % 7 * 30 + random % 23);
}

void expect_few_bytes(const std::filesystem::path& path) {
  const Array mapped = Array::open(path);
  Remote remote(path);
  EXPECT_EQ(remote.source->rounds(), 1);
  EXPECT_LE(remote.source->asked(), kMostAtOpen);
  const std::vector<Box> boxes = {cube({70, 70, 70}, 64),
                                  cube({0, 0, 0}, 64),
                                  cube({100, 101, 102}, 1),
                                  cube({3, 90, 60}, 100),
                                  {{40, 50, 60}, {104, 114, 68}}};
  for (const Box& box : boxes) {
    SCOPED_TRACE(to_string(box.start) + " to " + to_string(box.stop));
    remote.source->reset();
    EXPECT_EQ(bytes_of(remote.array, box), bytes_of(mapped, box));
    EXPECT_EQ(remote.source->rounds(), 1);
    const Needed least = needed(path, box);
    EXPECT_LE(remote.source->asked(), least.blocks + least.blocks / 5);
    EXPECT_LE(remote.source->asked(), least.blocks + least.blocks / 10 + least.heads);
  }
  remote.source->reset();
  EXPECT_EQ(bytes_of(remote.array, whole(mapped)), bytes_of(mapped, whole(mapped)));
  EXPECT_EQ(remote.source->rounds(), 1);
  EXPECT_LE(remote.source->asked(), std::filesystem::file_size(path) * 11 / 10);
}

TEST(Sources, DefaultFilesAreOpenedInOneRoundAndAPatchTakesAnother) {
  const TempDir dir;
  save<std::int16_t>(dir / "int16.mla", {210, 200, 210}, scan_value);
  expect_few_bytes(dir / "int16.mla");
  save<std::uint8_t>(dir / "uint8.mla", {210, 200, 210}, byte_value);
  expect_few_bytes(dir / "uint8.mla");
}

TEST(Sources, MetadataThatIsLargeTakesASecondRound) {
  const TempDir dir;
  const Voxels voxels({60, 60, 60});
  Metadata metadata;
  std::mt19937 random(7);
  std::string note;
  while (note.size() < 200'000) note += static_cast<char>('!' + random() % 90);
  metadata.set("extra", "data", Map{{{Value("note"), Value(note)}}});
  Array::save_voxels(dir / "a.mla", voxels.view(), int16(), metadata,
                     with_layout({2, 2, 2}, {1, 1, 2}));
  Remote remote(dir / "a.mla");
  EXPECT_EQ(remote.source->rounds(), 2);
  remote.source->reset();
  const Box box = cube({11, 7, 3}, 9);
  EXPECT_EQ(test::read(remote.array, box), voxels.cut(box));
  EXPECT_EQ(remote.source->rounds(), 1) << "such a chunk is no longer than a head";
}

TEST(Sources, BytesBehindTheLastCommitCostASecondRound) {
  const TempDir dir;
  const Voxels voxels({20, 20, 20});
  Array::save_voxels(dir / "a.mla", voxels.view(), int16());
  test::write_text(dir / "a.mla", std::string(300'000, 'x'), true);
  Remote remote(dir / "a.mla");
  EXPECT_EQ(remote.source->rounds(), 2);
  EXPECT_EQ(test::read_all(remote.array), voxels.data);
}

TEST(Sources, ChunksOfOneValueNeedNoBlocks) {
  const TempDir dir;
  Array::create(dir / "zeros.mla", {40, 40, 40}, int16(), {},
                with_layout({20, 20, 20}, {5, 5, 5}))
      .close();
  Remote zeros(dir / "zeros.mla");
  zeros.source->reset();
  EXPECT_EQ(test::read_all(zeros.array), std::vector<std::int16_t>(64'000));
  EXPECT_EQ(zeros.source->rounds(), 0);

  const std::filesystem::path golden = MLARRAY_GOLDEN;
  Remote value(golden / "blosc2-4.14.1" / "special-value.b2nd");
  value.source->reset();
  const Array mapped = Array::open(golden / "blosc2-4.14.1" / "special-value.b2nd");
  EXPECT_EQ(bytes_of(value.array, whole(mapped)), bytes_of(mapped, whole(mapped)));
  EXPECT_LE(value.source->rounds(), 1);
}

// Of all codecs and filters: whole-only chunks, stored ones, blocks in any order.
TEST(Sources, GoldenFilesReadAsMappedOnes) {
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(MLARRAY_GOLDEN)) {
    const std::filesystem::path path = entry.path();
    if (path.extension() != ".b2nd" && path.extension() != ".mla") continue;
    SCOPED_TRACE(path.string());
    std::optional<Array> mapped;
    try {
      mapped = Array::open(path);
      bytes_of(*mapped, whole(*mapped));
    } catch (const Error&) {
      EXPECT_THROW(bytes_of(Remote(path).array, whole(Remote(path).array)), Error);
      continue;
    }
    ++files;
    const Remote remote(path);
    const Array buffered = Array::open(path, {.access = Access::buffered});
    std::mt19937 random(9);
    std::vector<Box> boxes = {whole(*mapped)};
    for (int i = 0; i < 5; ++i) boxes.push_back(random_box(mapped->shape(), random));
    for (const Box& box : boxes) {
      remote.source->reset();
      const std::vector<std::byte> expected = bytes_of(*mapped, box);
      EXPECT_EQ(bytes_of(remote.array, box), expected);
      EXPECT_LE(remote.source->rounds(), 2);
      EXPECT_EQ(bytes_of(buffered, box), expected);
    }
  }
  EXPECT_GT(files, 100);
}

TEST(Sources, EverythingElseWorksOnThem) {
  const TempDir dir;
  const Voxels voxels({30, 31, 32});
  Array::save_voxels(dir / "a.mla", voxels.view(), int16(), test::with_text("remote"),
                     with_layout({12, 12, 12}, {4, 4, 4}));
  const Array file = Array::open(dir / "a.mla");
  Remote remote(dir / "a.mla", {.mode = Mode::copy_on_write});
  Array& array = remote.array;
  EXPECT_EQ(array.path(), "counted://a.mla");
  EXPECT_EQ(array.metadata(), file.metadata());
  EXPECT_EQ(array.compressed_bytes(), file.compressed_bytes());
  EXPECT_EQ(Remote(dir / "a.mla").array.commit_name(), file.commit_name());
  const VerifyReport report = array.verify();
  EXPECT_TRUE(report.damage.empty());
  EXPECT_EQ(report.verified_blocks, file.verify().verified_blocks);
  EXPECT_FALSE(array.refresh());
  const std::vector<Box> boxes = {cube({0, 0, 0}, 7), cube({20, 20, 20}, 9)};
  std::vector<std::int16_t> out(7 * 7 * 7 + 9 * 9 * 9);
  remote.source->reset();
  array.read_many<std::int16_t>(boxes, out);
  EXPECT_EQ(remote.source->rounds(), 2);

  Voxels edited = voxels;
  const Box box = cube({10, 10, 10}, 5);
  const std::vector<std::int16_t> sevens(125, 7);
  edited.put(box, sevens);
  test::write(array, box, sevens);
  EXPECT_EQ(test::read_all(array), edited.data);
  array.save(dir / "b.mla");
  EXPECT_EQ(test::read_all(Array::open(dir / "b.mla")), edited.data);
  EXPECT_ERROR(Array::open(remote.source, {.mode = Mode::read_write}), ErrorKind::read_only,
               "counted://a.mla");
  EXPECT_ERROR(Array::open(std::shared_ptr<ByteSource>()), ErrorKind::invalid_value, "source");
}

TEST(Sources, WhatASourceThrowsReachesTheCaller) {
  const TempDir dir;
  const Voxels voxels({40, 40, 40});
  Array::save_voxels(dir / "a.mla", voxels.view(), int16(), {},
                     with_layout({20, 20, 20}, {5, 5, 5}));
  const auto refused = [] {
    throw Error(ErrorKind::io, "'counted://a.mla': the server is gone");
  };
  const auto source = std::make_shared<CountingSource>(dir / "a.mla");
  source->failure = refused;
  EXPECT_ERROR(Array::open(source), ErrorKind::io, "the server is gone");
  source->failure = nullptr;
  const Array array = Array::open(source);
  const Box box = cube({15, 15, 15}, 12);
  for (const int round : {1, 2}) {
    for (const int threads : {1, 2}) {
      source->failure = refused;
      source->fail_in = round;
      source->reset();
      EXPECT_ERROR(test::read(array, box, threads), ErrorKind::io, "the server is gone");
      source->failure = [] { throw std::runtime_error("somebody else's"); };
      source->reset();
      EXPECT_THROW(test::read(array, box, threads), std::runtime_error);
      source->failure = nullptr;
      EXPECT_EQ(test::read(array, box, threads), voxels.cut(box));
    }
  }
}

TEST(Sources, WrongBytesAreFound) {
  const TempDir dir;
  const Voxels voxels({40, 40, 40});
  Array::save_voxels(dir / "a.mla", voxels.view(), int16(), {},
                     with_layout({20, 20, 20}, {5, 5, 5}));
  const Box box = cube({15, 15, 15}, 12);
  {
    // Fewer bytes than were asked for, and nobody says so: the rest is not the block's.
    Remote remote(dir / "a.mla");
    std::fill(remote.source->bytes().begin() + 5000, remote.source->bytes().begin() + 60'000,
              std::byte{0});
    EXPECT_THROW(test::read_all(remote.array), Error);
  }
  {
    Remote remote(dir / "a.mla");
    const session::Snapshot state = stored(dir / "a.mla");
    const std::size_t at = state.chunks->get(0).offset + 1000;
    remote.source->bytes()[at] ^= std::byte{1};
    EXPECT_ERROR(test::read_all(remote.array), ErrorKind::corruption, "chunk 0, block",
                 "checksum", "counted://a.mla");
    EXPECT_EQ(remote.array.verify().damage.size(), 1U);
  }
  {
    // Its bytes come anew each time, so what was found whole once is not taken for whole.
    Remote remote(dir / "a.mla");
    test::read_all(remote.array);
    const session::Snapshot state = stored(dir / "a.mla");
    remote.source->bytes()[state.chunks->get(0).offset + 1000] ^= std::byte{1};
    EXPECT_ERROR(test::read_all(remote.array), ErrorKind::corruption, "checksum");
  }
  {
    const auto cut = std::make_shared<CountingSource>(dir / "a.mla");
    cut->bytes().resize(cut->bytes().size() - 100);
    EXPECT_ERROR(Array::open(cut), ErrorKind::corruption, "truncated", "counted://a.mla");
    EXPECT_EQ(cut->rounds(), 1) << "bytes that do not change are looked at once";
  }
}

TEST(Sources, ManyThreadsMayReadOne) {
  const TempDir dir;
  const Voxels voxels({40, 40, 40});
  Array::save_voxels(dir / "a.mla", voxels.view(), int16(), {},
                     with_layout({20, 20, 20}, {5, 5, 5}));
  Remote remote(dir / "a.mla");
  remote.source->delay = std::chrono::microseconds(200);
  std::vector<std::thread> readers;
  std::atomic<int> wrong = 0;
  for (unsigned seed = 0; seed < 4; ++seed) {
    readers.emplace_back([&, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 20; ++i) {
        const Box box = random_box(voxels.shape, random);
        if (test::read(remote.array, box, 2) != voxels.cut(box)) ++wrong;
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

// What is read of a file without a map.
class CountedReads final : public io::SystemCalls {
 public:
  std::atomic<std::uint64_t> bytes = 0;
  ssize_t pread(int fd, void* to, std::size_t size, off_t offset) override {
    bytes += size;
    return SystemCalls::pread(fd, to, size, offset);
  }
};

TEST(Sources, AFileWithoutAMapIsReadByTheBlock) {
  const TempDir dir;
  const auto path = dir / "int16.mla";
  save<std::int16_t>(path, {210, 200, 210}, scan_value);
  for (const Access access : {Access::buffered, Access::mapped}) {
    CountedReads calls;
    const io::ScopedSystemCalls scope(calls);
    const Array array = Array::open(path, {.access = access});
    EXPECT_LE(calls.bytes, kMostAtOpen);
    constexpr std::uint64_t kLooks = 100;  // whether the end of the commit is still there
    for (const Box& box : {cube({100, 101, 102}, 1), cube({70, 70, 70}, 64)}) {
      const Needed least = needed(path, box);
      calls.bytes = 0;
      bytes_of(array, box);
      EXPECT_LE(calls.bytes, least.blocks + least.blocks / 10 + least.heads + kLooks);
      EXPECT_GE(calls.bytes, least.blocks);
    }
  }
}

// Stores the blocks of every chunk in another order, as c-blosc2 does with several threads.
void reorder_blocks(std::span<std::byte> file, const session::Snapshot& state) {
  std::mt19937 random(4);
  const grid::Geometry& geometry = state.geometry();
  for (std::int64_t number = 0; number < geometry.chunk_count(); ++number) {
    const store::ChunkRef ref = state.chunks->get(number);
    const codec::ChunkHeader header = store::checked_header(ref, geometry, number);
    ASSERT_FALSE(header.memcpyed);
    std::vector<std::vector<std::byte>> blocks;
    std::vector<std::size_t> order;
    for (std::int32_t i = 0; i < header.block_count(); ++i) {
      const auto bytes = codec::block_bytes(ref.bytes.data, header, i);
      blocks.emplace_back(bytes.begin(), bytes.end());
      order.push_back(order.size());
    }
    std::shuffle(order.begin(), order.end(), random);
    const std::span<std::byte> chunk = file.subspan(static_cast<std::size_t>(ref.offset));
    std::size_t at = codec::kChunkHeaderBytes + 4 * blocks.size();
    for (const std::size_t i : order) {
      for (std::size_t b = 0; b < 4; ++b) {
        chunk[codec::kChunkHeaderBytes + 4 * i + b] = static_cast<std::byte>(at >> (8 * b));
      }
      std::copy(blocks[i].begin(), blocks[i].end(), chunk.begin() + static_cast<long>(at));
      at += blocks[i].size();
    }
    ASSERT_EQ(at, ref.length);
  }
}

TEST(Sources, BlocksInAnyOrderAreReadAlone) {
  const TempDir dir;
  const Voxels voxels({40, 40, 40});
  const auto path = dir / "a.mla";
  Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({20, 20, 20}, {5, 5, 5}));
  std::string file = test::read_text(path);
  {
    const session::Snapshot state = stored(path);
    reorder_blocks(std::as_writable_bytes(std::span(file)), state);
  }
  test::write_text(path, file);
  Remote remote(path);
  CountedReads calls;
  const io::ScopedSystemCalls scope(calls);
  const Array buffered = Array::open(path, {.access = Access::buffered});
  for (const Box& box : {cube({15, 15, 15}, 12), cube({7, 31, 2}, 1), voxels.whole()}) {
    const Needed least = needed(path, box);
    const std::uint64_t most = least.blocks + least.blocks / 10 + least.heads;
    remote.source->reset();
    EXPECT_EQ(test::read(remote.array, box), voxels.cut(box));
    EXPECT_EQ(remote.source->rounds(), 2);
    EXPECT_LE(remote.source->asked(), most);
    calls.bytes = 0;
    EXPECT_EQ(test::read(buffered, box), voxels.cut(box));
    EXPECT_LE(calls.bytes, most + 100);
  }
}

// What the record says of a chunk must not hide that the chunk itself is damaged.
TEST(Sources, VerifyLooksAtHeadsThatAreRecordedToo) {
  const TempDir dir;
  const auto path = dir / "a.mla";
  const Voxels voxels({40, 40, 40});
  Array::save_voxels(path, voxels.view(), int16(), {}, with_layout({20, 20, 20}, {10, 10, 10}));
  ASSERT_TRUE(stored(path).chunks->index().offsets());
  const auto at = static_cast<std::size_t>(stored(path).chunks->get(3).offset);
  std::string file = test::read_text(path);
  for (const std::size_t byte : {2u, 18u, 21u, 32u}) {  // flags, filters, where block 0 begins
    std::string changed = file;
    changed[at + byte] = static_cast<char>(changed[at + byte] ^ 1);
    test::write_text(path, changed);
    const VerifyReport local = Array::open(path).verify();
    Remote remote(path);
    const VerifyReport report = remote.array.verify();
    EXPECT_GT(local.damaged_blocks, 0) << byte;
    EXPECT_GT(report.damaged_blocks, 0) << byte;
    for (const Damage& damage : report.damage) EXPECT_EQ(damage.chunk, 3);
    // The voxels are those that were written, or there are none.
    try {
      EXPECT_EQ(test::read_all(remote.array), voxels.data);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corruption);
    }
  }
}

// The checks of a chunk's header stand before every decoder. A source that shows one header to
// them and another to the decoder is found.
TEST(Sources, AChunkThatChangesBetweenTwoReadsIsNotDecoded) {
  const std::filesystem::path golden = MLARRAY_GOLDEN;
  for (const char* name :
       {"filter-delta-int16", "dictionary-zstd", "filter-bitshuffle-int16"}) {
    const auto path = golden / "blosc2-4.14.1" / (std::string(name) + ".b2nd");
    SCOPED_TRACE(name);
    const bool alone = std::string(name) == "filter-bitshuffle-int16";  // its blocks
    Remote remote(path);
    std::vector<std::byte>& bytes = remote.source->bytes();
    const session::Snapshot state = stored(path);
    for (const int round : {2, 3}) {
      const std::vector<std::byte> good = bytes;
      remote.source->reset();
      remote.source->fail_in = round;
      remote.source->failure = [&] {
        for (std::int64_t i = 0; i < state.geometry().chunk_count(); ++i) {
          const store::ChunkRef ref = state.chunks->get(i);
          if (ref.special != codec::Special::none) continue;
          const auto at = static_cast<std::size_t>(ref.offset);
          bytes[at + 2] |= std::byte{0xc0};  // a codec that a plug-in has
          bytes[at + 22] = std::byte{200};
        }
      };
      try {
        const auto found = bytes_of(remote.array, whole(remote.array));
        EXPECT_EQ(found, bytes_of(Array::open(path), whole(remote.array)));
        // Else it was decoded by a header that nobody has checked.
        EXPECT_TRUE(remote.source->rounds() < round || alone);
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::corruption);
        EXPECT_NE(std::string(error.what()).find("changed"), std::string::npos) << error.what();
      }
      remote.source->failure = nullptr;
      bytes = good;
    }
  }
}

// What a server claims costs no memory: a size of its own, and a header that says the same.
class HugeSource final : public ByteSource {
 public:
  HugeSource(std::string head, std::uint64_t size) : head_(std::move(head)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  std::string name() const override { return "huge"; }
  void read_many(std::span<const ByteRead> reads) const override {
    for (const ByteRead& read : reads) {
      EXPECT_LE(read.to.size(), std::size_t{1} << 20);
      for (std::size_t i = 0; i < read.to.size(); ++i) {
        const std::uint64_t at = read.offset + i;
        read.to[i] = at < head_.size() ? static_cast<std::byte>(head_[at]) : std::byte{0};
      }
    }
  }

 private:
  std::string head_;
  std::uint64_t size_;
};

TEST(Sources, ASizeThatCannotBeIsDamage) {
  const TempDir dir;
  Array::save_voxels(dir / "a.mla", Voxels({9, 9, 9}).view(), int16());
  for (const std::uint64_t size :
       {~std::uint64_t{0}, ~std::uint64_t{0} >> 1, std::uint64_t{1} << 40}) {
    for (const bool long_header : {false, true}) {
      std::string head = test::read_text(dir / "a.mla");
      const auto bytes = std::as_writable_bytes(std::span(head));
      frame::store_big(bytes, 16, size);
      if (long_header) frame::store_big(bytes, 11, std::uint32_t{100'000});
      EXPECT_ERROR(Array::open(std::make_shared<HugeSource>(head, size)), ErrorKind::corruption,
                   "huge", "are possible");
    }
  }
}

// The end that is read to open has the record of block offsets, too.
TEST(Sources, WhereHeadsAreRecordedAPatchTakesOneRound) {
  const TempDir dir;
  const Voxels voxels({40, 40, 40});
  Array::save_voxels(dir / "a.mla", voxels.view(), int16(), {},
                     with_layout({20, 20, 20}, {10, 10, 10}));
  ASSERT_TRUE(stored(dir / "a.mla").chunks->index().offsets())
      << "the record passes 1 % of this file";
  Remote remote(dir / "a.mla");
  EXPECT_EQ(remote.source->rounds(), 1);
  const Box box = cube({3, 15, 15}, 12);
  remote.source->reset();
  EXPECT_EQ(test::read(remote.array, box), voxels.cut(box));
  EXPECT_EQ(remote.source->rounds(), 1);
  const Needed least = needed(dir / "a.mla", box);
  EXPECT_LE(remote.source->asked(), least.blocks + least.blocks / 10);
}

}  // namespace
}  // namespace mlarray
