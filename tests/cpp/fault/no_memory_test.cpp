// No memory: every allocation of everything that opens, reads, edits and saves fails once, and
// once with all that follow. Nothing is lost by it, and the same array works on afterwards.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codec/lz_functions.hpp"
#include "io/system_calls.hpp"
#include "mlarray/salvage.hpp"
#include "mlarray/training/aggregator.hpp"
#include "mlarray/training/label_index.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

// --- the allocator -------------------------------------------------------------------------
// In place of the one of the C library, so that the codecs' allocations fail, too.

namespace {

std::atomic<bool> counting = false;
std::atomic<long> allocations = 0;
long first_failure = 0;  // counted from 1; 0: none
bool all_that_follow = false;

// Of ZSTD's states. c-blosc2 does not look whether it got one; what the library does about that
// (src/codec/blosc.hpp) is to make one itself just before.
std::size_t exempt[2] = {};
std::size_t* note = nullptr;  // where the size of the next allocation goes

bool fails(std::size_t size) noexcept {
  if (note != nullptr) *std::exchange(note, nullptr) = size;
  if (!counting.load(std::memory_order_relaxed)) return false;
  if (size == exempt[0] || size == exempt[1]) return false;
  const long number = allocations.fetch_add(1, std::memory_order_relaxed) + 1;
  if (first_failure == 0 || number < first_failure) return false;
  if (number > first_failure && !all_that_follow) return false;
  errno = ENOMEM;
  return true;
}

}  // namespace

// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) noexcept { return fails(size) ? nullptr : __libc_malloc(size); }
void* calloc(std::size_t count, std::size_t size) noexcept {
  return fails(count * size) ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) noexcept {
  return fails(size) ? nullptr : __libc_realloc(old, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return fails(size) ? nullptr : __libc_memalign(alignment, size);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return fails(size) ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
  if (fails(size)) return ENOMEM;
  *out = __libc_memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}
}
// NOLINTEND(bugprone-reserved-identifier)

namespace mlarray {
namespace {

using test::int16;
using test::read_all;
using test::TempDir;
using test::Voxels;
using test::with_layout;
using test::with_text;

using Values = std::vector<std::int16_t>;

const Shape kShape = {12, 20};
const Box kWhole = {{0, 0}, kShape};
const Box kPart = {{2, 3}, {9, 15}};  // parts of all four chunks

// Disks are for other tests.
class WithoutDisk final : public io::SystemCalls {
 public:
  ssize_t pwrite(int fd, const void* from, std::size_t size, off_t offset) override {
    return fails_here(pwrites_) ? -1 : io::SystemCalls::pwrite(fd, from, size, offset);
  }
  int fsync(int) override { return fails_here(fsyncs_) ? -1 : 0; }
  int fdatasync(int) override { return fails_here(fdatasyncs_) ? -1 : 0; }
  int start_writeback(int, off_t, off_t) override { return 0; }

  // From the n-th call on there is no memory, and that call fails.
  void fail_pwrite(int n) { pwrites_ = n; }
  void fail_fsync(int n) { fsyncs_ = n; }
  void fail_fdatasync(int n) { fdatasyncs_ = n; }

 private:
  static bool fails_here(int& left) {
    if (left == 0) return false;
    --left;
    if (left > 0) return false;
    allocations = 0;
    first_failure = 1;
    all_that_follow = counting = true;
    errno = EIO;
    return true;
  }
  int pwrites_ = 0, fsyncs_ = 0, fdatasyncs_ = 0;
};

// Keeps the files, which are many, in memory where there is such a folder.
void keep_off_the_disk() {
  std::error_code ignored;
  if (std::filesystem::is_directory("/dev/shm", ignored)) ::setenv("TMPDIR", "/dev/shm", 0);
}

SaveOptions options_at(CommitLevel level) {
  SaveOptions options = with_layout({6, 10}, {3, 10});
  options.threads = 1;
  options.level = level;
  return options;
}

OpenOptions reading(Access access = Access::mapped) {
  return {.mode = Mode::read, .access = access, .threads = 1, .verify = true};
}

OpenOptions writing(CommitLevel level = CommitLevel::ordered) {
  return {.mode = Mode::read_write, .threads = 1, .level = level};
}

struct Scene {
  explicit Scene(const TempDir& place) : folder(place) {
    static const std::string saved = [&] {
      Array::save_voxels(path, first.view(), int16(), with_text("first"),
                         options_at(CommitLevel::none));
      return test::read_text(path);
    }();
    begin_with(saved, first.data);
  }
  void begin_with(const std::string& bytes, const Values& values) {
    test::write_text(path, bytes);
    in_file = next_file = values;
  }

