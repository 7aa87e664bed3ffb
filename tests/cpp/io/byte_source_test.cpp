#include "io/byte_source.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <limits>
#include <string>
#include <thread>

#include "support/errors.hpp"
#include "support/temp_dir.hpp"

namespace mlarray::io {
namespace {

using test::TempDir;
using test::write_text;

std::string text(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data.data()), bytes.data.size()};
}

using Open = std::unique_ptr<ByteSource> (*)(const std::filesystem::path&);

// The soft limit of open files, low for a while.
class FewDescriptors {
 public:
  explicit FewDescriptors(int most) {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(most);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  ~FewDescriptors() { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0); }

 private:
  rlimit before_{};
};

int next_descriptor() {
  const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(next);
  return next;
}

// As open_mapped where half of the descriptors are taken: the source keeps none.
std::unique_ptr<ByteSource> open_without_descriptor(const std::filesystem::path& path) {
  const int next = next_descriptor();
  const FewDescriptors few(2 * next);  // the sanitizers need two for a moment
  auto source = open_file_to_read(path, Access::mapped, path.string());
  EXPECT_EQ(next_descriptor(), next) << "the source has a descriptor";
  return source;
}

class FileSource : public ::testing::TestWithParam<Open> {
 protected:
  std::unique_ptr<ByteSource> open(const std::filesystem::path& path) {
    return GetParam()(path);
  }
  TempDir folder_;
};

std::string source_name(const ::testing::TestParamInfo<Open>& source) {
  if (source.param == &open_mapped) return "Mapped";
  return source.param == &open_buffered ? "Buffered" : "WithoutDescriptor";
}

INSTANTIATE_TEST_SUITE_P(Sources, FileSource,
                         ::testing::Values(&open_mapped, &open_buffered,
                                           &open_without_descriptor),
                         source_name);

TEST_P(FileSource, ReadsRanges) {
  write_text(folder_ / "a", "0123456789");
  const auto source = open(folder_ / "a");
  EXPECT_EQ(source->size(), 10u);
  EXPECT_EQ(source->name(), (folder_ / "a").string());
  EXPECT_EQ(text(source->get({0, 10})), "0123456789");
  EXPECT_EQ(text(source->get({3, 4})), "3456");
  EXPECT_EQ(text(source->get({10, 0})), "");
  std::vector<std::byte> place(4);
  source->read({5, 4}, place);
  EXPECT_EQ(text({place, nullptr}), "5678");
  EXPECT_ERROR(source->read({7, 4}, place), ErrorKind::corruption, source->name(), "10 bytes");
}

TEST_P(FileSource, ReadsManyRangesAtOnce) {
  write_text(folder_ / "a", "0123456789");
  const auto source = open(folder_ / "a");
  std::vector<std::byte> first(3);
  std::vector<std::byte> second(2);
  source->read_many(std::vector<Read>{{1, first}, {8, second}});
  EXPECT_EQ(text({first, nullptr}), "123");
  EXPECT_EQ(text({second, nullptr}), "89");
  source->read_many({});
  EXPECT_ERROR(source->read_many(std::vector<Read>{{1, first}, {9, second}}),
               ErrorKind::corruption, source->name(), "2 bytes", "offset 9", "10 bytes");
}

TEST_P(FileSource, RefusesRangesOutsideTheFile) {
  write_text(folder_ / "a", "0123456789");
  const auto source = open(folder_ / "a");
  constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
  for (const Range range : {Range{0, 11}, Range{10, 1}, Range{11, 0}, Range{5, kHuge},
                            Range{kHuge, 2}, Range{kHuge, kHuge}}) {
    EXPECT_ERROR(source->get(range), ErrorKind::corruption, source->name(), "10 bytes",
                 std::to_string(range.offset), std::to_string(range.length));
  }
}

TEST_P(FileSource, OpensAnEmptyFile) {
  write_text(folder_ / "empty", "");
  const auto source = open(folder_ / "empty");
  EXPECT_EQ(source->size(), 0u);
  EXPECT_EQ(text(source->get({0, 0})), "");
  EXPECT_ERROR(source->get({0, 1}), ErrorKind::corruption, "empty");
  const Range range{0, 100};
  source->prefetch({&range, 1});
  write_text(folder_ / "empty", "more");
  source->refresh();
  EXPECT_EQ(text(source->get({0, 4})), "more");
}

