// What goes wrong under a loader: cases that do not fit, vanish, are damaged, slow or refused;
// consumers that stop, cancel or fork. No hang, nothing left behind, errors at once.
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "io/system_calls.hpp"
#include "mlarray/error.hpp"
#include "mlarray/training/loader.hpp"
#include "support/child_process.hpp"
#include "support/sanitizer.hpp"
#include "support/temp_dir.hpp"
#include "training/scans.hpp"

namespace mlarray::training::test {
namespace {

using mlarray::test::TempDir;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

LoaderOptions fault_options() {
  LoaderOptions options;
  options.patch = {6, 6, 6};
  options.samples_per_epoch = 40;
  options.seed = 2;
  options.threads = 2;
  return options;
}

std::vector<Scan> make_scans(const TempDir& dir, int count) {
  std::vector<Scan> scans;
  for (int i = 0; i < count; ++i) {
    scans.push_back(make_scan(dir, "case" + std::to_string(i), {16, 14, 18}, false,
                              static_cast<unsigned>(i + 1)));
  }
  return scans;
}

std::vector<std::string> batches_of(Loader& loader) {
  std::vector<std::string> out;
  while (const auto batch = loader.next()) out.push_back(contents(*batch));
  return out;
}

template <class Body>
std::optional<Error> error_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

testing::AssertionResult says(const std::optional<Error>& error,
                              const std::vector<std::string>& words) {
  if (!error) return testing::AssertionFailure() << "no error";
  for (const std::string& word : words) {
    if (std::string(error->what()).find(word) == std::string::npos) {
      return testing::AssertionFailure() << "\"" << error->what() << "\" lacks " << word;
    }
  }
  return testing::AssertionSuccess();
}

// Files that are slow or refused where a test wants it. Reads go by position, not by maps.
class Faulty final : public io::SystemCalls {
 public:
  int open(const char* path, int flags, mode_t mode) override {
    if (std::string(path).find(".mla") != std::string::npos) {
      const std::scoped_lock lock(mutex_);
      ++opened_[fs::path(path).filename()];
    }
    if (slow_open_ms > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(slow_open_ms));
    }
    const int fd = io::SystemCalls::open(path, flags, mode);
    if (fd >= 0) most_ = std::max(most_.load(), ++open_files);
    return fd;
  }
  int close(int fd) override {
    --open_files;
    return io::SystemCalls::close(fd);
  }
  ssize_t pread(int fd, void* to, std::size_t size, off_t offset) override {
    if (slow_read_ms > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(slow_read_ms));
    }
    if (fail_reads) {
      errno = EIO;
      return -1;
    }
    return io::SystemCalls::pread(fd, to, size, offset);
  }
  void* mmap(int, std::size_t) override {
    errno = ENODEV;
    return reinterpret_cast<void*>(-1);  // NOLINT(performance-no-int-to-ptr): MAP_FAILED
  }

  int opened(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    return opened_[name];
  }

  std::atomic<int> slow_open_ms = 0;
  std::atomic<int> slow_read_ms = 0;
  std::atomic<bool> fail_reads = false;
  std::atomic<int> open_files = 0;
  std::atomic<int> most_ = 0;

 private:
  std::mutex mutex_;
  std::map<std::string, int> opened_;
};

std::size_t descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

void overwrite(const fs::path& path, double from, double to) {
  const auto size = static_cast<double>(fs::file_size(path));
  const auto start = static_cast<std::streamoff>(size * from);
  const auto stop = static_cast<std::streamoff>(size * to);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(start);
  for (std::streamoff at = start; at < stop; ++at) file.put('\x5a');
}

TEST(LoaderFault, GridsThatDoNotAgreeAreAnErrorThatNamesBothFiles) {
  const TempDir dir;
  const std::vector<std::int16_t> voxels(16 * 14 * 18);
  const std::vector<std::uint8_t> labels(16 * 14 * 19);
  const LoaderOptions options = fault_options();
  Array::save_voxels(dir / "a.mla", voxels, {16, 14, 18}, grid_of({1, 1, 2}));
  const auto with_label = [&](const Shape& shape, const Metadata& metadata) {
    const auto count = static_cast<std::size_t>(element_count(shape));
    Array::save_voxels(dir / "b.mla", std::span(labels).first(count), shape, metadata);
    return error_of([&] {
      Loader({{"", {dir / "a.mla"}, {dir / "b.mla"}}}, uniform_sampler(options.patch), options)
          .next();
    });
  };
  EXPECT_TRUE(says(with_label({16, 14, 17}, grid_of({1, 1, 2})),
                   {"case 'a'", "a.mla", "b.mla", "(16, 14, 18)", "(16, 14, 17)"}));
  EXPECT_TRUE(says(with_label({16, 14, 18}, grid_of({1, 1, 2.1})),
                   {"case 'a'", "a.mla", "b.mla", "2.1", "spacing"}));
  EXPECT_FALSE(with_label({16, 14, 18}, grid_of({1, 1, 2.0000001})));
  EXPECT_FALSE(with_label({16, 14, 18}, {}));  // says nothing of its grid
  Metadata moved = grid_of({1, 1, 2});
  moved.set_origin({0, 5, 0});
  EXPECT_FALSE(with_label({16, 14, 18}, moved));  // the image says nothing of its place
  Metadata placed = grid_of({1, 1, 2});
  placed.set_origin({0, 4, 0});
  Array::save_voxels(dir / "a.mla", voxels, {16, 14, 18}, placed);
  EXPECT_TRUE(says(with_label({16, 14, 18}, moved), {"a.mla", "b.mla", "affine", "5.0"}));
  EXPECT_TRUE(says(with_label({14, 18}, {}), {"b.mla", "(14, 18)", "3 axes"}));
}