  const TempDir& folder;
  std::filesystem::path path = folder / "a.mla";
  Voxels first{kShape, 1}, second{kShape, 2}, third{kShape, 3};
  Values part = second.cut(kPart);
  std::optional<Array> reader, writer, other;
  Values read;  // by what is tried

  Values in_file;    // the last commit
  Values in_writer;  // what it shows
  Values next_file;  // the same where what is tried succeeds
  Values next_writer;
  void open(CommitLevel level = CommitLevel::ordered) {
    writer = Array::open(path, writing(level));
    writer->set_commit_budget({.bytes = std::int64_t{1} << 40, .seconds = 1e9});
    in_writer = next_writer = in_file;
  }
  // A writer with an edit that is not committed.
  void edit() {
    open();
    will_write();
    write();
    in_writer = next_writer;
  }
  void will_write() {
    Voxels next = first;
    next.data = in_writer;
    next.put(kPart, part);
    next_writer = next.data;
  }
  void write() { test::write(*writer, kPart, part); }
};

// What the path holds for another process.
Values committed(const Scene& scene) {
  const std::filesystem::path copy = scene.folder / "copy.mla";
  test::write_text(copy, test::read_text(scene.path));
  Values out = read_all(Array::open(copy, reading(Access::buffered)));
  std::filesystem::remove(copy);
  return out;
}

// A file most of which is dead, and what it holds.
std::pair<std::string, Values> mostly_dead() {
  const TempDir folder;
  Scene scene(folder);
  scene.open(CommitLevel::none);
  for (int i = 0; i < 150; ++i) {
    scene.writer->write(kWhole, (i % 2 == 0 ? scene.second : scene.third).view());
    scene.writer->flush();
  }
  return {test::read_text(scene.path), scene.third.data};
}

// What is tried: `body`, in a scene that is new each time. `prepare` says what it should do, as
// the body's own allocations are the library's alone.
struct Case {
  const char* name;
  std::function<void(Scene&)> prepare;
  std::function<void(Scene&)> body;
};

void none(Scene&) {}

void edited(Scene& scene) { scene.edit(); }

void will_commit(Scene& scene) {
  scene.edit();
  scene.next_file = scene.in_writer;
}
void will_close(Scene& scene) {
  will_commit(scene);
  scene.next_writer.clear();
}
void will_save_over(Scene& scene) { scene.next_file = scene.third.data; }
void will_save_over_writer(Scene& scene) {
  scene.edit();
  will_save_over(scene);
}

// A folder besides that of the file.
std::filesystem::path kept_indexes() {
  static const TempDir folder;
  return folder / "indexes";
}

std::vector<Case> cases() {
  return {
      {"open and read", none,
       [](Scene& s) {
         s.reader = Array::open(s.path, reading());
         s.reader->read(kWhole, std::as_writable_bytes(std::span(s.read)), 1);
         static_cast<void>(s.reader->metadata());
       }},
      {"open buffered and read", none,
       [](Scene& s) {
         s.reader = Array::open(s.path, reading(Access::buffered));
         s.reader->read(kPart, std::as_writable_bytes(std::span(s.read).first(84)), 1);
       }},
      {"load", none, [](Scene& s) { s.reader = Array::load(s.path, reading()); }},
      {"verify", none,
       [](Scene& s) {
         const VerifyReport report = Array::open(s.path, reading()).verify({.threads = 1});
         if (!report.verified()) throw std::logic_error("verify found damage");
       }},
      {"statistics", none,
       [](Scene& s) {
         const auto found = Array::open(s.path, reading()).statistics({.threads = 1});
         if (found.count != 240) throw std::logic_error("statistics of fewer voxels");
       }},
      {"salvage", none,
       [](Scene& s) {
         SalvageOptions options;
         options.threads = 1;
         const SalvageReport report = salvage(s.path, {}, options);
         if (!report.verified()) throw std::logic_error("salvage found damage");
       }},
      {"open for writing", [](Scene& s) { s.in_writer = s.next_writer = s.in_file; },
       [](Scene& s) { s.writer = Array::open(s.path, writing()); }},
      {"open over an older writer", will_commit,
       [](Scene& s) { s.other = Array::open(s.path, writing()); }},
      {"open what is written", will_commit,
       [](Scene& s) { s.reader = Array::open(s.path, reading()); }},
      {"refresh",
       [](Scene& s) {
         s.reader = Array::open(s.path, reading());
         will_commit(s);
       },
       [](Scene& s) {
         if (!s.reader->refresh()) throw std::logic_error("no newer commit");
       }},
      {"edit",
       [](Scene& s) {
         s.open();
         s.will_write();
       },
       [](Scene& s) { s.write(); }},
      {"edit and commit",
       [](Scene& s) {
         s.open();
         s.writer->set_commit_budget({.bytes = 1, .seconds = 0});
         s.will_write();
         s.next_file = s.next_writer;
       },
       [](Scene& s) { s.write(); }},
      {"edit in memory", none,
       [](Scene& s) {
         s.reader = Array::in_memory(kShape, int16(), s.first.view(), with_text("x"),
                                     options_at(CommitLevel::none));
       }},
      {"metadata", edited, [](Scene& s) { s.writer->set_metadata(with_text("second")); }},
      {"flush", will_commit, [](Scene& s) { s.writer->flush(CommitLevel::ordered); }},
      {"flush durably", will_commit, [](Scene& s) { s.writer->flush(CommitLevel::durable); }},
      {"index labels", will_commit,
       [](Scene& s) {
         if (!training::build_label_index(*s.writer, {.threads = 1})) {
           throw std::logic_error("it was indexed before");
         }
       }},
      {"index and keep in a folder",
       [](Scene&) { std::filesystem::remove_all(kept_indexes()); },
       [](Scene& s) {
         s.reader = Array::open(s.path, reading());
         const auto index = training::label_index_of(*s.reader, kept_indexes(),
                                                     {.joined = {{1, 2}}, .threads = 1});
         if (index.classes().empty()) throw std::logic_error("an index without classes");
       }},
      {"close", will_close, [](Scene& s) { s.writer->close(); }},
      {"close and rewrite",
       [](Scene& s) {
         static const auto dead = mostly_dead();
         s.begin_with(dead.first, dead.second);
         s.edit();
         s.writer->flush();
         s.in_file = s.next_file = s.in_writer;
         s.next_writer.clear();
       },
       [](Scene& s) { s.writer->close(); }},
      {"save", none,
       [](Scene& s) {
         Array::save_voxels(s.folder / "b.mla", s.third.view(), int16(), with_text("third"),
                            options_at(CommitLevel::durable));
       }},
      {"save over", will_save_over,
       [](Scene& s) {
         SaveOptions options = options_at(CommitLevel::durable);
         options.verify = true;
         Array::save_voxels(s.path, s.third.view(), int16(), with_text("third"), options);
       }},
      {"save over a writer", will_save_over_writer,
       [](Scene& s) {
         Array::save_voxels(s.path, s.third.view(), int16(), with_text("third"),
                            options_at(CommitLevel::ordered));
       }},
      {"save over its own", will_commit,
       [](Scene& s) { s.writer->save(s.path, options_at(CommitLevel::durable)); }},
      {"aggregate", none,
       [](Scene& s) {
         training::AggregatorOptions options;
         options.output = training::Output::softmax;
         options.original_shape = {14, 25};
         options.crop = Box{{1, 2}, {13, 22}};
         options.save = options_at(CommitLevel::durable);
         options.save.layout = {};
         options.threads = 1;
         const std::filesystem::path path = s.folder / "b.mla";
         training::Aggregator out(path, kShape, {7, 8}, 2, options);
         const std::vector<float> scores(2 * 7 * 8, 1.0f);
         for (const Box& box : out.boxes()) out.add(box, scores);
         out.finish();
         std::filesystem::remove(path);
       }},
      {"create over a writer",
       [](Scene& s) {
         s.edit();
         s.next_file.assign(s.in_file.size(), 0);
       },
       [](Scene& s) {
         s.other = Array::create(s.path, kShape, int16(), with_text("third"),
                                 options_at(CommitLevel::durable));
       }},
  };
}

class NoMemory {
 public:
  explicit NoMemory(const Case& tried) : tried_(tried) {}

