// Seals and checksums are verified: every promise of docs/integrity.md that needs no Python.
#include "mlarray/verify.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <random>
#include <set>

#include "codec/checksum.hpp"
#include "mlarray/process.hpp"
#include "session/state_of.hpp"
#include "store/block_check.hpp"
#include "support/counting_source.hpp"
#include "support/rounds.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using test::int16;
using test::read;
using test::read_all;
using test::TempDir;
using test::Voxels;
using test::with_layout;
using test::write;

std::vector<char> load_bytes(const std::filesystem::path& path) {
  return test::read_bytes<std::vector<char>>(path);
}
void store_bytes(const std::filesystem::path& path, const std::vector<char>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string corruption(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corruption) << error.what();
    return error.what();
  }
  return {};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Stored as they are: a changed byte is a changed voxel, which no decoder notices.
SaveOptions without_compression(Shape chunk, Shape block) {
  SaveOptions options = with_layout(std::move(chunk), std::move(block));
  options.codec = CodecParams{.level = 0};
  return options;
}

// A file of 27 chunks of 4 blocks, and where the stored bytes of a block are in it.
struct Sample {
  TempDir dir;
  std::filesystem::path path = dir.path() / "a.mla";
  Voxels voxels{{17, 19, 23}};

  Sample() {
    Array::save_voxels(path, voxels.view(), int16(), {},
                       without_compression({8, 8, 8}, {4, 4, 8}));
  }
  std::size_t place(std::int64_t chunk, std::int32_t block) const {
    const std::shared_ptr<io::ByteSource> source = io::open_buffered(path);
    const frame::State state = frame::read_state(*source);
    const store::ChunkRef ref = session::snapshot_of(state, source).chunks->get(chunk);
    const auto header = codec::parse_chunk(ref.bytes.data, {});
    const auto stored = codec::block_bytes(ref.bytes.data, header, block);
    return static_cast<std::size_t>(
               stored.data() - ref.bytes.data.data() +
               static_cast<std::ptrdiff_t>(state.header.header_len) +
               static_cast<std::ptrdiff_t>(
                   state.index[static_cast<std::size_t>(chunk)].offset())) +
           stored.size() - 1;
  }
  void flip(std::size_t at) const {
    std::vector<char> bytes = load_bytes(path);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    store_bytes(path, bytes);
  }
};

// Voxels of chunk 13 (the middle one), block 1.
const Box kOneBlock{{8, 12, 8}, {12, 16, 16}};

TEST(Verify, AnOpenFileVerifiesABlockOnceAndVerifyAgain) {
  const Sample sample;
  const Array open = Array::open(sample.path);
  const std::vector<std::int16_t> voxels = read_all(open);
  std::vector<char> bytes = load_bytes(sample.path);
  const std::size_t place = sample.place(13, 1);
  bytes[place] ^= 1;
  std::fstream(sample.path, std::ios::binary | std::ios::in | std::ios::out)
      .seekp(static_cast<std::streamoff>(place))
      .write(&bytes[place], 1);
  // Not hashed again, as docs/integrity.md says: the changed voxel is read.
  EXPECT_NE(read_all(open), voxels);
  EXPECT_EQ(open.verify().damage.size(), 1U);
  // Another object looks at it for the first time.
  EXPECT_TRUE(contains(corruption([&] { read_all(Array::open(sample.path)); }), "chunk 13"));
}

TEST(Verify, AWrongSumNamesEverythingAndTheWayOut) {
  const Sample sample;
  sample.flip(sample.place(13, 1));
  for (const Access access : {Access::mapped, Access::buffered}) {
    const Array array = Array::open(sample.path, {.access = access});
    EXPECT_EQ(array.seal(), Seal::valid);
    const std::string text = corruption([&] { read(array, kOneBlock); });
    for (const char* part : {"a.mla", "chunk 13, block 1", "(8, 12, 8) to (12, 16, 16)",
                             "checksum", "restore", "mlarray verify", "verify=False"}) {
      EXPECT_TRUE(contains(text, part)) << part << " is not in: " << text;
    }
    corruption([&] { read_all(array); });
    // The rest can be read.
    const Box other{{0, 0, 0}, {8, 19, 23}};
    EXPECT_EQ(read(array, other), sample.voxels.cut(other));
  }
}