TEST(LoaderFault, CasesAreCheckedWithoutOpeningThem) {
  const TempDir dir;
  const std::vector<Scan> scans = make_scans(dir, 1);
  const LoaderOptions options = fault_options();
  const auto refused = [&](std::vector<Case> cases, LoaderOptions with) {
    return error_of([&] { Loader(cases, uniform_sampler(with.patch), with); });
  };
  EXPECT_TRUE(says(refused({}, options), {"no cases"}));
  EXPECT_TRUE(says(refused({scans[0].files, {"x", {}}}, options), {"case 1 (x)", "no image"}));
  EXPECT_TRUE(says(refused({scans[0].files, {"x", {dir / "x.mla"}}}, options),
                   {"case 1 (x)", "no label"}));
  Case extra = scans[0].files;
  extra.extra = {{"weight", {dir / "w.mla"}}};
  EXPECT_TRUE(says(refused({scans[0].files, extra}, options), {"case 1", "extras"}));
  EXPECT_TRUE(says(refused({extra, scans[0].files}, options), {"case 1", "weight"}));
  const std::vector<Case> cases = cases_of(scans);
  LoaderOptions bad = options;
  bad.rank = 1;
  EXPECT_TRUE(says(refused(cases, bad), {"rank", "0 to 0"}));
  bad = options;
  bad.batch = 0;
  EXPECT_TRUE(says(refused(cases, bad), {"batch is 0"}));
  bad = options;
  bad.samples_per_epoch = 1;
  EXPECT_TRUE(says(refused(cases, bad), {"1 samples", "drop_last"}));
  bad = options;
  bad.normalization.from = Normalization::From::constants;
  EXPECT_TRUE(says(refused(cases, bad), {"channels"}));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Normalization::Channel& channel : std::vector<Normalization::Channel>{
           {0, -1}, {0, nan}, {nan, 1}, {0, 1, nan}, {0, 1, {}, nan}, {0, 1, 5, 1}}) {
    bad.normalization.channels = {channel};
    EXPECT_TRUE(says(refused(cases, bad), {"normalisation of channel 0", "give"}));
  }
  bad.normalization.from = Normalization::From::stats;
  EXPECT_TRUE(says(refused(cases, bad), {"case0.mla", "stats.mean"}));
  bad = options;
  bad.threads = 5000;
  EXPECT_TRUE(says(refused(cases, bad), {"threads is 5000", "1024"}));
  bad = options;
  bad.batch = std::int64_t{1} << 40;
  EXPECT_TRUE(says(refused(cases, bad), {"batch is", "at most"}));
  bad = options;
  bad.samples_per_epoch = std::numeric_limits<std::int64_t>::max();
  EXPECT_TRUE(says(refused(cases, bad), {"samples_per_epoch is", "at most"}));
  bad = options;
  bad.patch = {6, 6};  // and space has three axes, as the spacing says
  EXPECT_TRUE(says(refused(cases, bad), {"case0.mla", "slice_axis", "channels"}));
  const Shape far = {std::int64_t{1} << 62, 0, 0};
  EXPECT_TRUE(says(error_of([&] { listed_sampler({6, 6, 6}, {{0, far}}); }), {"within 2^40"}));
  UniformOptions wide;
  wide.border = Border::nnunet;
  wide.pad = far;
  EXPECT_TRUE(says(error_of([&] { uniform_sampler({6, 6, 6}, wide); }), {"below 2^40"}));
  bad = options;
  bad.indexes.resize(2);
  EXPECT_TRUE(says(refused(cases, bad), {"2 label indexes for 1 cases"}));
  bad = options;
  EXPECT_TRUE(says(error_of([&] { Loader(cases, nullptr, bad); }), {"sampler"}));
}

