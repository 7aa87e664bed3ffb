#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "io/file.hpp"
#include "support/bytes.hpp"
#include "support/child_process.hpp"
#include "support/errors.hpp"
#include "support/temp_dir.hpp"

namespace mlarray::io {
namespace {

using test::bytes_of;
using test::ChildProcess;
using test::Pipe;
using test::read_text;
using test::TempDir;
using test::write_text;
using Names = std::vector<std::string>;

struct stat info(const std::filesystem::path& path) {
  struct stat result = {};
  EXPECT_EQ(::stat(path.c_str(), &result), 0);
  return result;
}

unsigned mode(const std::filesystem::path& path) { return info(path).st_mode & 07777u; }

void replace(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.append(bytes_of(text));
  EXPECT_FALSE(file.publish_and_close(false));
}

// The superuser passes every permission check, so these run as somebody else.
template <typename Body>
int run_unprivileged(const TempDir& folder, Body body) {
  return test::run_in_child([&] {
    if (::getuid() == 0) {
      if (::chown(folder.path().c_str(), 65534, 65534) != 0) return 90;
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 91;
    }
    return body();
  });
}

TEST(AtomicFile, PutsANewFileInPlace) {
  const TempDir folder;
  AtomicFile file(folder / "a", CommitLevel::durable);
  file.append(bytes_of("hello "));
  file.append(bytes_of("world"));
  EXPECT_EQ(file.position(), 11u);
  file.write_at(0, bytes_of("H"));
  EXPECT_EQ(file.position(), 11u);
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
  WritableFile published = file.publish(false).file;
  EXPECT_EQ(read_text(folder / "a"), "Hello world");
  EXPECT_EQ(folder.names(), Names{"a"});
  EXPECT_EQ(published.id(), file_id(folder / "a"));
  EXPECT_EQ(published.path(), (folder / "a").string());
  published.write_at(11, bytes_of("!"));
  EXPECT_EQ(read_text(folder / "a"), "Hello world!");
  EXPECT_ERROR(WritableFile::open(folder / "a"), ErrorKind::busy);  // still locked
}

TEST(AtomicFile, KeepsTheOldContentUntilItIsPublished) {
  const TempDir folder;
  write_text(folder / "a", "old");
  const auto old_id = file_id(folder / "a");
  AtomicFile file(folder / "a");
  file.append(bytes_of("new content"));
  EXPECT_EQ(read_text(folder / "a"), "old");
  EXPECT_EQ(file_id(folder / "a"), old_id);
  file.publish(false);
  EXPECT_EQ(read_text(folder / "a"), "new content");
  EXPECT_NE(file_id(folder / "a"), old_id);
}

TEST(AtomicFile, LeavesNothingWhenItIsAbandoned) {
  const TempDir folder;
  write_text(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.append(bytes_of("new"));
    EXPECT_EQ(folder.names().size(), 2u);
  }
  EXPECT_EQ(folder.names(), Names{"a"});
  EXPECT_EQ(read_text(folder / "a"), "old");
}

TEST(AtomicFile, IsNotRemovedByAForkedChild) {
  const TempDir folder;
  std::optional<AtomicFile> file(std::in_place, folder / "a");
  file->append(bytes_of("new"));
  EXPECT_EQ(test::run_in_child([&] {
              file.reset();
              return 0;
            }),
            0);
  file->publish(false);
  EXPECT_EQ(read_text(folder / "a"), "new");
}

TEST(AtomicFile, IsUsedUpByPublishing) {
  const TempDir folder;
  AtomicFile file(folder / "a");
  file.publish(false);
  EXPECT_ERROR(file.append(bytes_of("x")), ErrorKind::invalid_use, (folder / "a").string());
  EXPECT_ERROR(file.write_at(0, bytes_of("x")), ErrorKind::invalid_use);
  EXPECT_ERROR(file.publish(false), ErrorKind::invalid_use);
  EXPECT_EQ(read_text(folder / "a"), "");
}

TEST(AtomicFile, NamesTheTemporaryAfterItsTarget) {
  const TempDir folder;
  const AtomicFile file(folder / "brain.mla");
  const std::string name = folder.names().at(0);
  EXPECT_TRUE(name.starts_with(".brain.mla." + std::to_string(::getpid()) + "-")) << name;
  EXPECT_TRUE(name.ends_with(".tmp")) << name;
}

TEST(AtomicFile, TakesNamesAsLongAsTheFileSystemDoes) {
  const TempDir folder;
  std::string name = "x";
  while (name.size() < 254) name += "\u00e9";  // cut between characters, not inside one
  ASSERT_EQ(name.size(), 255u);
  AtomicFile file(folder / name);
  const std::string temporary = folder.names().at(0);
  EXPECT_LE(temporary.size(), 143u);
  EXPECT_TRUE(temporary.starts_with(".x\u00e9")) << temporary;
  const std::size_t end = temporary.find('.', 1);
  EXPECT_EQ((end - 2) % 2, 0u) << temporary;
  file.publish(false);
  EXPECT_EQ(folder.names(), Names{name});
  EXPECT_ERROR(replace(folder / (name + "yz"), ""), ErrorKind::io, "name too long");
}

TEST(AtomicFile, GivesANewFileTheModeOfTheUmask) {
  const TempDir folder;
  const int status = test::run_in_child([&] {
    ::umask(027);
    replace(folder / "a", "");
    ::umask(0);
    replace(folder / "b", "");
    return 0;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(mode(folder / "a"), 0640u);
  EXPECT_EQ(mode(folder / "b"), 0666u);
}

TEST(AtomicFile, KeepsTheModeOfItsTarget) {
  const TempDir folder;
  for (const unsigned wanted : {0600u, 0664u, 0200u, 0777u}) {
    write_text(folder / "a", "old");
    ASSERT_EQ(::chmod((folder / "a").c_str(), wanted), 0);
    AtomicFile file(folder / "a");
    EXPECT_EQ(mode(folder / folder.names().at(0)), wanted);  // before there is any content
    file.publish(false);
    EXPECT_EQ(mode(folder / "a"), wanted);
    std::filesystem::remove(folder / "a");
  }
}

TEST(AtomicFile, KeepsTheOwnerWhereTheSystemAllowsIt) {
  const TempDir folder;
  write_text(folder / "a", "old");
  const bool superuser = ::getuid() == 0;
  if (superuser) {
    ASSERT_EQ(::chown((folder / "a").c_str(), 65534, 65533), 0);
  }
  replace(folder / "a", "new");
  EXPECT_EQ(info(folder / "a").st_uid, superuser ? 65534u : ::getuid());
  EXPECT_EQ(info(folder / "a").st_gid, superuser ? 65533u : ::getgid());
}

TEST(AtomicFile, ReplacesTheFileThatALinkNames) {
  const TempDir folder;
  std::filesystem::create_directory(folder / "data");
  write_text(folder / "data" / "a", "old");
  std::filesystem::create_symlink("data/a", folder / "link");
  std::filesystem::create_symlink("link", folder / "link2");
  replace(folder / "link2", "new");
  EXPECT_EQ(read_text(folder / "data" / "a"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link2"));
  EXPECT_EQ(folder.names(), (Names{"data", "link", "link2"}));
}

TEST(AtomicFile, MakesTheFileThatADanglingLinkNames) {
  const TempDir folder;
  std::filesystem::create_directory(folder / "data");
  std::filesystem::create_symlink(folder / "data" / "a", folder / "link");
  replace(folder / "link", "new");
  EXPECT_EQ(read_text(folder / "data" / "a"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  std::filesystem::create_symlink("circle", folder / "circle");
  EXPECT_ERROR(replace(folder / "circle", ""), ErrorKind::io, "circle");
  std::filesystem::create_symlink("nowhere/a", folder / "lost");
  EXPECT_ERROR(replace(folder / "lost", ""), ErrorKind::not_found, "nowhere");
}

TEST(AtomicFile, LeavesTheOtherNamesOfAHardLinkedFile) {
  const TempDir folder;
  write_text(folder / "a", "old");
  std::filesystem::create_hard_link(folder / "a", folder / "b");
  replace(folder / "a", "new");
  EXPECT_EQ(read_text(folder / "b"), "old");
}

TEST(AtomicFile, RefusesTargetsThatAreNoFiles) {
  const TempDir folder;
  EXPECT_ERROR(AtomicFile(folder.path()), ErrorKind::io, folder.path().string(), "is a folder");
  EXPECT_ERROR(AtomicFile(folder / "a/"), ErrorKind::io, "names no file");
  EXPECT_ERROR(AtomicFile(""), ErrorKind::io, "names no file");
  EXPECT_ERROR(AtomicFile("/dev/null"), ErrorKind::io, "/dev/null", "not a regular file");
  EXPECT_ERROR(AtomicFile(folder / "missing" / "a"), ErrorKind::not_found,
               (folder / "missing").string() + "' does not exist");
  write_text(folder / "file", "");
  EXPECT_ERROR(AtomicFile(folder / "file" / "a"), ErrorKind::not_found, "is a file");
  EXPECT_EQ(folder.names(), Names{"file"});
}

TEST(AtomicFile, RefusesAReadOnlyTarget) {
  const TempDir folder;
  write_text(folder / "a", "old");
  ASSERT_EQ(::chmod((folder / "a").c_str(), 0444), 0);
  EXPECT_ERROR(AtomicFile(folder / "a"), ErrorKind::io, (folder / "a").string(), "read-only");
  EXPECT_EQ(folder.names(), Names{"a"});
}

TEST(AtomicFile, RefusesATargetOfSomebodyElse) {
  if (::getuid() != 0) return;  // only the superuser can set this up
  const TempDir folder;
  write_text(folder / "a", "old");
  ASSERT_EQ(::chmod((folder / "a").c_str(), 0644), 0);
  const int status = run_unprivileged(folder, [&] {
    const auto error = test::error_of([&] { AtomicFile file(folder / "a"); });
    return error && error->kind() == ErrorKind::io && folder.names() == Names{"a"} ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST(AtomicFile, RefusesAReadOnlyFolder) {
  const TempDir folder;
  const int status = run_unprivileged(folder, [&] {
    write_text(folder / "a", "old");
    if (::chmod(folder.path().c_str(), 0555) != 0) return 1;
    const auto error = test::error_of([&] { AtomicFile file(folder / "a"); });
    if (!error || error->kind() != ErrorKind::io) return 2;
    const std::string message = error->what();
    if (message.find((folder / "a").string()) == std::string::npos) return 3;
    if (message.find("Permission denied") == std::string::npos) return 4;
    return read_text(folder / "a") == "old" && folder.names() == Names{"a"} ? 0 : 5;
  });
  EXPECT_EQ(status, 0);
  ::chmod(folder.path().c_str(), 0755);
}

TEST(AtomicFile, IsBusyWhileAnotherProcessWritesTheTarget) {
  const TempDir folder;
  write_text(folder / "a", "old");
  const Pipe opened, finish;
  ChildProcess child([&] {
    const WritableFile file = WritableFile::open(folder / "a");
    opened.send();
    finish.receive();
    return 0;
  });
  opened.receive();
  EXPECT_ERROR(AtomicFile(folder / "a"), ErrorKind::busy, (folder / "a").string());
  EXPECT_EQ(folder.names(), Names{"a"});
  finish.send();
  EXPECT_EQ(child.wait(), 0);
  replace(folder / "a", "new");
}

TEST(AtomicFile, DoesNotDropEditsOfAProcessThatCameMeanwhile) {
  const TempDir folder;
  write_text(folder / "a", "old");
  std::optional<AtomicFile> file(std::in_place, folder / "a");
  const Pipe opened, finish;
  ChildProcess child([&] {
    WritableFile edited = WritableFile::open(folder / "a");
    opened.send();
    finish.receive();
    edited.write_at(0, bytes_of("mine"));
    return 0;
  });
  opened.receive();
  EXPECT_ERROR(file->publish(false), ErrorKind::busy, (folder / "a").string());
  finish.send();
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(read_text(folder / "a"), "mine");
  file.reset();
  EXPECT_EQ(folder.names(), Names{"a"});
}

TEST(AtomicFile, ReplacesAFileThatThisProcessHoldsForWriting) {
  const TempDir folder;
  write_text(folder / "a", "old");
  const WritableFile writer = WritableFile::open(folder / "a");
  EXPECT_ERROR(AtomicFile(folder / "a"), ErrorKind::busy);
  AtomicFile file(folder / "a", CommitLevel::none, true);
  file.append(bytes_of("new"));
  file.publish(true);
  EXPECT_EQ(read_text(folder / "a"), "new");
  EXPECT_EQ(writer.size(), 3u);
  EXPECT_NE(writer.id(), file_id(folder / "a"));
}

TEST(AtomicFile, LeavesNothingOnAFullDisk) {
  const TempDir folder;
  write_text(folder / "a", "old");
  const int status = test::run_in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {8192, 8192};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto error = test::error_of([&] { replace(folder / "a", std::string(20'000, 'x')); });
    if (!error || error->kind() != ErrorKind::io) return 1;
    if (std::string(error->what()).find((folder / "a").string()) == std::string::npos) return 2;
    return folder.names() == Names{"a"} ? 0 : 3;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_text(folder / "a"), "old");
}

TEST(AtomicFile, ErrorsHaveErrnoAndPath) {
  const TempDir folder;
  write_text(folder / "file", "");
  const auto failure = [](const std::filesystem::path& path) {
    return test::system_error_of([&] { replace(path, "new"); });
  };
  const auto expected = [](int code, const std::filesystem::path& path) {
    return std::to_string(code) + " " + path.string();
  };
  for (const auto& [name, code] : std::vector<std::pair<std::string, int>>{
           {"missing/a", ENOENT}, {"file/a", ENOTDIR}, {"folder", EISDIR}, {"circle", ELOOP}}) {
    std::filesystem::create_directory(folder / "folder");
    std::error_code ignored;
    std::filesystem::create_symlink(folder / "circle", folder / "circle", ignored);
    EXPECT_EQ(failure(folder / name), expected(code, folder / name));
  }
  AtomicFile file(folder / "a");
  std::filesystem::create_directory(folder / "a");
  EXPECT_EQ(test::system_error_of([&] { file.publish(false); }),
            expected(EISDIR, folder / "a"));
}

TEST(AtomicFile, LeavesNothingWhenTheRenameFails) {
  const TempDir folder;
  {
    AtomicFile file(folder / "a");
    std::filesystem::create_directory(folder / "a");
    EXPECT_ERROR(file.publish(false), ErrorKind::io, (folder / "a").string());
  }
  EXPECT_EQ(folder.names(), Names{"a"});
}

// Who is between looking at the target and renaming over it, for however long.
TEST(AtomicFile, IsNotInTheWayOfOthersThatReplaceTheFile) {
  const TempDir folder;
  write_text(folder / "a", "old");
  const int other = ::open((folder / "a").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(other, LOCK_SH), 0);
  AtomicFile file(folder / "a");
  file.append(bytes_of("new"));
  EXPECT_ERROR(WritableFile::open(folder / "a"), ErrorKind::busy, (folder / "a").string());
  EXPECT_FALSE(file.publish_and_close(false));
  EXPECT_EQ(read_text(folder / "a"), "new");
  ::close(other);
  AtomicFile kept(folder / "a");
  const WritableFile writer = kept.publish(false).file;
  EXPECT_ERROR(replace(folder / "a", "newer"), ErrorKind::busy, (folder / "a").string());
}

TEST(AtomicFile, LetsManyProcessesSaveToOnePath) {
  const TempDir folder;
  write_text(folder / "a", std::string(1000, '0'));
  std::vector<std::unique_ptr<ChildProcess>> children;
  for (char digit = '1'; digit <= '4'; ++digit) {
    children.push_back(std::make_unique<ChildProcess>([&, digit] {
      for (int i = 0; i < 20; ++i) replace(folder / "a", std::string(1000, digit));
      return 0;
    }));
  }
  for (int i = 0; i < 100; ++i) {
    const std::string text = read_text(folder / "a");
    EXPECT_EQ(text, std::string(1000, text.empty() ? '?' : text[0]));
  }
  for (auto& child : children) EXPECT_EQ(child->wait(), 0);
  EXPECT_EQ(folder.names(), Names{"a"});
}

}  // namespace
}  // namespace mlarray::io
