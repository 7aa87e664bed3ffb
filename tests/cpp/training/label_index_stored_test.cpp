// A label index in its file and in a cache folder.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "mlarray/training/label_index.hpp"
#include "session/array_records.hpp"
#include "session/inside.hpp"
#include "support/errors.hpp"
#include "support/records.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"
#include "training/cache.hpp"
#include "training/label_maps.hpp"

namespace mlarray::training {
namespace {

namespace fs = std::filesystem;
using mlarray::test::TempDir;
using test::blobs;
using test::with_chunks;

const Shape kLabelShape = {24, 32, 40};

class StoredIndex : public testing::Test {
 protected:
  fs::path label() const { return dir_.path() / "seg.mla"; }
  fs::path cache() const { return dir_.path() / "cache" / "of" / "indexes"; }
  void save(unsigned seed = 1,
            const SaveOptions& options = with_chunks({8, 16, 40}, {4, 8, 40})) {
    map_ = blobs(kLabelShape, {1, 2, 5}, seed);
    Array::save_voxels(label(), map_, kLabelShape, {}, options);
  }
  std::vector<std::byte> expected(const LabelIndexOptions& options = {}) const {
    return LabelIndex::build(Array::in_memory(map_, kLabelShape), options).bytes();
  }
  std::vector<std::byte> stored() const {
    const auto index = LabelIndex::of(Array::open(label()));
    return index ? index->bytes() : std::vector<std::byte>();
  }
  std::size_t files_in_cache() const {
    if (!fs::exists(cache())) return 0;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(cache()), fs::directory_iterator()));
  }

  TempDir dir_;
  std::vector<std::uint8_t> map_;
};

TEST_F(StoredIndex, IsWrittenOnce) {
  save();
  EXPECT_TRUE(stored().empty());
  EXPECT_TRUE(build_label_index(label()));
  EXPECT_EQ(stored(), expected());
  const auto bytes = fs::file_size(label());
  EXPECT_FALSE(build_label_index(label()));
  EXPECT_EQ(fs::file_size(label()), bytes);
  EXPECT_TRUE(build_label_index(label(), {.positions = 50, .joined = {{2, 1}}}));
  EXPECT_EQ(stored(), expected({.positions = 50, .joined = {{1, 2}}}));
  EXPECT_FALSE(build_label_index(label(), {.positions = 50, .joined = {{1, 2, 1}}}));
  EXPECT_TRUE(Array::open(label()).verify().verified());
}

TEST_F(StoredIndex, MayBeOneOfLists) {
  save();
  const std::vector<LabelIndex::Listed> lists = {{{1}, {3, 4, 5, 6, 7, 8}},
                                                 {{1, 2}, {0, 0, 1}}};
  const LabelIndex index = LabelIndex::from_lists(kLabelShape, lists);
  EXPECT_TRUE(index.listed());
  EXPECT_TRUE(store_label_index(label(), index));
  EXPECT_EQ(stored(), index.bytes());
  EXPECT_TRUE(LabelIndex::from_bytes(stored()).listed());
  const auto bytes = fs::file_size(label());
  EXPECT_FALSE(store_label_index(label(), index));
  EXPECT_EQ(fs::file_size(label()), bytes);
  EXPECT_ERROR(store_label_index(label(), LabelIndex::from_lists({24, 32}, {})),
               ErrorKind::invalid_value, "(24, 32, 40)", "(24, 32)");
  EXPECT_TRUE(build_label_index(label()));  // which is another one
  EXPECT_EQ(stored(), expected());
  EXPECT_FALSE(LabelIndex::from_bytes(stored()).listed());
}

TEST_F(StoredIndex, SurvivesMetadataAndSaving) {
  save();
  build_label_index(label());
  {
    Array array = Array::open(label(), {.mode = Mode::read_write});
    array.set_metadata(mlarray::test::with_text("one"));
    array.flush();
    EXPECT_TRUE(LabelIndex::of(array).has_value());
    array.save(label(), with_chunks({24, 16, 16}, {8, 8, 16}));  // over its own file
    EXPECT_TRUE(LabelIndex::of(array).has_value());
    array.set_metadata(mlarray::test::with_text("two"));
    array.close();
  }
  EXPECT_EQ(stored(), expected());
  const Array array = Array::open(label());
  array.save(dir_.path() / "copy.mla");
  EXPECT_EQ(LabelIndex::of(Array::open(dir_.path() / "copy.mla"))->bytes(), expected());
  Array::load(label()).save(label());
  EXPECT_EQ(stored(), expected());
  // A codec that changes voxels leaves it out.
  SaveOptions shortened;
  shortened.codec = codec_for(Preset::fast, array.dtype());
  shortened.codec->filters = {};
  shortened.codec->set_filters({Filter::int_trunc});
  shortened.codec->filters_meta[5] = 4;
  array.save(dir_.path() / "short.mla", shortened);
  EXPECT_FALSE(LabelIndex::of(Array::open(dir_.path() / "short.mla")).has_value());
}