TEST(LoaderFault, AMissingCaseIsAnErrorAndReadAgainWhenItIsThere) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 3);
  const LoaderOptions options = fault_options();
  Loader whole(cases_of(scans), uniform_sampler(options.patch), options);
  const std::vector<std::string> all = batches_of(whole);
  fs::rename(dir / "case2.mla", dir / "away");
  Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
  std::vector<std::string> found;
  const auto start = Clock::now();
  const std::optional<Error> error = error_of([&] {
    while (const auto batch = loader.next()) found.push_back(contents(*batch));
  });
  EXPECT_LT(seconds_since(start), 1);
  EXPECT_TRUE(says(error, {"case 'case2'", "case2.mla"}));
  EXPECT_EQ(error->kind(), ErrorKind::not_found);
  EXPECT_EQ(loader.state().batches_done, static_cast<std::int64_t>(found.size()));
  EXPECT_TRUE(error_of([&] { loader.next(); }));
  fs::rename(dir / "away", dir / "case2.mla");
  for (const std::string& rest : batches_of(loader)) found.push_back(rest);
  EXPECT_EQ(found, all);
}

TEST(LoaderFault, UnreadableCasesAreSkippedTheSameForAnyNumberOfThreads) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 4);
  fs::remove(dir / "case0.mla");             // also the first case
  overwrite(dir / "case2.mla", 0.02, 0.85);  // voxels, and neither header nor trailer
  LoaderOptions options = fault_options();
  EXPECT_TRUE(error_of([&] { Loader(cases_of(scans), uniform_sampler({6, 6, 6}), options); }));
  options.skip_unreadable = true;
  std::vector<std::string> first;
  std::vector<std::string> warnings;
  for (const int threads : {1, 2, 8}) {
    options.threads = threads;
    options.warn = [&](const std::string& text) { warnings.push_back(text); };
    Loader loader(cases_of(scans), balanced_sampler(options.patch), options);
    options.warn = {};
    const std::vector<std::string> found = batches_of(loader);
    EXPECT_EQ(found.size(), 20U);
    if (first.empty()) first = found;
    EXPECT_EQ(found, first);
    const std::vector<SkippedCase> skipped = loader.skipped();
    ASSERT_EQ(skipped.size(), 2U);
    EXPECT_EQ(warnings.size(), 2U);  // one for each case
    for (const std::string& text : warnings) EXPECT_EQ(text.find("skipped: case '"), 0U);
    warnings.clear();
    EXPECT_EQ(skipped[0].case_index, 0);
    EXPECT_NE(skipped[0].error.find("case0"), std::string::npos) << skipped[0].error;
    EXPECT_EQ(skipped[1].case_index, 2);
    EXPECT_NE(skipped[1].error.find("case2"), std::string::npos) << skipped[1].error;
    Loader grid(cases_of(scans), grid_sampler(options.patch), options);
    EXPECT_EQ(grid.skipped().size(), 1U);
    options.samples_per_epoch = 0;
    EXPECT_EQ(Loader(cases_of(scans), grid_sampler(options.patch), options).samples(),
              3 * 3 * 3 * 3);
    options.samples_per_epoch = 40;
  }
}

TEST(LoaderFault, NothingReadableIsAnErrorAlsoWhenSkipping) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 1);
  overwrite(dir / "case0.mla", 0.02, 0.85);
  LoaderOptions options = fault_options();
  options.skip_unreadable = true;
  Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
  EXPECT_TRUE(says(error_of([&] { loader.next(); }), {"case 'case0'", "case0.mla"}));
  fs::remove(dir / "case0.mla");
  EXPECT_TRUE(error_of([&] { Loader(cases_of(scans), uniform_sampler({6, 6, 6}), options); }));
}

TEST(LoaderFault, WhatIsWrongForAllCasesIsNoReasonToSkipThem) {
  const TempDir dir;
  const std::vector<Scan> scans = make_scans(dir, 3);
  LoaderOptions options = fault_options();
  options.skip_unreadable = true;
  options.image_type = VoxelType::uint8;  // images have voxels below 0
  Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
  EXPECT_TRUE(says(error_of([&] { loader.next(); }), {"case 'case", "uint8"}));
  EXPECT_TRUE(loader.skipped().empty());
  options.image_type = VoxelType::float32;
  options.patch = {6, 6};
  EXPECT_TRUE(says(error_of([&] { Loader(cases_of(scans), uniform_sampler({6, 6}), options); }),
                   {"case 'case0'"}));
}