TEST_P(FileSource, KnowsWhatIsInMemory) {
  write_text(folder_ / "read", std::string(100'000, 'x'));
  const auto source = open(folder_ / "read");
  EXPECT_TRUE(source->are_cached({}));
  const std::uint64_t past_the_end = 200'000;
  EXPECT_FALSE(source->are_cached({&past_the_end, 1}));
}

TEST_P(FileSource, RefusesWhatIsNoFile) {
  EXPECT_ERROR(open(folder_ / "missing"), ErrorKind::not_found, "missing", "No such file");
  EXPECT_ERROR(open(folder_ / "missing" / "a"), ErrorKind::not_found, "missing");
  EXPECT_ERROR(open(folder_.path()), ErrorKind::io, folder_.path().string(), "is a folder");
  write_text(folder_ / "a", "");
  EXPECT_ERROR(open(folder_ / "a" / "b"), ErrorKind::not_found, "Not a directory");
  // Opening a pipe would wait for somebody to write to it.
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_ERROR(open(folder_ / "pipe"), ErrorKind::io, "pipe", "not a regular file");
}

TEST_P(FileSource, SeesGrowthAfterRefreshAndKeepsOldViews) {
  write_text(folder_ / "a", std::string(5000, 'x'));
  auto source = open(folder_ / "a");
  const Bytes before = source->get({4990, 10});
  write_text(folder_ / "a", std::string(2'000'000, 'y'), true);
  EXPECT_EQ(source->size(), 5000u);
  EXPECT_ERROR(source->get({4990, 20}), ErrorKind::corruption, "5000 bytes");
  source->refresh();
  EXPECT_EQ(source->size(), 2'005'000u);
  EXPECT_EQ(text(source->get({4990, 20})), "xxxxxxxxxxyyyyyyyyyy");
  const Bytes last = source->get({2'004'999, 1});
  source.reset();
  EXPECT_EQ(text(before), "xxxxxxxxxx");
  EXPECT_EQ(text(last), "y");
}

TEST_P(FileSource, ReadsTheFileThatWasOpenedAfterItIsReplaced) {
  write_text(folder_ / "a", "old");
  write_text(folder_ / "b", "newer");
  const auto source = open(folder_ / "a");
  std::filesystem::rename(folder_ / "b", folder_ / "a");
  source->refresh();
  EXPECT_EQ(text(source->get({0, source->size()})), "old");
}

TEST_P(FileSource, PrefetchTakesAnyRanges) {
  write_text(folder_ / "a", std::string(300'000, 'x'));
  const auto source = open(folder_ / "a");
  constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
  const std::vector<Range> ranges = {{0, 1},         {299'999, 1},  {100'000, 100'000},
                                     {kHuge, kHuge}, {0, kHuge},    {5, 0},
                                     {300'000, 1},   {kHuge - 1, 1}};
  source->prefetch(ranges);
  source->prefetch({});
  EXPECT_EQ(text(source->get({299'999, 1})), "x");
}

// Adds to `seen` the pages of a file that are in memory; how many are not in `seen` then.
std::size_t add_resident(std::vector<bool>& seen, const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const std::size_t size = std::filesystem::file_size(path);
  void* map = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((size + page - 1) / page);
  EXPECT_EQ(::mincore(map, size, pages.data()), 0);
  ::munmap(map, size);
  seen.resize(pages.size());
  for (std::size_t i = 0; i < pages.size(); ++i) seen[i] = seen[i] || (pages[i] & 1) != 0;
  return static_cast<std::size_t>(std::count(seen.begin(), seen.end(), false));
}

TEST_P(FileSource, PrefetchReadsAllOfALargeRange) {
  constexpr std::size_t kSize = 24 << 20;  // beyond what one hint makes Linux read
  write_text(folder_ / "a", std::string(kSize, 'x'));
  const int fd = ::open((folder_ / "a").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::fsync(fd), 0);
  ASSERT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);  // a memory file system stays
  ::close(fd);
  const auto source = open(folder_ / "a");
  const Range all{0, kSize};
  // A system that is busy with other reads may leave out a hint, so it is given again. It may
  // also drop pages that it has read, so a page counts once it was seen.
  std::vector<bool> seen;
  std::size_t missing = 1;
  for (int i = 0; i < 500 && missing > 0; ++i) {
    if (i % 100 == 0) source->prefetch({&all, 1});
    ::usleep(10'000);
    missing = add_resident(seen, folder_ / "a");
  }
  EXPECT_EQ(missing, 0U);
}

TEST_P(FileSource, GivesRightBytesToManyThreadsWhileItGrows) {
  constexpr std::size_t kRecord = 64;
  const auto record = [](std::size_t n) {
    std::string line = std::to_string(n);
    return line + std::string(kRecord - line.size(), '.');
  };
  write_text(folder_ / "a", record(0));
  const auto source = open(folder_ / "a");
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 15; ++i) {
    readers.emplace_back([&] {
      std::size_t n = 0;
      while (!done) {
        const std::size_t count = source->size() / kRecord;
        n = (n * 7 + 1) % count;
        if (text(source->get({n * kRecord, kRecord})) != record(n)) ++wrong;
      }
    });
  }
  for (std::size_t n = 1; n < 400; ++n) {
    write_text(folder_ / "a", record(n), true);
    source->refresh();
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(source->size(), 400 * kRecord);
}

// Somebody cuts the file and lets it grow again. What is read is the file's, or zeros, or an
// error; nobody looks behind a map.
TEST_P(FileSource, StaysInsideWhileTheFileIsCutAndGrows) {
  constexpr std::uint64_t kLarge = std::uint64_t{4} << 20;
  const std::string content(kLarge, 'x');
  write_text(folder_ / "a", content);
  const auto source = open(folder_ / "a");
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&, i] {
      std::vector<std::byte> place(64);
      while (!done) {
        try {
          const bool view = i < 2;
          const Range range{kLarge - 64, 64};
          if (!view) source->read(range, place);
          const Bytes bytes = view ? source->get(range) : Bytes{place, nullptr};
          for (const std::byte byte : bytes.data) {
            if (byte != std::byte{'x'} && byte != std::byte{0}) ++wrong;
          }
        } catch (const Error&) {
          // It was cut.
        }
      }
    });
  }
  for (int round = 0; round < 1000; ++round) {
    std::filesystem::resize_file(folder_ / "a", round % 2 == 0 ? 4096 : kLarge);
    source->refresh();
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

TEST(MappedSource, CopiesAsManyBytesAsTheFileHasAndThenMaps) {
  const TempDir folder;
  write_text(folder / "a", "0123456789");
  const auto source = open_mapped(folder / "a");
  std::vector<std::byte> place(4);
  EXPECT_TRUE(source->prefers_copies());
  EXPECT_TRUE(source->copy({3, 4}, place));
  EXPECT_EQ(text({place, nullptr}), "3456");
  EXPECT_TRUE(source->prefers_copies());
  EXPECT_FALSE(source->copy({8, 4}, place));  // past the end: get() says what is wrong
  EXPECT_TRUE(source->copy({0, 4}, place));
  EXPECT_FALSE(source->prefers_copies());
  EXPECT_FALSE(source->copy({0, 4}, place));
  EXPECT_EQ(text(source->get({0, 4})), "0123");
}

TEST(BufferedSource, CopiesAlways) {
  const TempDir folder;
  write_text(folder / "a", "0123456789");
  const auto source = open_buffered(folder / "a");
  std::vector<std::byte> place(4);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(source->prefers_copies());
    EXPECT_TRUE(source->copy({3, 4}, place));
    EXPECT_EQ(text({place, nullptr}), "3456");
  }
  EXPECT_FALSE(source->copy({8, 4}, place));  // past the end: get() says what is wrong
  EXPECT_FALSE(source->has_views());
}

TEST(BufferedSource, ReportsAFileThatWasTruncated) {
  const TempDir folder;
  write_text(folder / "a", std::string(10'000, 'x'));
  const auto source = open_buffered(folder / "a");
  std::filesystem::resize_file(folder / "a", 6000);
  EXPECT_ERROR(source->get({5000, 2000}), ErrorKind::corruption, source->name(),
               "2000 bytes at offset 5000", "after 1000");
}

TEST(MemorySource, ReadsRanges) {
  std::vector<std::byte> bytes(100, std::byte{7});
  const std::byte* storage = bytes.data();
  auto source = from_memory(std::move(bytes), "<memory>");
  EXPECT_EQ(source->size(), 100u);
  EXPECT_EQ(source->name(), "<memory>");
  const Bytes view = source->get({90, 10});
  EXPECT_EQ(view.data.data(), storage + 90);  // a view, not a copy
  EXPECT_ERROR(source->get({90, 11}), ErrorKind::corruption, "<memory>", "100 bytes");
  source->refresh();
  source->prefetch({});
  source.reset();
  EXPECT_EQ(view.data[9], std::byte{7});
}

}  // namespace
}  // namespace mlarray::io
