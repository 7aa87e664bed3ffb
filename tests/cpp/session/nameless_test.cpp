// Files that somebody removes, replaces or moves while an array writes them. POSIX only:
// Windows removes no open file.
#ifndef _WIN32

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

namespace fs = std::filesystem;
using test::int16;
using test::read_all;
using test::TempDir;
using test::Voxels;
using test::with_layout;

const Shape kNameless = {8, 16, 16};

void remove_it(const fs::path& path) { fs::remove(path); }

void replace_it(const fs::path& path) {
  fs::copy_file(path, path.string() + ".copy");
  fs::rename(path.string() + ".copy", path);
}

struct Outside {
  const char* name;
  void (*act)(const fs::path&);
  const char* says;
  CommitLevel level;
};

std::ostream& operator<<(std::ostream& out, const Outside& one) { return out << one.name; }

class Nameless : public ::testing::TestWithParam<Outside> {
 protected:
  Nameless() {
    Array::save_voxels(path_, voxels_.view(), int16(), {}, with_layout({4, 8, 8}, {4, 4, 4}));
    array_ = Array::open(path_, {.mode = Mode::read_write, .level = GetParam().level});
  }
  void edit(unsigned seed) {
    const Voxels plane({1, 16, 16}, seed);
    array_->write({{2, 0, 0}, {3, 16, 16}}, plane.view());
  }
  void set_text() {
    Metadata metadata;
    metadata.set("spatial", "spacing", List{{1.0, 2.0, 3.0}});
    array_->set_metadata(metadata);
  }
  // That of every call which would have to write to the file that is gone.
  void expect_told(const std::function<void()>& call) {
    try {
      call();
      ADD_FAILURE() << "it succeeds";
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_EQ(error.kind(), ErrorKind::not_found) << text;
      EXPECT_NE(text.find(path_.string()), std::string::npos) << text;
      EXPECT_NE(text.find(GetParam().says), std::string::npos) << text;
      EXPECT_NE(text.find("save()"), std::string::npos) << text;
    }
  }

  TempDir folder_;
  fs::path path_ = folder_ / "a.mla";
  const Voxels voxels_{kNameless, 1};
  std::optional<Array> array_;
};

std::string outside_name(const ::testing::TestParamInfo<Outside>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    Ways, Nameless,
    ::testing::Values(Outside{"RemovedNone", remove_it, "was removed", CommitLevel::none},
                      Outside{"RemovedDurable", remove_it, "was removed", CommitLevel::durable},
                      Outside{"ReplacedOrdered", replace_it, "was replaced by another file",
                              CommitLevel::ordered},
                      Outside{"ReplacedDurable", replace_it, "was replaced by another file",
                              CommitLevel::durable}),
    outside_name);

TEST_P(Nameless, IsToldWhenItCommits) {
  edit(2);
  GetParam().act(path_);
  const auto shown = read_all(*array_);
  for (const CommitLevel level :
       {CommitLevel::none, CommitLevel::ordered, CommitLevel::durable}) {
    expect_told([&] { array_->flush(level); });
  }
  expect_told([&] { edit(3); });
  EXPECT_EQ(read_all(*array_), shown);
  const fs::path kept = folder_ / "kept.mla";
  array_->save(kept);
  expect_told([&] { array_->close(); });
  EXPECT_EQ(read_all(Array::open(kept)), shown);
}

TEST_P(Nameless, IsToldWhenItCloses) {
  edit(2);
  GetParam().act(path_);
  expect_told([&] { array_->close(); });
  EXPECT_TRUE(array_->closed());
  EXPECT_NO_THROW(array_->close());
}

TEST_P(Nameless, IsToldOfMetadata) {
  set_text();
  GetParam().act(path_);
  expect_told([&] { array_->flush(); });
  expect_told([&] { array_->close(); });
}

TEST_P(Nameless, IsToldByTheBudget) {
  array_->set_commit_budget({.bytes = 1, .seconds = 1e9});
  edit(2);
  GetParam().act(path_);
  expect_told([&] { edit(3); });
}