TEST(LoaderFault, StatisticsThatAreNoNumbersAreAnError) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 1);
  std::vector<std::int16_t> voxels(static_cast<std::size_t>(element_count(scans[0].shape)));
  LoaderOptions options = fault_options();
  options.normalization.from = Normalization::From::stats;
  for (const double std : {std::numeric_limits<double>::quiet_NaN(), -1.0}) {
    Metadata metadata;
    metadata.set("stats", "mean", Value(0.0));
    metadata.set("stats", "std", Value(std));
    Array::save_voxels(dir / "case0.mla", voxels, scans[0].shape, metadata);
    EXPECT_TRUE(says(
        error_of([&] { Loader(cases_of(scans), uniform_sampler(options.patch), options); }),
        {"case0.mla", "stats.std", "anew"}));
  }
}

TEST(LoaderFault, IndexesThatDoNotFitInMemoryAreMadeAgainWithOneWarning) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 1);
  // 17 classes of 10,000 positions are 0.4 MB; 100 cases are more than 32 MB.
  const Shape shape = {70, 64, 64};
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    labels[i] = static_cast<std::uint8_t>(i / 16 % 18);
  }
  Array::save_voxels(dir / "seg.mla", labels, shape);
  const Case one = {"a", {dir / "seg.mla"}, {dir / "seg.mla"}};
  LoaderOptions options = fault_options();
  options.patch = {1, 1, 1};
  options.samples_per_epoch = 400;
  BalancedOptions balanced;
  balanced.foreground = 1;
  std::vector<std::string> warnings;
  options.warn = [&](const std::string& text) { warnings.push_back(text); };
  Loader loader(std::vector<Case>(120, one), balanced_sampler(options.patch, balanced),
                options);
  while (loader.next()) {
  }
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find("index_cache"), std::string::npos) << warnings[0];
  EXPECT_NE(warnings[0].find("mlarray index"), std::string::npos) << warnings[0];
  options.index_cache = dir / "cache";
  options.samples_per_epoch = 300;
  warnings.clear();
  Loader kept(std::vector<Case>(120, one), balanced_sampler(options.patch, balanced), options);
  while (kept.next()) {
  }
  EXPECT_TRUE(warnings.empty());
}

TEST(LoaderFault, ACaseThatIsCutShortWhileOpen) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 1);
  LoaderOptions options = fault_options();
  options.prefetch_bytes = 0;
  Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
  EXPECT_TRUE(loader.next());
  fs::resize_file(dir / "case0.mla", 1000);
  const auto start = Clock::now();
  const std::optional<Error> error = error_of([&] {
    while (loader.next()) {
    }
  });
  EXPECT_TRUE(says(error, {"case 'case0'", "case0.mla"}));
  EXPECT_LT(seconds_since(start), 1);
}

TEST(LoaderFault, FailingReadsAreErrorsAtOnceAndOverWhenTheyAre) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 2);
  Faulty faulty;
  const io::ScopedSystemCalls scope(faulty);
  LoaderOptions options = fault_options();
  options.prefetch_bytes = 0;
  {
    Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
    EXPECT_TRUE(loader.next());
    faulty.fail_reads = true;
    const auto start = Clock::now();
    const std::optional<Error> error = error_of([&] {
      while (loader.next()) {
      }
    });
    EXPECT_TRUE(says(error, {"case 'case"}));
    EXPECT_EQ(error->kind(), ErrorKind::io);
    EXPECT_LT(seconds_since(start), 1);
    faulty.fail_reads = false;
    EXPECT_TRUE(loader.next());
  }
  EXPECT_EQ(faulty.open_files, 0);
}

TEST(LoaderFault, ACaseIsOpenedOnceAndNoMoreAreOpenThanAskedFor) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 6);
  Faulty faulty;
  const io::ScopedSystemCalls scope(faulty);
  {
    faulty.slow_open_ms = 20;
    LoaderOptions options = fault_options();
    options.threads = 8;
    Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
    batches_of(loader);
    for (int i = 0; i < 6; ++i) {
      EXPECT_EQ(faulty.opened("case" + std::to_string(i) + ".mla"), 1);
    }
  }
  EXPECT_EQ(faulty.open_files, 0);
  faulty.slow_open_ms = 0;
  faulty.most_ = 0;
  {
    LoaderOptions options = fault_options();
    options.open_cases = 2;
    options.samples_per_epoch = 200;
    Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
    batches_of(loader);
    // Two files a case: those that are kept, those that threads are at, and one being opened.
    EXPECT_LE(faulty.most_, 2 * (2 + 2 * 2));
  }
  EXPECT_EQ(faulty.open_files, 0);
}

TEST(LoaderFault, AConsumerThatStopsLeavesNothingBehind) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 3);
  LoaderOptions options = fault_options();
  Loader(cases_of(scans), uniform_sampler(options.patch), options).next();  // what stays anyway
  const std::size_t files = descriptors();
  const std::size_t threads = mlarray::test::thread_total();
  for (int batches = 0; batches < 5; ++batches) {
    Loader loader(cases_of(scans), balanced_sampler(options.patch), options);
    for (int i = 0; i < batches; ++i) loader.next();
  }
  EXPECT_EQ(descriptors(), files);
  EXPECT_TRUE(mlarray::test::thread_total_becomes(threads));
}

