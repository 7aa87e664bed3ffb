// Records between all who write a file: this library, an older version of it, c-blosc2; through
// saving, compaction, copies and salvage. One that does not hold any more is never believed.
#include "store/records.hpp"

#include <b2nd.h>
#include <blosc2.h>
#include <gtest/gtest.h>

#include "codec/chunk_format.hpp"
#include "mlarray/salvage.hpp"
#include "support/errors.hpp"
#include "support/records.hpp"
#include "support/rounds.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using test::heads_of;
using test::int16;
using test::read_all;
using test::RecordBytes;
using test::RecordedFile;
using test::TempDir;
using test::Voxels;
using test::with_layout;

RecordBytes bytes_of(const std::filesystem::path& path) {
  const std::string text = test::read_text(path);
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void put_bytes(const std::filesystem::path& path, const RecordBytes& bytes) {
  test::write_text(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

const RecordBytes kRecordOfOthers(3000, std::byte{0x5a});

// A file, the voxels that it must have, and what one can do to it.
class SharedFile {
 public:
  explicit SharedFile(Shape chunk = {1, 32, 128}, Shape block = {1, 8, 128},
                      std::int64_t chunks = kChunks)
      : options_(with_layout(std::move(chunk), std::move(block))),
        voxels_({chunks, 32, 128}),
        random_(3) {
    blosc2_init();
    for (auto& voxel : voxels_.data) voxel = static_cast<std::int16_t>(random_());
    options_.level = CommitLevel::none;
    // LZ4HC takes 256 KiB of memory for each block, which sanitizers map anew each time.
    options_.codec = codec_for(Preset::fast, int16());
    options_.codec->codec = Codec::lz4;
    Array::save_voxels(path_, voxels_.view(), int16(), {}, options_);
  }

  static constexpr std::int64_t kChunks = 12;
  static constexpr int kSteps = 11;
  static const char* name_of(int step) {
    constexpr const char* kNames[kSteps] = {
        "ours",     "ours, metadata",   "c79b0ee", "c79b0ee, metadata",
        "c-blosc2", "c-blosc2, shrink", "copy",    "save",
        "compact",  "salvage",          "record"};
    return kNames[step];
  }
  void take(int step) {
    switch (step) {
      case 0:
        return edit();
      case 1: {
        Array array = open_to_write();
        array.set_metadata(test::with_text(std::to_string(random_())));
        return array.close();
      }
      case 2:
        return edit_as_c79b0ee();
      case 3:
        return put_bytes(path_, test::edited_by_c79b0ee(bytes_of(path_), 0, {}));
      case 4:
        return edit_by_blosc2(false);
      case 5:
        return edit_by_blosc2(true);
      case 6:
        return copy_by_blosc2();
      case 7:
        return Array::open(path_).save(path_, options_);
      case 8: {
        Array array = open_to_write();
        for (int i = 0; i < 2; ++i) {
          randomise(voxels_.whole());
          array.write(voxels_.whole(), voxels_.view());
          array.flush();
        }
        return array.close();
      }
      case 9: {
        const std::filesystem::path saved = dir_ / "saved.mla";
        const SalvageReport report = salvage(path_, saved, {.level = CommitLevel::none});
        EXPECT_EQ(report.lost_voxels, 0);
        return std::filesystem::rename(saved, path_);
      }
      default:
        if (!RecordedFile(bytes_of(path_)).state.find("mlarray:checksums")) return;
        if (RecordedFile(bytes_of(path_)).state.seal != Seal::valid) return;
        put_bytes(path_, test::with_record(bytes_of(path_), "preview", kRecordOfOthers));
        return;
    }
  }

  // What is wrong with the file now; empty if nothing is.
  std::string look() {
    const RecordBytes bytes = bytes_of(path_);
    const test::Heads heads = heads_of(bytes);
    if (!heads.wrong.empty()) return heads.wrong.front();
    const auto content = test::content_of_record(bytes, "preview");
    if (content && (edited_since_preview_ || *content != kRecordOfOthers)) {
      return "a record of other voxels";
    }
    try {
      if (read_all(Array::open(path_)) != voxels_.data) return "wrong voxels";
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  void run(const std::vector<int>& steps) {
    std::string done;
    for (const int step : steps) {
      done += std::string(done.empty() ? "" : "; ") + name_of(step);
      SCOPED_TRACE(done);
      take(step);
      if (step == 10) edited_since_preview_ = false;
      if (step != 1 && step != 3 && step != 6 && step != 10) edited_since_preview_ = true;
      const std::string wrong = look();
      ASSERT_EQ(wrong, "") << done;
      // What we have written ourselves last lists nothing that does not hold.
      const RecordedFile file(bytes_of(path_));
      const bool ours = step == 0 || step == 1 || step == 7 || step == 8 || step == 9;
      ASSERT_FALSE(ours && file.has_layer() && file.records.empty()) << done;
    }
  }

  std::size_t heads() const { return heads_of(bytes_of(path_)).recorded; }
  const std::filesystem::path& path() const { return path_; }
  Voxels& voxels() { return voxels_; }

 private:
  Array open_to_write() const {
    return Array::open(path_, {.mode = Mode::read_write, .level = CommitLevel::none});
  }
  void randomise(const Box& box) {
    std::vector<std::int16_t> values(static_cast<std::size_t>(element_count(box.shape())));
    for (auto& value : values) value = static_cast<std::int16_t>(random_());
    voxels_.put(box, values);
  }
  void edit() {
    Box box = test::random_box(voxels_.shape, random_);
    if (box.empty()) box = voxels_.whole();
    randomise(box);
    Array array = open_to_write();
    test::write(array, box, voxels_.cut(box));
    array.close();
  }
  Box chunk_box(std::int64_t number) const {
    return RecordedFile(bytes_of(path_)).geometry.chunk_box(number);
  }
  void edit_as_c79b0ee() {
    const RecordedFile file(bytes_of(path_));
    const auto number = static_cast<std::int64_t>(random_() % 12);
    const Box box = file.geometry.chunk_box(number);
    randomise(box);
    const std::vector<std::int16_t> values = voxels_.cut(box);
    CodecParams params;
    params.filters[5] = 1;
    codec::Encoder encoder(params, 2, static_cast<std::int32_t>(file.geometry.block_bytes()));
    // Blocks of a chunk are its rows here, so that its voxels lie as they are.
    put_bytes(path_, test::edited_by_c79b0ee(bytes_of(path_), number,
                                             encoder.encode(std::as_bytes(std::span(values)))));
  }
  void edit_by_blosc2(bool shrink) {
    const Box box = chunk_box(static_cast<std::int64_t>(random_() % 12));
    if (shrink) {
      voxels_.put(box, std::vector<std::int16_t>(
                           static_cast<std::size_t>(element_count(box.shape())), 7));
    } else {
      randomise(box);
    }
    const std::vector<std::int16_t> values = voxels_.cut(box);
    b2nd_array_t* array = nullptr;
    ASSERT_GE(b2nd_open(path_.string().c_str(), &array), 0);
    const Shape shape = box.shape();
    EXPECT_GE(b2nd_set_slice_cbuffer(values.data(), shape.data(),
                                     static_cast<std::int64_t>(2 * values.size()),
                                     box.start.data(), box.stop.data(), array),
              0);
    b2nd_free(array);
  }
  void copy_by_blosc2() {
    blosc2_schunk* schunk = blosc2_schunk_open(path_.string().c_str());
    ASSERT_NE(schunk, nullptr);
    std::string target = (dir_ / "copy.mla").string();
    blosc2_cparams cparams = BLOSC2_CPARAMS_DEFAULTS;
    cparams.typesize = 2;
    cparams.blocksize = schunk->blocksize;
    blosc2_storage storage = {};
    storage.contiguous = true;
    storage.urlpath = target.data();
    storage.cparams = &cparams;
    blosc2_schunk* copy = blosc2_schunk_copy(schunk, &storage);
    ASSERT_NE(copy, nullptr);
    blosc2_schunk_free(copy);
    blosc2_schunk_free(schunk);
    std::filesystem::rename(target, path_);
  }

  TempDir dir_;
  std::filesystem::path path_ = dir_ / "a.mla";
  SaveOptions options_;
  Voxels voxels_;
  std::mt19937 random_;
  bool edited_since_preview_ = true;
};

TEST(Records, OfBlockOffsetsAreWrittenByDefault) {
  const SharedFile history;
  EXPECT_EQ(history.heads(), 12u);
  EXPECT_LE(RecordedFile(bytes_of(history.path())).records[0].pages.stored_bytes() * 100,
            std::filesystem::file_size(history.path()));
}

TEST(Records, AreNotWrittenWhereTheyCostMore) {
  const SharedFile history({1, 8, 128}, {1, 1, 16});
  EXPECT_FALSE(RecordedFile(bytes_of(history.path())).has_layer());
}

TEST(Records, FollowEveryEdit) {
  SharedFile history;
  for (int i = 0; i < 8; ++i) {
    history.run({0});
    EXPECT_EQ(history.heads(), 12u);
  }
}

TEST(Records, AreMadeForAFileThatIsFilledLater) {
  const TempDir dir;
  const Voxels voxels({24, 64, 128});
  const auto path = dir / "a.mla";
  Array array =
      Array::create(path, voxels.shape, int16(), {}, with_layout({1, 64, 128}, {1, 16, 128}));
  for (std::int64_t z = 0; z < 24; ++z) {
    const Box row{{z, 0, 0}, {z + 1, 64, 128}};
    test::write(array, row, voxels.cut(row));
    if (z % 5 == 0) array.flush();
  }
  array.close();
  EXPECT_EQ(heads_of(bytes_of(path)).recorded, 24u);
  EXPECT_TRUE(heads_of(bytes_of(path)).wrong.empty());
}

TEST(Records, OfOthersAreCarriedByMetadataEditsAndCompaction) {
  SharedFile history;
  history.run({10, 1});
  EXPECT_EQ(test::content_of_record(bytes_of(history.path()), "preview"), kRecordOfOthers);
  // Much metadata, so that the file is compacted.
  {
    Array array = Array::open(history.path(), {.mode = Mode::read_write});
    for (int i = 0; i < 16; ++i) {
      std::string text;
      std::mt19937 random(static_cast<unsigned>(i));
      for (int k = 0; k < 80'000; ++k) text.push_back(static_cast<char>('a' + random() % 26));
      array.set_metadata(test::with_text(text));
      array.flush();
    }
    array.set_metadata(test::with_text("short"));
    array.close();
  }
  EXPECT_LT(std::filesystem::file_size(history.path()), 500'000u);
  EXPECT_EQ(test::content_of_record(bytes_of(history.path()), "preview"), kRecordOfOthers);
  EXPECT_EQ(history.heads(), 12u);
  history.run({0});
  EXPECT_FALSE(RecordedFile(bytes_of(history.path())).lists("preview"));
}

TEST(Records, AreNotBelievedWithoutASealOrForOtherChunks) {
  SharedFile history;
  history.run({10});
  RecordBytes bytes = bytes_of(history.path());
  EXPECT_EQ(RecordedFile(bytes).records.size(), 2u);
  RecordBytes unsealed = bytes;
  std::fill(unsealed.end() - 17, unsealed.end(), std::byte{0});
  EXPECT_TRUE(RecordedFile(unsealed).has_layer());
  EXPECT_TRUE(RecordedFile(unsealed).records.empty());
  // The same list, under a seal, with other sums.
  EXPECT_TRUE(RecordedFile(test::edited_by_c79b0ee(unsealed, 0, {})).records.empty());
}

TEST(Records, WithDamagedPagesAreDoneWithout) {
  SharedFile history;
  RecordBytes bytes = bytes_of(history.path());
  const store::Page page = RecordedFile(bytes).records[0].pages.pages[0];
  bytes[static_cast<std::size_t>(page.offset) + 50] ^= std::byte{1};
  EXPECT_EQ(heads_of(bytes).recorded, 0u);
  put_bytes(history.path(), bytes);
  history.run({0, 8});
  EXPECT_EQ(history.heads(), 12u);
}

TEST(PagedSums, ThatAreLostLeaveBlocksUnverified) {
  for (const bool without_trailer : {false, true}) {
    SharedFile shared({1, 32, 128}, {1, 1, 4}, 13);
    RecordBytes bytes = bytes_of(shared.path());
    const RecordedFile file(bytes);
    const auto table =
        store::ChecksumTable::parse(file.state.find(store::kChecksumLayer)->chunk, file.source,
                                    13, file.geometry.block_count());
    ASSERT_NE(table.pages(), nullptr);
    ASSERT_EQ(table.pages()->pages.size(), 4u);
    const auto page = static_cast<std::size_t>(table.pages()->pages[1].offset);
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(page), 5000, std::byte{1});
    // The names of the metalayers.
    if (without_trailer) bytes[bytes.size() - 30] ^= std::byte{1};
    put_bytes(shared.path(), bytes);
    if (!without_trailer) {
      const Array array = Array::open(shared.path());
      EXPECT_ERROR(read_all(array), ErrorKind::corruption, "page 1 of the checksums");
      EXPECT_EQ(read_all(Array::open(shared.path(), {.verify = false})), shared.voxels().data);
      const VerifyReport verified = array.verify();
      EXPECT_EQ(verified.damaged_blocks, 4 * file.geometry.block_count());
    }
    const TempDir dir;
    const SalvageReport report = salvage(shared.path(), dir / "good.mla");
    EXPECT_EQ(report.lost_voxels, 0);
    EXPECT_EQ(report.unverified_voxels, 4 * 32 * 128);
    EXPECT_EQ(report.verified_voxels, 9 * 32 * 128);
    EXPECT_EQ(read_all(Array::open(dir / "good.mla")), shared.voxels().data);
  }
}

class RecordOrders : public ::testing::TestWithParam<bool> {
 protected:
  static SharedFile make() {
    return GetParam() ? SharedFile({1, 32, 128}, {1, 1, 4}, 13) : SharedFile();
  }
};

TEST_P(RecordOrders, OfTwo) {
  const int every = GetParam() ? 5 / test::rounds(5) : 1;
  for (int a = 0; a < SharedFile::kSteps; ++a) {
    for (int b = a % every; b < SharedFile::kSteps; b += every) {
      SharedFile history = make();
      history.run({a, b});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(RecordOrders, OfMany) {
  std::mt19937 random(7);
  for (int i = 0; i < test::rounds(40); ++i) {
    SharedFile history = make();
    std::vector<int> steps(5);
    for (int& step : steps) step = static_cast<int>(random() % SharedFile::kSteps);
    history.run(steps);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Records, RecordOrders, testing::Bool(), [](const auto& one) {
  return one.param ? "WithSumsInPages" : "WithOffsets";
});

}  // namespace
}  // namespace mlarray
