#include "io/temporary.hpp"

#include <gtest/gtest.h>

#include <string>

#include "io/file.hpp"
#include "io/system.hpp"
#include "support/child_process.hpp"
#include "support/errors.hpp"
#include "support/temp_dir.hpp"

namespace mlarray::io {
namespace {

using test::TempDir;
using test::write_text;

// A name as a process that is gone now would have made it.
std::string name_of_the_dead(const TempDir& folder) {
  std::string name = temporary_name(folder / "a.mla").filename().string();
  test::ChildProcess child([] { return 0; });
  const std::string dead = std::to_string(child.pid());
  child.wait();
  const std::string own = "." + std::to_string(system::process_id()) + "-";
  return name.replace(name.find(own), own.size(), "." + dead + "-");
}

TEST(Temporary, OfADeadProcessIsRemoved) {
  const TempDir folder;
  write_text(folder / name_of_the_dead(folder), "half");
  remove_leftovers(folder.path());
  EXPECT_TRUE(folder.names().empty());
}

TEST(Temporary, OfALivingProcessAndUnderOtherNamesStays) {
  const TempDir folder;
  const std::string dead = name_of_the_dead(folder);
  write_text(temporary_name(folder / "a.mla"), "half");
  write_text(folder / ("x" + dead), "not ours");
  write_text(folder / (dead + ".tmp"), "not ours");
  write_text(folder / dead.substr(0, dead.size() - 5), "not ours");
  remove_leftovers(folder.path());
  EXPECT_EQ(folder.names().size(), 4u);
}

TEST(Temporary, IsLookedForOnceAMinute) {
  const TempDir folder;
  remove_leftovers(folder.path());
  write_text(folder / name_of_the_dead(folder), "half");
  remove_leftovers(folder.path());
  EXPECT_EQ(folder.names().size(), 1u);
  forget_folders();
  remove_leftovers(folder.path());
  EXPECT_EQ(folder.names().size(), 0u);
}

TEST(Temporary, WithALockHeldStays) {
  const TempDir folder;
  const std::string dead = name_of_the_dead(folder);
  write_text(folder / dead, "half");
  const WritableFile held = WritableFile::open(folder / dead);
  remove_leftovers(folder.path());
  EXPECT_EQ(folder.names().size(), 1u);
}

TEST(Temporary, PathsWithAZeroAreRefused) {
  const std::filesystem::path path(std::string("a\0.mla", 6));
  EXPECT_ERROR(WritableFile::open(path), ErrorKind::invalid_value, "zero byte");
  EXPECT_ERROR(AtomicFile{path}, ErrorKind::invalid_value, "zero byte");
  EXPECT_ERROR(open_buffered(path), ErrorKind::invalid_value, "zero byte");
}

}  // namespace
}  // namespace mlarray::io