TEST(LoaderFault, SlowReadsHoldUpNeitherCancelNorTheEnd) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 2);
  Faulty faulty;
  const io::ScopedSystemCalls scope(faulty);
  LoaderOptions options = fault_options();
  options.patch = {2, 2, 2};
  {
    Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
    loader.next();
    loader.set_epoch(1);
    faulty.slow_read_ms = 30;
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      loader.cancel();
    });
    const auto start = Clock::now();
    const std::optional<Error> error = error_of([&] {
      for (;;) {
        loader.next();
        loader.set_epoch(loader.state().epoch + 1);
      }
    });
    other.join();
    EXPECT_LT(seconds_since(start), 1.5);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::invalid_use);
    EXPECT_EQ(error_of([&] { loader.next(); })->kind(), ErrorKind::invalid_use);
  }
  const auto start = Clock::now();
  faulty.slow_read_ms = 0;
  {
    Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
    loader.next();
    faulty.slow_read_ms = 30;
  }
  EXPECT_LT(seconds_since(start), 1);
}

TEST(LoaderFault, AForkInTheMiddleGoesOnOnBothSides) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 3);
  const LoaderOptions options = fault_options();
  Loader whole(cases_of(scans), balanced_sampler(options.patch), options);
  const std::vector<std::string> all = batches_of(whole);
  for (std::size_t at = 0; at < 20; at += 3) {
    Loader loader(cases_of(scans), balanced_sampler(options.patch), options);
    for (std::size_t i = 0; i < at; ++i) ASSERT_EQ(contents(*loader.next()), all[i]);
    const auto rest = [&] {
      std::vector<std::string> found(all.begin(),
                                     all.begin() + static_cast<std::ptrdiff_t>(at));
      for (const std::string& batch : batches_of(loader)) found.push_back(batch);
      return found;
    };
    mlarray::test::ChildProcess child([&] {
      if (rest() != all) return 1;
      loader.set_epoch(1);  // and back
      if (!loader.next()) return 2;
      return loader.sample(0, 3).draws().size() == 1 ? 0 : 3;
    });
    EXPECT_EQ(rest(), all);
    EXPECT_EQ(child.wait(), 0);
  }
}

TEST(LoaderFault, OtherThreadsForkWhileTheConsumerWaits) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 2);
  LoaderOptions options = fault_options();
  options.samples_per_epoch = 4000;
  Loader loader(cases_of(scans), balanced_sampler(options.patch), options);
  std::atomic<bool> done = false;
#ifdef __SANITIZE_ADDRESS__
  // A fork leaves the allocator of g++'s sanitizer locked in the child, if another thread is
  // just inside it. So these forks are made between two calls of next(); other builds have none
  // of it.
  std::mutex one_at_a_time;
#else
  struct {
    void lock() {}
    void unlock() {}
  } one_at_a_time;
#endif
  std::thread forks([&] {
    for (int i = 0; i < 15 && !done; ++i) {
      const std::lock_guard lock(one_at_a_time);
      // The child's loader stands where the parent's next() did, or one further.
      const auto goes_on = [&] {
        const bool at_end = loader.state().batches_done == loader.batches();
        return loader.next().has_value() != at_end ? 0 : 1;
      };
      EXPECT_EQ(mlarray::test::run_in_child(goes_on), 0);
    }
    done = true;
  });
  std::int64_t epoch = 0;
  while (!done) {
    const std::lock_guard lock(one_at_a_time);
    if (!loader.next()) loader.set_epoch(++epoch);
  }
  forks.join();
}

TEST(LoaderFault, AStaleIndexIsMadeAnewWithOneWarning) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 2);
  // The class 2 where it is not.
  const Shape shape = scans[0].shape;
  Shape wrong;
  for (std::size_t i = 0; i < scans[0].label.size(); ++i) {
    if (scans[0].label[i] == 2) continue;
    const auto n = static_cast<std::int64_t>(i);
    wrong = {n / (14 * 18), n / 18 % 14, n % 18};
    break;
  }
  const std::vector<LabelIndex::Listed> lists = {{{2}, wrong}};
  LoaderOptions options = fault_options();
  options.indexes = {std::make_shared<const LabelIndex>(LabelIndex::from_lists(shape, lists)),
                     nullptr};
  std::vector<std::string> warnings;
  std::thread::id thread;
  options.warn = [&](const std::string& text) {
    warnings.push_back(text);
    thread = std::this_thread::get_id();
  };
  BalancedOptions balanced;
  balanced.foreground = 1;
  balanced.classes = {2};
  Loader loader(cases_of(scans), balanced_sampler(options.patch, balanced), options);
  while (const auto batch = loader.next()) {
    for (const Draw& draw : batch->draws()) {
      const Scan& scan = scans[static_cast<std::size_t>(draw.case_index)];
      const std::int64_t at = (draw.center[0] * 14 + draw.center[1]) * 18 + draw.center[2];
      EXPECT_EQ(scan.label[static_cast<std::size_t>(at)], 2);
    }
  }
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find("case 'case0': the label index is stale"), std::string::npos)
      << warnings[0];
  EXPECT_EQ(thread, std::this_thread::get_id());
}