TEST_F(StoredIndex, SurvivesCompaction) {
  // Noise, so that chunks which are replaced leave much behind.
  std::mt19937 random(1);
  map_.resize(static_cast<std::size_t>(element_count({40, 100, 100})));
  for (auto& voxel : map_) voxel = static_cast<std::uint8_t>(random() % 200);
  Array::save_voxels(label(), map_, {40, 100, 100});
  const auto live = fs::file_size(label());
  Array array = Array::open(label(), {.mode = Mode::read_write});
  for (int i = 0; i < 3; ++i) {
    array.write(Box::whole(array.shape()), map_);
    array.flush();
  }
  EXPECT_GT(fs::file_size(label()), 2 * live);
  EXPECT_TRUE(build_label_index(array));
  EXPECT_FALSE(build_label_index(array));
  const auto index = LabelIndex::of(array)->bytes();
  array.close();
  EXPECT_LT(fs::file_size(label()), 3 * live / 2 + index.size());
  EXPECT_EQ(stored(), index);
  EXPECT_TRUE(Array::open(label()).verify().verified());
}

TEST_F(StoredIndex, EndsWithAnEdit) {
  save();
  Array array = Array::open(label(), {.mode = Mode::read_write});
  EXPECT_TRUE(build_label_index(array));
  const std::vector<std::uint8_t> sevens(8, 7);
  map_[0] = map_[1] = 7;
  array.write({{0, 0, 0}, {1, 1, 2}}, std::span(sevens).first(2));
  EXPECT_FALSE(LabelIndex::of(array).has_value());
  array.flush();
  EXPECT_TRUE(stored().empty());
  // And is made again, in the same session.
  EXPECT_TRUE(build_label_index(array));
  EXPECT_EQ(stored(), expected());
  array.close();
  EXPECT_EQ(stored(), expected());

  Array copy = Array::open(label(), {.mode = Mode::copy_on_write});
  EXPECT_TRUE(LabelIndex::of(copy).has_value());
  copy.write({{0, 0, 0}, {1, 1, 2}}, std::span(sevens).first(2));
  EXPECT_FALSE(LabelIndex::of(copy).has_value());
  EXPECT_EQ(stored(), expected());
}

TEST_F(StoredIndex, IsCommittedWithWhatIsPending) {
  save();
  Array array = Array::open(label(), {.mode = Mode::read_write});
  const std::vector<std::uint8_t> seven = {7};
  array.write({{0, 0, 0}, {1, 1, 1}}, seven);
  map_[0] = 7;
  EXPECT_TRUE(build_label_index(array, {}, CommitLevel::durable));
  EXPECT_EQ(stored(), expected());  // a reader sees the edit, too
}

TEST_F(StoredIndex, IsNotOfVoxelsThatWereEditedMeanwhile) {
  save();
  Array array = Array::open(label(), {.mode = Mode::read_write});
  const auto state = Array::Inside::impl(array).open_snapshot();
  const auto bytes = expected();
  const std::vector<std::uint8_t> seven = {7};
  array.write({{0, 0, 0}, {1, 1, 1}}, seven);
  EXPECT_ERROR(session::write_record(array, *state, store::kLabelIndex, bytes, {}),
               ErrorKind::invalid_use, "seg.mla", "edited", "again");
  EXPECT_FALSE(LabelIndex::of(array).has_value());
}

TEST_F(StoredIndex, IsNotPutWhereItWouldNotHold) {
  save();
  const auto bytes = expected();
  Array reader = Array::open(label());
  EXPECT_ERROR(build_label_index(reader), ErrorKind::read_only, "seg.mla", "'r+'");
  Array copy = Array::open(label(), {.mode = Mode::copy_on_write});
  EXPECT_ERROR(build_label_index(copy), ErrorKind::invalid_use, "seg.mla", "'r+'");
  Array memory = Array::in_memory(map_, kLabelShape);
  EXPECT_ERROR(build_label_index(memory), ErrorKind::invalid_use);
  EXPECT_ERROR(build_label_index(dir_.path() / "none.mla"), ErrorKind::not_found, "none.mla");
  fs::permissions(label(), fs::perms::owner_read);
  if (::geteuid() != 0) {
    EXPECT_ERROR(build_label_index(label()), ErrorKind::io, "seg.mla");
  }
}

