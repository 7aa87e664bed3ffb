// Readers, a writer, saves over its file, refreshes, opens and forks, all at the same time.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "support/child_process.hpp"
#include "support/temp_dir.hpp"
#include "support/voxels.hpp"

namespace mlarray {
namespace {

using test::int16;
using test::read;
using test::read_all;
using test::TempDir;
using test::with_layout;
using test::write;

const Shape kCube = {24, 24, 24};
const Box kWhole = {{0, 0, 0}, kCube};

// Every state of the array is one value everywhere, and its metadata says which, so that a
// mixture of states is seen.
std::vector<std::int16_t> filled(std::int16_t value) {
  return std::vector<std::int16_t>(static_cast<std::size_t>(element_count(kCube)), value);
}

Metadata named(std::int16_t value) {
  Metadata out;
  out.set("stats", "min", static_cast<double>(value));
  return out;
}

bool is_one_state(const std::vector<std::int16_t>& voxels) {
  return std::all_of(voxels.begin(), voxels.end(), [&](auto v) { return v == voxels[0]; });
}

TEST(AllAtOnce, NobodySeesAMixtureAndNothingIsLost) {
  const TempDir folder;
  const auto path = folder / "a.mla";
  const auto other = folder / "b.mla";
  SaveOptions options = with_layout({8, 8, 8}, {4, 4, 8});
  {
    Array first = Array::in_memory(kCube, int16(), {}, named(0), options);
    first.save(path, options);
    first.save(other, options);
  }
  Array writer = Array::open(path, {.mode = Mode::read_write});
  std::atomic<bool> stop = false;
  std::atomic<int> mixed = 0, failed = 0, reads = 0, children = 0;
  std::atomic<std::int16_t> last = 0;
  const auto until_stopped = [&](auto body) {
    return std::jthread([&, body]() mutable {
      while (!stop) {
        try {
          body();
        } catch (const Error& error) {
          ++failed;
          ADD_FAILURE() << error.what();
          return;
        }
      }
    });
  };
  {
    std::vector<std::jthread> threads;
    threads.push_back(until_stopped([&, value = std::int16_t{0}]() mutable {
      write(writer, kWhole, filled(++value));
      if (value % 3 == 0) writer.set_metadata(named(value));
      if (value % 5 == 0)
        writer.flush(value % 2 == 0 ? CommitLevel::none : CommitLevel::ordered);
      last = value;
    }));
    threads.push_back(until_stopped([&] { writer.save(path, options); }));
    for (int i = 0; i < 2; ++i) {
      threads.push_back(until_stopped([&] {
        if (!is_one_state(read_all(writer))) ++mixed;
        ++reads;
      }));
    }
    threads.push_back(until_stopped([&] {
      // Commits what the writer has pending.
      Array reader = Array::open(path);
      if (!is_one_state(read_all(reader))) ++mixed;
      reader.refresh();
      if (!is_one_state(read_all(reader))) ++mixed;
      reader.metadata();
      ++reads;
    }));
    threads.push_back(until_stopped([&] {
      Array mine = Array::open(other, {.mode = Mode::read_write});
      write(mine, kWhole, filled(7));
      mine.close();
    }));
    threads.push_back(until_stopped([&] {
      const int status = test::run_in_child([&] {
        const Array inherited = writer;
        const bool whole =
            is_one_state(read_all(inherited)) && is_one_state(read_all(Array::open(path)));
        return whole && inherited.shape() == kCube ? 0 : 1;
      });
      if (status != 0) ++mixed;
      ++children;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }));
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
    while ((std::chrono::steady_clock::now() < end || children < 2 || reads < 20) &&
           failed == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    stop = true;
  }
  EXPECT_EQ(mixed, 0);
  EXPECT_EQ(failed, 0);
  writer.close();
  EXPECT_EQ(read_all(Array::open(path)), filled(last));
  EXPECT_EQ(read_all(Array::open(other)), filled(7));
  EXPECT_TRUE(Array::open(path).verify().verified());
}

}  // namespace
}  // namespace mlarray