  // Lets the allocation `number` fail, and all that follow if `all`. False: it has none.
  bool fail(long number, bool all) {
    where_ = std::string(tried_.name) + ", allocation " + std::to_string(number) +
             (all ? " and all that follow" : "");
    std::snprintf(now, sizeof now, "%s", where_.c_str());
    Scene scene(folder_);
    scene.read.resize(240);
    tried_.prepare(scene);
    const bool threw = run(scene, number, all);
    const bool reached = allocations >= number;
    check(scene, threw);
    return reached;
  }
  static char now[200];

 private:
  bool run(Scene& scene, long number, bool all) {
    allocations = 0;
    first_failure = number;
    all_that_follow = all;
    bool threw = false;
    std::optional<Error> error;
    counting = true;
    try {
      tried_.body(scene);
      counting = false;
    } catch (const std::bad_alloc&) {
      counting = false;
      threw = true;
    } catch (const Error& thrown) {
      counting = false;
      threw = true;
      error = thrown;
    } catch (const std::exception& thrown) {
      counting = false;
      threw = true;
      ADD_FAILURE() << where_ << ": " << thrown.what();
    }
    if (error && (error->kind() != ErrorKind::io || error->system_error() != ENOMEM)) {
      ADD_FAILURE() << where_ << ": " << error->what();
    }
    return threw;
  }