// Another Blosc2 writer keeps the list of records and takes the seal away.
TEST_F(StoredIndex, IsNotBelievedWithoutASeal) {
  save();
  build_label_index(label());
  std::fstream file(label(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-17, std::ios::end);
  file.write(std::string(17, '\0').data(), 17);
  file.close();
  EXPECT_TRUE(stored().empty());
  EXPECT_ERROR(build_label_index(label()), ErrorKind::unsupported, "seg.mla", "checksums",
               "repack");
  // It is built for who asks, and no error.
  EXPECT_EQ(label_index_of(Array::open(label()), cache()).bytes(), expected());
}

TEST_F(StoredIndex, IsBuiltWhereItIsDamaged) {
  save();
  build_label_index(label());
  const auto bytes = expected();
  std::fstream file(label(), std::ios::in | std::ios::out | std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(file)), {});
  const std::string wanted(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto at = content.find(wanted);
  ASSERT_NE(at, std::string::npos);
  file.clear();
  file.seekp(static_cast<std::streamoff>(at + 100));
  file.write("damaged", 7);
  file.close();
  EXPECT_TRUE(stored().empty());
  EXPECT_EQ(label_index_of(Array::open(label())).bytes(), bytes);
  EXPECT_TRUE(build_label_index(label()));
  EXPECT_EQ(stored(), bytes);
}

TEST_F(StoredIndex, OfMoreThanOnePage) {
  std::vector<std::uint8_t> many(std::size_t{1} << 22);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::uint8_t>(i % 250);
  map_ = many;
  Array::save_voxels(label(), many, {4, 1024, 1024});
  build_label_index(label());
  const auto bytes = LabelIndex::build(Array::in_memory(many, {4, 1024, 1024})).bytes();
  EXPECT_GT(bytes.size(), std::size_t{3} << 20);
  EXPECT_EQ(stored(), bytes);
}

TEST_F(StoredIndex, IsKeptInAFolder) {
  save();
  const auto index = [&](const LabelIndexOptions& options = {}) {
    return label_index_of(Array::open(label()), cache(), options).bytes();
  };
  EXPECT_EQ(index(), expected());
  EXPECT_EQ(files_in_cache(), 1u);
  // What is there is taken, and is of these options and voxels.
  fs::path kept = fs::directory_iterator(cache())->path();
  EXPECT_EQ(index({.positions = 20}), expected({.positions = 20}));
  EXPECT_EQ(files_in_cache(), 2u);
  const auto time = fs::last_write_time(kept);
  EXPECT_EQ(index(), expected());
  EXPECT_EQ(fs::last_write_time(kept), time);
  save(2);
  EXPECT_EQ(index(), expected());
  EXPECT_EQ(files_in_cache(), 3u);
  // A stored one goes before, if it is what is asked for.
  build_label_index(label());
  EXPECT_EQ(index(), expected());
  EXPECT_EQ(files_in_cache(), 3u);
  // A file without a name for its voxels is known by its state.
  const auto plain = dir_.path() / "plain.b2nd";
  Array::save_voxels(plain, map_, kLabelShape, {}, {.store_metadata = false});
  EXPECT_EQ(label_index_of(Array::open(plain, {.verify = false}), cache()).bytes(), expected());
  EXPECT_EQ(files_in_cache(), 4u);
  EXPECT_EQ(label_index_of(Array::open(plain, {.verify = false}), cache()).bytes(), expected());
  EXPECT_EQ(files_in_cache(), 4u);
}

TEST_F(StoredIndex, IsMadeAgainWhereTheCacheIsDamaged) {
  save();
  const auto index = [&] { return label_index_of(Array::open(label()), cache()).bytes(); };
  index();
  const fs::path kept = fs::directory_iterator(cache())->path();
  const auto size = fs::file_size(kept);
  for (const std::uintmax_t at : {std::uintmax_t{0}, size / 2, size - 1}) {
    std::fstream file(kept, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
    file.close();
    EXPECT_FALSE(cached(cache(), "anything").has_value());
    EXPECT_EQ(index(), expected()) << at;
    std::ifstream again(kept, std::ios::binary);
    again.seekg(static_cast<std::streamoff>(at));
    EXPECT_NE(static_cast<char>(again.get()), byte) << "not written anew";
  }
  fs::resize_file(kept, 3);
  EXPECT_EQ(index(), expected());
  EXPECT_EQ(fs::file_size(kept), size);
  fs::resize_file(kept, 0);
  EXPECT_EQ(index(), expected());
}

TEST_F(StoredIndex, DoesWithoutACacheThatCannotBeWritten) {
  save();
  const fs::path file = dir_.path() / "a_file";
  std::ofstream(file) << "not a folder";
  EXPECT_EQ(label_index_of(Array::open(label()), file).bytes(), expected());
  EXPECT_EQ(label_index_of(Array::open(label()), file / "below").bytes(), expected());
  EXPECT_EQ(label_index_of(Array::open(label()), "/proc/none").bytes(), expected());
  EXPECT_EQ(label_index_of(Array::in_memory(map_, kLabelShape), cache()).bytes(), expected());
}

TEST_F(StoredIndex, ManyThreadsUseOneCache) {
  save();
  const auto wanted = expected();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 10; ++k) {
        EXPECT_EQ(label_index_of(Array::open(label()), cache()).bytes(), wanted);
        std::error_code ignored;  // others write there
        if (k % 3 == 0) fs::remove_all(cache(), ignored);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace mlarray::training