TEST(LoaderFault, AWarningThatThrowsLosesNoBatch) {
  const TempDir dir;
  const std::vector<Scan> scans = make_scans(dir, 3);
  BalancedOptions balanced;
  balanced.foreground = 1;
  balanced.classes = {7};  // absent: one warning a case
  LoaderOptions options = fault_options();
  Loader quiet(cases_of(scans), balanced_sampler(options.patch, balanced), options);
  const std::vector<std::string> all = batches_of(quiet);
  options.warn = [](const std::string& text) { throw std::runtime_error(text); };
  Loader loader(cases_of(scans), balanced_sampler(options.patch, balanced), options);
  std::vector<std::string> found;
  int thrown = 0;
  for (;;) {
    try {
      const std::int64_t done = loader.state().batches_done;
      ASSERT_EQ(done, static_cast<std::int64_t>(found.size()));
      if (thrown == 1) loader.restore(loader.state());
      const auto batch = loader.next();
      if (!batch) break;
      found.push_back(contents(*batch));
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find("none of the classes 7"), std::string::npos);
      ++thrown;
    }
  }
  EXPECT_GT(thrown, 0);
  EXPECT_EQ(found, all);
}

// pickle.dumps({"class_locations": {1: np.array([[0, 3, 4, 5], [0, 3, 4, 6]]),
//                                   3: np.array([[0, 9, 10, 11]])}}, 4)
constexpr std::string_view kLocations =
    "80049528010000000000007d948c0f636c6173735f6c6f636174696f6e73947d94284b018c166e756d70"
    "792e5f636f72652e6d756c74696172726179948c0c5f7265636f6e7374727563749493948c056e756d70"
    "79948c076e6461727261799493944b0085944301629487945294284b014b024b04869468068c05647479"
    "70659493948c02693894898887945294284b038c013c944e4e4e4affffffff4affffffff4b0074946289"
    "434000000000000000000300000000000000040000000000000005000000000000000000000000000000"
    "030000000000000004000000000000000600000000000000947494624b03680568084b008594680a8794"
    "5294284b014b014b0486946812894320000000000000000009000000000000000a000000000000000b00"
    "0000000000009474946275732e";

TEST(LoaderFault, ClassLocationsOfNnunetTakeThePlaceOfAnIndex) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 1);
  std::vector<std::uint8_t> labels(16 * 14 * 18);
  labels[(3 * 14 + 4) * 18 + 5] = labels[(3 * 14 + 4) * 18 + 6] = 1;
  labels[(9 * 14 + 10) * 18 + 11] = 3;
  labels[0] = 3;  // which is not listed
  Array::save_voxels(dir / "case0_seg.mla", labels, scans[0].shape);
  {
    std::ofstream file(dir / "case0.pkl", std::ios::binary);
    for (std::size_t i = 0; i < kLocations.size(); i += 2) {
      file.put(static_cast<char>(std::stoi(std::string(kLocations.substr(i, 2)), nullptr, 16)));
    }
  }
  scans[0].files.class_locations = dir / "case0.pkl";
  BalancedOptions balanced;
  balanced.foreground = 1;
  LoaderOptions options = fault_options();
  options.warn = [](const std::string& text) { ADD_FAILURE() << text; };
  Loader loader(cases_of(scans), balanced_sampler(options.patch, balanced), options);
  std::map<std::int64_t, std::set<Shape>> centers;
  while (const auto batch = loader.next()) {
    for (const Draw& draw : batch->draws()) centers[*draw.label].insert(draw.center);
  }
  EXPECT_EQ(centers[1], (std::set<Shape>{{3, 4, 5}, {3, 4, 6}}));
  EXPECT_EQ(centers[3], (std::set<Shape>{{9, 10, 11}}));
  EXPECT_EQ(loader.case_at(0).class_locations, scans[0].files.class_locations);
  fs::remove(dir / "case0.pkl");
  Loader other(cases_of(scans), balanced_sampler(options.patch, balanced), options);
  EXPECT_TRUE(says(error_of([&] { other.next(); }), {"case 'case0'", "case0.pkl"}));
}

