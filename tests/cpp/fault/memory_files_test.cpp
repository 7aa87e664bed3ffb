// The file system of the fault tests does what a real one does.
#include "memory_files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "power_cuts.hpp"
#include "support/temp_dir.hpp"

namespace mlarray::test {
namespace {

class RealFiles final : public io::SystemCalls {};

// The same calls to a real folder and to one in memory. Each call must give the same.
class Twins {
 public:
  explicit Twins(std::uint64_t seed) : random_(seed) {}

  void step() {
    switch (random_.below(12)) {
      case 0:
        return open(O_RDWR | O_CREAT | O_EXCL);
      case 1:
      case 2:
        return open(random_.below(2) == 0 ? O_RDONLY : O_RDWR);
      case 3:
        return close();
      case 4:
      case 5:
        return write();
      case 6:
        return read();
      case 7:
        return truncate();
      case 8:
        return rename();
      case 9:
        return unlink();
      case 10:
        return lock();
      default:
        return look();
    }
  }

  void compare_all() {
    for (std::size_t i = 0; i < open_.size(); ++i) compare(i);
    std::vector<std::string> real, memory;
    EXPECT_EQ(real_.list_folder(folder_.path().c_str(), real), 0);
    EXPECT_EQ(memory_.list_folder(MemoryFiles::kFolder, memory), 0);
    std::sort(real.begin(), real.end());
    std::sort(memory.begin(), memory.end());
    EXPECT_EQ(real, memory);
  }

 private:
  struct Pair {
    int real, memory;
    std::string path;
  };

  std::string name() { return std::string(1, static_cast<char>('a' + random_.below(4))); }
  std::string real(const std::string& name) { return (folder_ / name).string(); }
  static std::string memory(const std::string& name) {
    return std::string(MemoryFiles::kFolder) + "/" + name;
  }
  static std::string answer(long result) {
    return result < 0 ? "error " + std::string(std::strerror(errno)) : "ok";
  }
  Pair* any() { return open_.empty() ? nullptr : &open_[random_.below(open_.size())]; }