TEST(Verify, EveryWayOfDecodingIsVerified) {
  const Sample sample;
  sample.flip(sample.place(13, 1));
  EXPECT_NE(corruption([&] { read_all(Array::load(sample.path)); }), "");
  EXPECT_NE(corruption([&] { read_all(Array::open(sample.path)); }), "");
  EXPECT_NE(corruption([&] { Array::open(sample.path).save(sample.dir.path() / "b.mla"); }),
            "");
  EXPECT_FALSE(std::filesystem::exists(sample.dir.path() / "b.mla"));
  // An edit of a part of the chunk reads the rest of it.
  Array writer = Array::open(sample.path, {.mode = Mode::read_write});
  const Box part{{9, 9, 9}, {10, 10, 10}};
  EXPECT_NE(corruption([&] { write(writer, part, {7}); }), "");
  // The whole chunk may be written anew: that repairs the file.
  const Box whole{{8, 8, 8}, {16, 16, 16}};
  write(writer, whole, sample.voxels.cut(whole));
  writer.close();
  EXPECT_TRUE(verify_file(sample.path).verified());
}

TEST(Verify, ChunksAppendedSinceOpeningAreVerifiedToo) {
  const Sample sample;
  Array writer = Array::open(sample.path, {.mode = Mode::read_write});
  const Box whole{{8, 8, 8}, {16, 16, 16}};
  const auto old_size = std::filesystem::file_size(sample.path);
  write(writer, whole, std::vector<std::int16_t>(512, 77));
  ASSERT_GT(std::filesystem::file_size(sample.path), old_size + 40);
  sample.flip(static_cast<std::size_t>(old_size) + 20);  // a filter in the new chunk's header
  EXPECT_NE(corruption([&] { read(writer, whole); }), "");
}

TEST(Verify, IsSwitchedPerCallPerProcessAndByTheEnvironment) {
  const Sample sample;
  sample.flip(sample.place(13, 1));
  const auto fails = [&](std::optional<bool> verify) {
    return !corruption([&] { read_all(Array::open(sample.path, {.verify = verify})); }).empty();
  };
  EXPECT_TRUE(verification());
  EXPECT_TRUE(fails({}));
  const Array open = Array::open(sample.path);
  set_verification(false);
  EXPECT_FALSE(verification());
  EXPECT_FALSE(fails({}));
  read_all(open);            // also for what is open
  EXPECT_TRUE(fails(true));  // the call wins
  set_verification(true);
  EXPECT_FALSE(fails(false));
  EXPECT_TRUE(fails({}));
  EXPECT_FALSE(
      !corruption([&] { read_all(Array::load(sample.path, {.verify = false})); }).empty());
}

TEST(Verify, ABrokenSealIsAnErrorUnlessSwitchedOff) {
  const Sample sample;
  const auto size = static_cast<std::size_t>(std::filesystem::file_size(sample.path));
  for (const std::size_t at :
       {std::size_t{29}, std::size_t{63}, size - 30, size - 17, size - 1}) {
    sample.flip(at);
    const std::string text = corruption([&] { Array::open(sample.path); });
    EXPECT_TRUE(contains(text, "a.mla")) << at << ": " << text;
    corruption([&] { Array::load(sample.path); });
    sample.flip(at);
  }
  sample.flip(size - 1);
  const Array array = Array::open(sample.path, {.verify = false});
  EXPECT_EQ(array.seal(), Seal::unchecked);
  EXPECT_EQ(read_all(array), sample.voxels.data);
  // A commit would put a right seal on what is damaged.
  EXPECT_NE(corruption(
                [&] { Array::open(sample.path, {.mode = Mode::read_write, .verify = false}); }),
            "");
}