// Draws are made from these lists, which are not of the voxels of the only case.
void use_stale_index(LoaderOptions& options, const Shape& shape,
                     const std::vector<LabelIndex::Listed>& lists,
                     std::vector<std::string>& warnings) {
  options.indexes = {std::make_shared<const LabelIndex>(LabelIndex::from_lists(shape, lists))};
  options.warn = [&](const std::string& text) { warnings.push_back(text); };
}

// The regions are drawn from as they were listed, and nothing else is.
TEST(LoaderFault, AStaleListOfRegionsIsMadeAnewWithItsRegions) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 1);
  std::vector<std::uint8_t> labels(16 * 14 * 18);
  labels[(3 * 14 + 4) * 18 + 5] = 2;
  labels[(9 * 14 + 10) * 18 + 11] = 1;
  labels[(9 * 14 + 10) * 18 + 12] = 7;
  Array::save_voxels(dir / "case0_seg.mla", labels, scans[0].shape);
  // Of a label map of before: two regions, one of them of one label; 7 is none.
  const std::vector<LabelIndex::Listed> lists = {{{1, 2}, {0, 0, 0}}, {{2}, {0, 0, 1}}};
  LoaderOptions options = fault_options();
  std::vector<std::string> warnings;
  use_stale_index(options, scans[0].shape, lists, warnings);
  BalancedOptions balanced;
  balanced.foreground = 1;
  Loader loader(cases_of(scans), balanced_sampler(options.patch, balanced), options);
  std::map<std::int64_t, std::set<Shape>> centers;
  while (const auto batch = loader.next()) {
    for (const Draw& draw : batch->draws()) centers[*draw.label].insert(draw.center);
  }
  const std::map<std::int64_t, std::set<Shape>> wanted = {{1, {{3, 4, 5}, {9, 10, 11}}},
                                                          {2, {{3, 4, 5}}}};
  EXPECT_EQ(centers, wanted);
  EXPECT_EQ(warnings.size(), 1U);
}

// Draws the first sample from the index of before, and gives it away when a second sample has
// made the index anew.
class Slow final : public Sampler {
 public:
  explicit Slow(std::shared_ptr<const Sampler> inner) : inner_(std::move(inner)) {}
  Draw draw(const CaseInfo& cases, const DrawPlace& place) const override {
    Draw draw = inner_->draw(cases, place);
    const bool drawn_again = place.attempt > 0;
    if (place.index == 0 && !drawn_again) {
      EXPECT_EQ(anew_.get_future().wait_for(std::chrono::seconds(60)),
                std::future_status::ready);
    } else if (place.index == 1 && drawn_again) {
      anew_.set_value();
    }
    return draw;
  }

 private:
  std::shared_ptr<const Sampler> inner_;
  mutable std::promise<void> anew_;
};

TEST(LoaderFault, ADrawFromAnIndexThatAnotherThreadMadeAnewIsDrawnAgain) {
  const TempDir dir;
  const std::vector<Scan> scans = make_scans(dir, 1);
  std::vector<std::uint8_t> labels(16 * 14 * 18);
  labels[(9 * 14 + 10) * 18 + 11] = 1;
  Array::save_voxels(dir / "case0_seg.mla", labels, scans[0].shape);
  const std::vector<LabelIndex::Listed> lists = {{{1}, {0, 0, 0}}};
  LoaderOptions options = fault_options();
  options.batch = 2;
  options.samples_per_epoch = 2;
  std::vector<std::string> warnings;
  use_stale_index(options, scans[0].shape, lists, warnings);
  BalancedOptions balanced;
  balanced.foreground = 1;
  const auto slow = std::make_shared<const Slow>(balanced_sampler(options.patch, balanced));
  Loader loader(cases_of(scans), slow, options);
  const auto batch = loader.next();
  ASSERT_TRUE(batch);
  for (const Draw& draw : batch->draws()) EXPECT_EQ(draw.center, (Shape{9, 10, 11}));
  EXPECT_EQ(warnings.size(), 1U);
}

TEST(LoaderFault, ASamplerOfAnotherPatchIsAnError) {
  const TempDir dir;
  const std::vector<Scan> scans = make_scans(dir, 1);
  const LoaderOptions options = fault_options();
  for (const Shape& patch : {Shape{8, 8, 8}, Shape{2, 2, 2}, Shape{8, 6, 4}}) {
    Loader loader(cases_of(scans), uniform_sampler(patch), options);
    EXPECT_TRUE(says(error_of([&] { loader.next(); }),
                     {"case 'case0'", to_string(patch), to_string(options.patch)}));
    EXPECT_TRUE(says(error_of([&] { static_cast<void>(loader.sample(0, 0)); }),
                     {"case 'case0'", to_string(patch), to_string(options.patch)}));
  }
}

// What a user's own sampler may answer.
class OneDraw final : public Sampler {
 public:
  explicit OneDraw(Draw draw) : draw_(std::move(draw)) {}
  Draw draw(const CaseInfo&, const DrawPlace&) const override { return draw_; }