// What it committed before may not be in the file that stands there now.
TEST_P(Nameless, IsToldWithoutNewEdits) {
  edit(2);
  array_->flush(CommitLevel::durable);
  GetParam().act(path_);
  expect_told([&] { array_->flush(CommitLevel::durable); });
  expect_told([&] { array_->close(); });
}

TEST_P(Nameless, IsNotToldWhereNothingWasWritten) {
  GetParam().act(path_);
  EXPECT_NO_THROW(array_->close());
}

TEST_P(Nameless, DoesNotTouchWhatStandsThere) {
  edit(2);
  GetParam().act(path_);
  array_.reset();
  EXPECT_EQ(fs::exists(path_), GetParam().act == replace_it);
  if (!fs::exists(path_)) return;
  EXPECT_EQ(read_all(Array::open(path_)), voxels_.data);
}

TEST(Moved, GoesOnWhereItsFileIs) {
  const TempDir folder;
  const fs::path path = folder / "a.mla", moved = folder / "b.mla";
  Array::save_voxels(path, Voxels(kNameless, 1).view(), int16(), {});
  Array array = Array::open(path, {.mode = Mode::read_write, .level = CommitLevel::durable});
  const Voxels plane({1, 16, 16}, 2);
  array.write({{2, 0, 0}, {3, 16, 16}}, plane.view());
  fs::rename(path, moved);
  array.flush();
  array.write({{3, 0, 0}, {4, 16, 16}}, plane.view());
  const auto shown = read_all(array);
  array.close();
  EXPECT_FALSE(fs::exists(path));
  EXPECT_EQ(read_all(Array::open(moved)), shown);
}

// With another name left, the file is not lost.
TEST(Moved, GoesOnUnderTheOtherNameOfAHardLink) {
  const TempDir folder;
  const fs::path path = folder / "a.mla", other = folder / "b.mla";
  Array::save_voxels(path, Voxels(kNameless, 1).view(), int16(), {});
  fs::create_hard_link(path, other);
  Array array = Array::open(path, {.mode = Mode::read_write});
  const Voxels plane({1, 16, 16}, 2);
  array.write({{2, 0, 0}, {3, 16, 16}}, plane.view());
  fs::remove(path);
  const auto shown = read_all(array);
  array.close();
  EXPECT_EQ(read_all(Array::open(other)), shown);
}

// A new file under another name of the file takes that name alone.
TEST(Moved, ASaveOverAnotherHardLinkLeavesTheWriterItsFile) {
  const TempDir folder;
  const fs::path path = folder / "a.mla", other = folder / "b.mla";
  Array::save_voxels(path, Voxels(kNameless, 1).view(), int16(), {});
  const Voxels plane({1, 16, 16}, 2);
  const Voxels replacement(kNameless, 3);
  const auto save_it = [&](Array&) {
    Array::save_voxels(other, replacement.view(), int16(), {});
  };
  const auto create_it = [&](Array&) {
    Array created = Array::create(other, kNameless, int16(), {});
    created.write(Box::whole(kNameless), replacement.view());
    created.close();
  };
  const auto save_own = [&](Array& array) { array.save(other); };
  int row = 2;
  for (const std::function<void(Array&)>& act :
       {std::function<void(Array&)>(save_it), std::function<void(Array&)>(create_it),
        std::function<void(Array&)>(save_own)}) {
    fs::remove(other);
    fs::create_hard_link(path, other);
    Array array = Array::open(path, {.mode = Mode::read_write});
    array.write({{row, 0, 0}, {row + 1, 16, 16}}, plane.view());
    act(array);
    const auto in_other = read_all(Array::open(other));
    array.write({{row + 1, 0, 0}, {row + 2, 16, 16}}, plane.view());
    const auto shown = read_all(array);
    array.close();
    EXPECT_EQ(read_all(Array::open(path)), shown);
    EXPECT_EQ(read_all(Array::open(other)), in_other);
    ++row;
  }
}

}  // namespace
}  // namespace mlarray

#endif  // !_WIN32