// Every byte that a reader uses is covered by the seal or by a sum.
TEST(Verify, NoChangedByteGivesOtherVoxelsOrMetadata) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  const Voxels voxels({8, 8, 8});  // no padding, which nobody reads
  for (const bool compressed : {true, false}) {
    Array::save_voxels(path, voxels.view(), int16(), {},
                       compressed ? with_layout({4, 8, 8}, {2, 8, 8})
                                  : without_compression({4, 8, 8}, {2, 8, 8}));
    const std::vector<char> good = load_bytes(path);
    const Metadata metadata = Array::open(path).metadata();
    std::size_t found = 0;
    std::size_t tried = 0;
    for (std::size_t at = compressed ? 0 : 1; at < good.size(); at += 3, ++tried) {
      std::vector<char> bytes = good;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << at % 8));
      store_bytes(path, bytes);
      try {
        const Array array = Array::open(path, {.access = Access::buffered});
        ASSERT_EQ(read_all(array), voxels.data) << "byte " << at;
        ASSERT_EQ(array.metadata(), metadata) << "byte " << at;
      } catch (const Error&) {
        ++found;
      }
    }
    // Block starts need no cover, everything else has it.
    EXPECT_GT(found, tried * 9 / 10);
  }
}

// The same of files whose sums lie in pages, or that have the record of block offsets, also by
// ranges, where the record says where the blocks are.
TEST(Verify, NoChangedByteOfPagesAndRecordsGivesOtherVoxels) {
  const TempDir dir;
  const auto path = dir.path() / "a.mla";
  for (const bool paged : {true, false}) {
    const Voxels voxels(paged ? Shape{13, 32, 128} : Shape{13, 64, 128});
    Array::save_voxels(
        path, voxels.view(), int16(), {},
        paged ? with_layout({1, 32, 128}, {1, 1, 4}) : with_layout({1, 64, 128}, {1, 32, 64}));
    std::vector<std::pair<std::size_t, std::size_t>> places;  // from, to: pages first
    {
      const session::Snapshot state = test::state_of(io::open_buffered(path));
      const store::ChunkIndex& index = state.chunks->index();
      ASSERT_EQ(index.table().pages() != nullptr, paged);
      ASSERT_EQ(index.offsets() != nullptr, !paged);
      const store::PageList& list =
          paged ? *index.table().pages() : index.offsets()->pages().list();
      for (std::size_t i = 0; i < list.pages.size(); ++i) {
        const auto first = static_cast<std::size_t>(list.pages[i].offset);
        places.emplace_back(first, first + list.length_of(i));
      }
    }
    std::vector<char> good = load_bytes(path);
    places.emplace_back(places.back().second, good.size());  // index, trailer
    places.emplace_back(0, places.front().first);
    std::mt19937 random(5);
    std::size_t found = 0;
    for (int trial = 0; trial < test::rounds(150); ++trial) {
      const auto& [from, to] = places[static_cast<std::size_t>(trial) % places.size()];
      const std::size_t at = from + random() % (to - from);
      good[at] = static_cast<char>(good[at] ^ (1 << trial % 8));
      store_bytes(path, good);
      SCOPED_TRACE("byte " + std::to_string(at));
      std::optional<bool> right[2];
      for (const bool remote : {false, true}) {
        try {
          const Array array = remote ? Array::open(std::make_shared<test::CountingSource>(path))
                                     : Array::open(path, {.access = Access::buffered});
          ASSERT_EQ(read_all(array), voxels.data);
          right[remote] = true;
          const VerifyReport report = array.verify();
          EXPECT_EQ(report.unverified_blocks, 0);
          // By ranges, the record may have served in place of a damaged head.
          EXPECT_FALSE(report.damaged() && !remote);
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::corruption);
          ++found;
        }
      }
      // A damaged record is done without; it is one page.
      EXPECT_TRUE(paged || trial % 3 != 0 || (right[0] && right[1]));
      good[at] = static_cast<char>(good[at] ^ (1 << trial % 8));
    }
    EXPECT_GT(found, 0u);
  }
}