 private:
  Draw draw_;
};

TEST(LoaderFault, ADrawThatFitsNoCaseIsAnError) {
  const TempDir dir;
  const std::vector<Scan> scans = make_scans(dir, 1);
  const LoaderOptions options = fault_options();
  std::vector<Draw> draws(4);
  for (Draw& draw : draws) draw.box = Box::at({0, 0, 0}, options.patch);
  draws[0].case_index = 1;
  draws[1].case_index = -1;
  draws[2].box = Box::at({0, 0}, {6, 6});
  draws[3].label = 1;
  draws[3].center = {0, 0, 0, 0};
  for (const Draw& draw : draws) {
    Loader loader(cases_of(scans), std::make_shared<const OneDraw>(draw), options);
    EXPECT_TRUE(says(error_of([&] { loader.next(); }), {"sampler"}));
  }
}

TEST(LoaderFault, ALabelTypeThatCannotTellLabelsApartMakesOneIndexAndAnError) {
  const TempDir dir;
  std::vector<Scan> scans = make_scans(dir, 1);
  std::vector<std::uint16_t> labels(16 * 14 * 18);
  labels[1000] = 257;  // of bfloat16: 256
  Array::save_voxels(dir / "case0_seg.mla", labels, scans[0].shape);
  BalancedOptions balanced;
  balanced.foreground = 1;
  LoaderOptions options = fault_options();
  options.label_type = VoxelType::bfloat16;
  Loader loader(cases_of(scans), balanced_sampler(options.patch, balanced), options);
  EXPECT_TRUE(says(error_of([&] { static_cast<void>(loader.sample(0, 0)); }),
                   {"case 'case0'", "257", "type for label"}));
}

TEST(LoaderFault, AHundredThousandCasesTakeLittleMemory) {
  if constexpr (kSanitized) return;  // other allocators do not count
  const TempDir dir;
  const std::vector<Scan> scans = make_scans(dir, 1);
  constexpr std::size_t kCases = 100'000;
  const LoaderOptions options = fault_options();
  std::vector<double> weights(kCases, 1);
  UniformOptions by_weight;
  by_weight.case_weights = weights;
  const std::size_t before = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
  Loader loader(std::vector<Case>(kCases, scans[0].files),
                uniform_sampler(options.patch, by_weight), options);
  EXPECT_TRUE(loader.next());
  const std::size_t after = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
  const std::size_t paths =
      scans[0].files.image[0].native().size() + scans[0].files.label[0].native().size();
  EXPECT_LT((after - before) / kCases, paths + 200);
  EXPECT_EQ(loader.case_count(), static_cast<std::int64_t>(kCases));
  EXPECT_EQ(loader.case_at(99'999).label, scans[0].files.label);
  EXPECT_EQ(loader.case_at(99'999).name, "case0");
  EXPECT_TRUE(error_of([&] { static_cast<void>(loader.case_at(100'000)); }));
}

// A sampler that asks for a case that there is not.
class AskingBeyond final : public Sampler {
 public:
  AskingBeyond(std::int64_t index, bool labels) : index_(index), labels_(labels) {}
  Draw draw(const CaseInfo& cases, const DrawPlace&) const override {
    if (labels_) {
      static_cast<void>(cases.labels(index_));
    } else {
      static_cast<void>(cases.shape(index_));
    }
    return {};
  }

 private:
  std::int64_t index_;
  bool labels_;
};

TEST(LoaderFault, ASamplerThatAsksForNoCaseIsAnError) {
  const TempDir dir;
  const std::vector<Scan> scans = make_scans(dir, 2);
  for (const std::int64_t index : {std::int64_t{-1}, std::int64_t{2}, std::int64_t{1} << 40}) {
    for (const bool labels : {false, true}) {
      Loader loader(cases_of(scans), std::make_shared<const AskingBeyond>(index, labels),
                    fault_options());
      EXPECT_TRUE(says(error_of([&] { loader.next(); }), {"of 2"}));
    }
  }
}

TEST(LoaderFault, FilesWithoutAChannelAreAnError) {
  const TempDir dir;
  Metadata metadata;
  metadata.set("spatial", "axis_labels",
               List{{"channel", "spatial_z", "spatial_y", "spatial_x"}});
  Array::save_voxels(dir / "a.mla", {nullptr, {0, 32, 32, 32}, {2, 2, 2, 2}},
                     DType::of<std::int16_t>(), metadata);
  EXPECT_TRUE(says(error_of([&] {
                     Loader loader({{"a", {dir / "a.mla"}, {}}},
                                   uniform_sampler(fault_options().patch), fault_options());
                     loader.next();
                   }),
                   {"a.mla", "no voxels"}));
}

}  // namespace
}  // namespace mlarray::training::test