  void open(int flags) {
    const std::string path = name();
    const int a = real_.open(real(path).c_str(), flags, 0600);
    const std::string expected = answer(a);
    const int b = memory_.open(memory(path).c_str(), flags, 0600);
    ASSERT_EQ(answer(b), expected) << "open " << path;
    if (a >= 0) open_.push_back({a, b, path});
  }
  void close() {
    if (open_.empty()) return;
    const std::size_t i = random_.below(open_.size());
    ASSERT_EQ(real_.close(open_[i].real), memory_.close(open_[i].memory));
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  void write() {
    Pair* const pair = any();
    if (pair == nullptr) return;
    FileBytes data(random_.below(2000));
    for (std::byte& b : data) b = static_cast<std::byte>(random_.next());
    const auto at = static_cast<off_t>(random_.below(3000));
    const ssize_t put = real_.pwrite(pair->real, data.data(), data.size(), at);
    const std::string expected = answer(put);
    ASSERT_EQ(memory_.pwrite(pair->memory, data.data(), data.size(), at), put);
    ASSERT_EQ(answer(put), expected);
    compare(static_cast<std::size_t>(pair - open_.data()));
  }
  void read() {
    Pair* const pair = any();
    if (pair == nullptr) return;
    FileBytes a(random_.below(3000)), b(a.size());
    const auto at = static_cast<off_t>(random_.below(4000));
    const ssize_t got = real_.pread(pair->real, a.data(), a.size(), at);
    ASSERT_EQ(memory_.pread(pair->memory, b.data(), b.size(), at), got);
    ASSERT_EQ(a, b);
  }
  void truncate() {
    Pair* const pair = any();
    if (pair == nullptr) return;
    const auto size = static_cast<off_t>(random_.below(4000));
    const std::string expected = answer(real_.ftruncate(pair->real, size));
    // Linux says EINVAL of a descriptor for reading, others EBADF.
    const int result = memory_.ftruncate(pair->memory, size);
    ASSERT_EQ(result == 0, expected == "ok");
    compare(static_cast<std::size_t>(pair - open_.data()));
  }
  void rename() {
    const std::string from = name(), to = name();
    const std::string expected = answer(real_.rename(real(from).c_str(), real(to).c_str()));
    ASSERT_EQ(answer(memory_.rename(memory(from).c_str(), memory(to).c_str())), expected);
  }
  void unlink() {
    const std::string path = name();
    const std::string expected = answer(real_.unlink(real(path).c_str()));
    ASSERT_EQ(answer(memory_.unlink(memory(path).c_str())), expected);
  }
  void lock() {
    Pair* const pair = any();
    if (pair == nullptr) return;
    static constexpr int kKinds[] = {LOCK_EX | LOCK_NB, LOCK_SH | LOCK_NB, LOCK_UN};
    const int kind = kKinds[random_.below(3)];
    const std::string expected = answer(real_.flock(pair->real, kind));
    ASSERT_EQ(answer(memory_.flock(pair->memory, kind)), expected);
  }
  void look() {
    const std::string path = name();
    struct stat a, b;
    const std::string expected = answer(real_.stat(real(path).c_str(), &a));
    ASSERT_EQ(answer(memory_.stat(memory(path).c_str(), &b)), expected);
    if (expected != "ok") return;
    ASSERT_EQ(a.st_size, b.st_size);
    ASSERT_EQ(S_ISREG(a.st_mode), S_ISREG(b.st_mode));
    for (const Pair& pair : open_) {
      struct stat c, d;
      ASSERT_EQ(real_.fstat(pair.real, &c), 0);
      ASSERT_EQ(memory_.fstat(pair.memory, &d), 0);
      ASSERT_EQ(a.st_ino == c.st_ino, b.st_ino == d.st_ino) << "a file and its name";
      ASSERT_EQ(c.st_nlink, d.st_nlink) << "the names of a file";
    }
  }
  // By map, which shows writes that come after it.
  void compare(std::size_t i) {
    struct stat a, b;
    ASSERT_EQ(real_.fstat(open_[i].real, &a), 0);
    ASSERT_EQ(memory_.fstat(open_[i].memory, &b), 0);
    ASSERT_EQ(a.st_size, b.st_size);
    const auto size = static_cast<std::size_t>(a.st_size);
    if (size == 0) return;
    void* const one = real_.mmap(open_[i].real, size);
    void* const two = memory_.mmap(open_[i].memory, size);
    ASSERT_NE(one, MAP_FAILED);
    ASSERT_NE(two, MAP_FAILED);
    EXPECT_EQ(std::memcmp(one, two, size), 0);
    const char byte = '!';
    const auto at = static_cast<off_t>(random_.below(size));
    ASSERT_EQ(real_.pwrite(open_[i].real, &byte, 1, at),
              memory_.pwrite(open_[i].memory, &byte, 1, at));
    EXPECT_EQ(std::memcmp(one, two, size), 0) << "a map does not follow its file";
    real_.munmap(one, size);
    memory_.munmap(two, size);
  }

  Random random_;
  TempDir folder_;
  RealFiles real_;
  MemoryFiles memory_;
  std::vector<Pair> open_;
};

TEST(MemoryFiles, DoesWhatARealFileSystemDoes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Twins twins(seed);
    for (int i = 0; i < 200 && !HasFatalFailure(); ++i) twins.step();
    twins.compare_all();
  }
}

// Sets of bytes make g++ 12 warn of memcmp in its own library.
std::string filled(std::size_t size, char value) { return std::string(size, value); }

FileBytes bytes_of(const std::string& text) {
  FileBytes out;
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
  return out;
}

std::string text_of(const FileBytes& bytes) {
  std::string out;
  for (const std::byte b : bytes) out += static_cast<char>(b);
  return out;
}

Operation write_of(std::uint64_t offset, const std::string& data) {
  Operation out;
  out.file = 0;
  out.offset = offset;
  out.data = bytes_of(data);
  return out;
}

Operation sync_of(bool failed = false) {
  Operation out;
  out.kind = Operation::Kind::sync;
  out.file = 0;
  out.failed = failed;
  return out;
}

class PowerCutTest : public testing::Test {
 protected:
  PowerCutTest() {
    first_.names["/fault/a"] = 0;
    first_.files.push_back(bytes_of(filled(600, '\1')));
  }
  // The distinct contents of the file.
  std::set<std::string> contents(const std::vector<Operation>& log) {
    std::set<std::string> out;
    PowerCut(first_, log, "/fault/a").for_each({}, [&](const CutState& state) {
      out.insert(text_of(state.bytes));
    });
    return out;
  }
  Disk first_;
};

TEST_F(PowerCutTest, WhatIsSyncedIsThere) {
  EXPECT_EQ(contents({write_of(0, filled(600, '\2')), sync_of()}),
            (std::set<std::string>{filled(600, '\2')}));
}

TEST_F(PowerCutTest, WhatIsNotSyncedIsThereOrNot) {
  // Two writes within a sector: neither, each, both.
  EXPECT_EQ(contents({write_of(0, filled(10, '\2')), write_of(20, filled(10, '\3'))}).size(),
            4u);
  EXPECT_EQ(contents({write_of(0, filled(10, '\2')), sync_of(), write_of(20, filled(10, '\3'))})
                .size(),
            2u);
}

TEST_F(PowerCutTest, AFailedSyncForgets) {
  const std::vector<Operation> log = {write_of(0, filled(10, '\2')), sync_of(true), sync_of()};
  EXPECT_EQ(contents(log).size(), 2u);
}

TEST_F(PowerCutTest, WritesAreTornAtSectors) {
  std::string front = filled(600, '\1'), back = front;
  std::fill(front.begin(), front.begin() + 512, '\2');
  std::fill(back.begin() + 512, back.end(), '\2');
  EXPECT_EQ(contents({write_of(0, filled(600, '\2'))}),
            (std::set<std::string>{filled(600, '\1'), filled(600, '\2'), front, back}));
}

TEST_F(PowerCutTest, TheSizeMayOutrunTheData) {
  std::string zeros = filled(600, '\1');
  zeros.resize(700);
  EXPECT_TRUE(contents({write_of(600, filled(100, '\2'))}).contains(zeros));
}

TEST_F(PowerCutTest, NamesAreSafeOnceTheirFolderIs) {
  Operation create, rename, folder;
  create.kind = Operation::Kind::create;
  create.file = 1;
  create.path = "/fault/t";
  rename.kind = Operation::Kind::rename;
  rename.file = 1;
  rename.path = "/fault/t";
  rename.to = "/fault/a";
  folder.kind = Operation::Kind::sync_folder;
  EXPECT_EQ(contents({create, rename}),
            (std::set<std::string>{filled(600, '\1'), std::string()}));
  EXPECT_EQ(contents({create, rename, folder}), (std::set<std::string>{std::string()}));
}

}  // namespace
}  // namespace mlarray::test