TEST(Verify, AHeaderThatTurnsSpecialIsFound) {
  const Sample sample;
  const std::vector<char> good = load_bytes(sample.path);
  const std::shared_ptr<io::ByteSource> source = io::open_buffered(sample.path);
  const frame::State state = frame::read_state(*source);
  const auto chunk =
      static_cast<std::size_t>(state.header.header_len + state.index[13].offset());
  std::vector<char> bytes = good;
  // One repeated value of two bytes: length 34, special 3.
  bytes[chunk + 12] = 34;
  bytes[chunk + 13] = bytes[chunk + 14] = bytes[chunk + 15] = 0;
  bytes[chunk + 31] = static_cast<char>(0x32);
  store_bytes(sample.path, bytes);
  const Array array = Array::open(sample.path);
  EXPECT_NE(corruption([&] { read(array, kOneBlock); }), "");
  EXPECT_EQ(array.verify().damaged_blocks, 1);
}

TEST(Verify, ReportsEveryDamagedBox) {
  const Sample sample;
  EXPECT_TRUE(verify_file(sample.path).verified());
  for (const std::int64_t chunk : {2, 13, 26}) sample.flip(sample.place(chunk, 1));
  std::set<std::int64_t> steps;
  std::int64_t total = 0;
  const VerifyReport report = verify_file(
      sample.path,
      {.decode = false, .threads = 2, .progress = [&](std::int64_t done, std::int64_t all) {
         steps.insert(done);
         total = all;
       }});
  EXPECT_EQ(steps.size(), 27U);
  EXPECT_EQ(total, 27);
  EXPECT_EQ(report.seal, Seal::valid);
  EXPECT_TRUE(report.damaged());
  EXPECT_FALSE(report.verified());
  EXPECT_EQ(report.chunks, 27);
  EXPECT_EQ(report.blocks, 27 * 4);
  EXPECT_EQ(report.damaged_blocks, 3);
  EXPECT_EQ(report.verified_blocks, 27 * 4 - 3);
  EXPECT_EQ(report.unverified_blocks, 0);
  ASSERT_EQ(report.damage.size(), 3U);
  EXPECT_EQ(report.damage[1].chunk, 13);
  EXPECT_EQ(report.damage[1].block, 1);
  EXPECT_EQ(report.damage[1].voxels.start, kOneBlock.start);
  EXPECT_EQ(report.damage[1].voxels.stop, kOneBlock.stop);
}

TEST(Verify, ReportsABrokenSealAndWhatIsLeft) {
  const Sample sample;
  sample.flip(static_cast<std::size_t>(std::filesystem::file_size(sample.path)) - 1);
  const VerifyReport report = verify_file(sample.path);
  EXPECT_EQ(report.seal, Seal::broken);
  EXPECT_TRUE(report.opened);
  EXPECT_TRUE(report.damaged());
  EXPECT_EQ(report.verified_blocks, 27 * 4);
  EXPECT_EQ(report.damaged_blocks, 0);
  std::filesystem::resize_file(sample.path, 300);
  const VerifyReport truncated = verify_file(sample.path);
  EXPECT_FALSE(truncated.opened);
  ASSERT_EQ(truncated.damage.size(), 1U);
  EXPECT_TRUE(contains(truncated.damage[0].what, "truncated"));
  EXPECT_THROW(verify_file(sample.dir.path() / "missing.mla"), Error);
}

TEST(Verify, WithoutASealOnlyStructureAndDecodingAreLookedAt) {
  const Sample sample;
  std::vector<char> bytes = load_bytes(sample.path);
  std::fill(bytes.end() - 17, bytes.end(), char{0});
  store_bytes(sample.path, bytes);
  const VerifyReport report = verify_file(sample.path);
  EXPECT_EQ(report.seal, Seal::edited);
  EXPECT_FALSE(report.damaged());
  EXPECT_FALSE(report.verified());
  EXPECT_EQ(report.unverified_blocks, 27 * 4);
  EXPECT_EQ(read_all(Array::open(sample.path)), sample.voxels.data);
}

TEST(Verify, InMemoryNothingIsRecorded) {
  const Voxels voxels({9, 9});
  const Array array = Array::in_memory(voxels.shape, int16(), voxels.view());
  const VerifyReport report = array.verify();
  EXPECT_FALSE(report.damaged());
  EXPECT_EQ(report.verified_blocks, 0);
  EXPECT_GT(report.unverified_blocks, 0);
}

}  // namespace
}  // namespace mlarray