  void check(Scene& scene, bool threw) {
    try {
      check_file(scene, threw);
      check_arrays(scene, threw);
      check_later(scene);
    } catch (const std::exception& error) {
      ADD_FAILURE() << where_ << ", and then: " << error.what();
    }
    std::filesystem::remove(scene.folder / "b.mla");
    EXPECT_EQ(scene.folder.names(), std::vector<std::string>{"a.mla"}) << where_;
  }

  void check_file(const Scene& scene, bool threw) {
    const Values found = committed(scene);
    EXPECT_TRUE(found == scene.next_file || (threw && found == scene.in_file)) << where_;
    if (std::filesystem::exists(scene.folder / "b.mla")) {
      EXPECT_EQ(read_all(Array::open(scene.folder / "b.mla")), scene.third.data) << where_;
    }
  }

  void check_arrays(Scene& scene, bool threw) {
    if (scene.reader) {
      const Values seen = read_all(*scene.reader);
      EXPECT_TRUE(seen == scene.in_file || seen == scene.next_file) << where_;
    }
    if (!scene.writer || scene.writer->closed()) return;
    const Values seen = read_all(*scene.writer);
    EXPECT_TRUE(seen == scene.next_writer || (threw && seen == scene.in_writer)) << where_;
  }

  // There is memory again.
  void check_later(Scene& scene) {
    std::optional<Array> writer;
    if (scene.other && !scene.other->closed()) {
      writer = scene.other;
    } else if (scene.writer && scene.writer->writable()) {
      writer = scene.writer;
    } else {
      writer = Array::open(scene.path, writing());
    }
    Values next = read_all(*writer);
    writer->write(
        {{0, 0}, {1, 1}},
        {reinterpret_cast<const std::byte*>(scene.third.data.data()), {1, 1}, {2, 2}});
    next[0] = scene.third.data[0];
    writer->flush();
    EXPECT_EQ(committed(scene), next) << where_;
    writer->close();
    scene.other.reset();
    scene.writer.reset();
    Array again = Array::open(scene.path, writing());
    EXPECT_EQ(read_all(again), next) << where_;
    EXPECT_EQ(again.seal(), Seal::valid) << where_;
    again.close();
  }

  const Case& tried_;
  TempDir folder_;
  std::string where_;
};

char NoMemory::now[200];

TEST(NoMemory, LosesNothing) {
  note = &exempt[0];
  ZSTD_freeCCtx(ZSTD_createCCtx());
  note = &exempt[1];
  ZSTD_freeDCtx(ZSTD_createDCtx());
  keep_off_the_disk();
  WithoutDisk calls;
  const io::ScopedSystemCalls scope(calls);
  std::set_terminate([] {
    std::fprintf(stderr, "terminated: %s\n", NoMemory::now);
    std::abort();
  });
  const char* const only = std::getenv("MLARRAY_NO_MEMORY_ONLY");
  const bool thorough = std::getenv("MLARRAY_FAULT_ROUNDS") != nullptr;
  for (const Case& tried : cases()) {
    if (only != nullptr && std::string(only) != tried.name) continue;
    NoMemory one(tried);
    long count = 0;
    while (one.fail(count + 1, false)) {
      ++count;
      if (thorough || count % 4 == 0) one.fail(count, true);
    }
    std::printf("%s: %ld allocations\n", tried.name, count);
    std::fflush(stdout);
    EXPECT_GT(count, 5) << tried.name;
  }
}

// What an error of the system says needs memory, too.
class NoWords : public testing::Test {
 protected:
  NoWords() {
    keep_off_the_disk();
    scene_.emplace(folder_);
  }

  // Errors of `body`, none of which may be std::bad_alloc.
  std::string error_of(const std::function<void()>& body) {
    try {
      body();
      counting = false;
    } catch (const Error& error) {
      counting = false;
      EXPECT_EQ(error.kind(), ErrorKind::io) << error.what();
      return error.what();
    } catch (const std::bad_alloc&) {
      counting = false;
      return "bad_alloc";
    }
    return "";
  }
  void expect_no_more_writing() {
    Scene& s = *scene_;
    EXPECT_NE(error_of([&] { s.write(); }).find("no memory to say"), std::string::npos);
    EXPECT_NE(error_of([&] { s.writer->close(); }).find("no memory to say"), std::string::npos);
    EXPECT_TRUE(s.writer->closed());
    s.open();
    s.write();
    s.writer->close();
  }

  TempDir folder_;
  WithoutDisk calls_;
  io::ScopedSystemCalls scope_{calls_};
  std::optional<Scene> scene_;
};

TEST_F(NoWords, OfAFailedWrite) {
  for (int call = 1; call <= 6; ++call) {  // four chunks, the tail, the flip
    Scene& s = *scene_;
    s.open();
    s.writer->set_commit_budget({.bytes = 1, .seconds = 0});
    const Values before = read_all(*s.writer);
    calls_.fail_pwrite(call);
    EXPECT_NE(error_of([&] { s.write(); }), "") << call;
    EXPECT_EQ(read_all(*s.writer), before) << call;
    EXPECT_EQ(committed(s), before) << call;
    expect_no_more_writing();
    scene_.emplace(folder_);
  }
}

TEST_F(NoWords, OfAFailedSync) {
  for (int call = 1; call <= 2; ++call) {  // before the flip, and after it
    Scene& s = *scene_;
    s.edit();
    calls_.fail_fdatasync(call);
    EXPECT_NE(error_of([&] { s.writer->flush(CommitLevel::durable); }), "") << call;
    EXPECT_EQ(read_all(*s.writer), s.in_writer) << call;
    EXPECT_EQ(committed(s), call == 1 ? s.in_file : s.in_writer) << call;
    expect_no_more_writing();
    scene_.emplace(folder_);
  }
}

TEST_F(NoWords, OfAFolderThatWasNotSynced) {
  Scene& s = *scene_;
  s.edit();
  calls_.fail_fsync(2);  // the file, and then its folder
  EXPECT_NE(error_of([&] {
              s.writer->save(s.path, options_at(CommitLevel::durable));
            }).find("not known whether it would survive a power cut"),
            std::string::npos);
  EXPECT_EQ(committed(s), s.in_writer);
  s.writer->write(kWhole, s.third.view());  // into the new file
  s.writer->close();
  EXPECT_EQ(committed(s), s.third.data);
}

}  // namespace
}  // namespace mlarray
