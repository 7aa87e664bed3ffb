// The Aggregator against the same computation with everything in memory.
#include "mlarray/training/aggregator.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <limits>
#include <random>
#include <sstream>

#include "base/half.hpp"
#include "io/system_calls.hpp"
#include "mlarray/mlarray.hpp"
#include "support/child_process.hpp"
#include "support/errors.hpp"
#include "support/rounds.hpp"
#include "support/temp_dir.hpp"
#include "training/half_rows.hpp"
#include "training/whole_aggregation.hpp"

namespace mlarray {
namespace {

using test::TempDir;
using test::WholeScores;
using training::Aggregator;
using training::AggregatorOptions;
using training::Blend;
using training::Output;

// One aggregation: what is asked, the scores of all boxes, what the file must hold.
struct Task {
  Shape shape, patch;
  std::int64_t classes = 2;
  AggregatorOptions options;
  unsigned seed = 1;

  std::vector<std::vector<float>> scores(const std::vector<Box>& boxes) const {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, 2);
    std::vector<std::vector<float>> all;
    for (const Box& box : boxes) {
      std::vector<float> some(static_cast<std::size_t>(classes * element_count(box.shape())));
      for (float& score : some) score = normal(random);
      all.push_back(std::move(some));
    }
    return all;
  }

  // The blended scores in the grid of the file, or of its crop.
  WholeScores expected(const std::vector<Box>& boxes) const {
    WholeScores blended =
        test::plain_blend(shape, classes, boxes, scores(boxes), options.blend);
    if (options.original_shape.empty()) return blended;
    const Shape to = options.crop ? options.crop->shape() : options.original_shape;
    return to == shape ? blended : test::plain_resample(blended, to);
  }

  std::string text() const {
    std::ostringstream out;
    out << to_string(shape) << " patch " << to_string(patch) << " step "
        << to_string(options.step) << " overlap " << options.overlap << " classes " << classes
        << " to " << to_string(options.original_shape);
    if (options.crop) out << " crop " << to_string(options.crop->start);
    out << " output " << static_cast<int>(options.output) << " half " << options.half
        << options.half_scores << " memory " << options.max_memory << " threads "
        << options.threads << " seed " << seed;
    return out.str();
  }
};

void run(const Task& task, Aggregator& out) {
  const auto all = task.scores(out.boxes());
  for (std::size_t k = 0; k < all.size(); ++k) {
    out.add(out.boxes()[k], all[k]);
    ASSERT_LE(out.memory(), out.memory_bound());
  }
  ASSERT_LE(out.memory_peak(), out.memory_bound());
  out.finish();
  ASSERT_EQ(out.memory(), 0);
}

std::vector<double> values_of(const Array& file) {
  const Box whole = Box::whole(file.shape());
  std::vector<double> values;
  if (file.dtype().is<std::uint8_t>()) {
    for (const auto value : file.read<std::uint8_t>(whole)) values.push_back(value);
  } else if (file.dtype().is<std::uint16_t>()) {
    for (const auto value : file.read<std::uint16_t>(whole)) values.push_back(value);
  } else if (file.dtype().is<float>()) {
    for (const auto value : file.read<float>(whole)) values.push_back(value);
  } else {
    std::vector<std::byte> bytes(
        static_cast<std::size_t>(element_count(file.shape()) * file.dtype().itemsize()));
    file.read(whole, std::span<std::byte>(bytes));
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, bytes.data() + i, 2);
      values.push_back(base::half_to_double(bits));
    }
  }
  return values;
}

// Compares the file with the plain computation. Where two classes have nearly the same score,
// either is right.
void check(const Task& task, const Array& file, const std::vector<Box>& boxes) {
  WholeScores expected = task.expected(boxes);
  const auto found = values_of(file);
  const bool labels = task.options.output == Output::argmax;
  const Shape grid =
      task.options.original_shape.empty() ? task.shape : task.options.original_shape;
  ASSERT_EQ(std::ssize(found), element_count(grid) * (labels ? 1 : task.classes));
  const Box inside = task.options.crop.value_or(Box::whole(grid));
  const double near = task.options.half_scores ? 0.02 : 1e-4;
  const double tolerance = near + (task.options.half ? 0.01 : 0);
  const auto count = static_cast<std::size_t>(element_count(grid));
  std::size_t i = 0;
  test::Voxels::for_each(Box::whole(grid), [&](const Shape& voxel) {
    const std::size_t here = i++;
    Shape at = voxel;
    bool outside = false;
    for (std::size_t a = 0; a < at.size(); ++a) {
      outside = outside || at[a] < inside.start[a] || at[a] >= inside.stop[a];
      at[a] -= inside.start[a];
    }
    double sum = 0, best = -1e30;
    if (!outside) {
      for (std::int64_t c = 0; c < task.classes; ++c) best = std::max(best, expected.at(c, at));
      for (std::int64_t c = 0; c < task.classes; ++c)
        sum += std::exp(expected.at(c, at) - best);
    }
    if (labels) {
      if (outside) {
        ASSERT_EQ(found[here], 0) << to_string(voxel);
      } else {
        const auto label = static_cast<std::int64_t>(found[here]);
        ASSERT_LT(label, task.classes);
        ASSERT_GE(expected.at(label, at), best - near) << to_string(voxel);
      }
      return;
    }
    for (std::int64_t c = 0; c < task.classes; ++c) {
      const double value = found[static_cast<std::size_t>(c) * count + here];
      double wanted = 0;
      if (task.options.output == Output::softmax) {
        wanted = outside ? (c == 0 ? 1 : 0) : std::exp(expected.at(c, at) - best) / sum;
      } else {
        wanted = outside ? 0 : expected.at(c, at);
      }
      ASSERT_NEAR(value, wanted, tolerance) << "class " << c << " at " << to_string(voxel);
    }
  });
}

void run_and_check(const Task& task) {
  SCOPED_TRACE(task.text());
  const TempDir dir;
  Aggregator out(dir / "p.mla", task.shape, task.patch, task.classes, task.options);
  run(task, out);
  if (testing::Test::HasFatalFailure()) return;
  const Array file = Array::open(dir / "p.mla");
  ASSERT_EQ(file.shape(), out.file_shape());
  check(task, file, out.boxes());
}

Task random_task(std::mt19937& random) {
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random()) % n; };
  Task task;
  const auto axes = static_cast<std::size_t>(1 + below(4));
  const std::int64_t longest = axes == 1 ? 60 : axes == 2 ? 24 : axes == 3 ? 13 : 7;
  for (std::size_t a = 0; a < axes; ++a) {
    task.shape.push_back(1 + below(longest));
    task.patch.push_back(1 + below(std::max<std::int64_t>(longest * 3 / 4, 1)));
  }
  task.classes = 1 + below(4);
  task.seed = static_cast<unsigned>(random());
  AggregatorOptions& options = task.options;
  if (below(3) == 0) {
    for (std::size_t a = 0; a < axes; ++a) {
      options.step.push_back(1 + below(task.patch[a]));
    }
  }
  options.overlap = static_cast<double>(below(80)) / 100;
  options.blend = below(2) == 0 ? Blend::gaussian : Blend::constant;
  options.output = static_cast<Output>(below(3));
  options.half = options.output != Output::argmax && below(2) == 0;
  options.half_scores = below(3) == 0;
  if (below(3) == 0) options.max_memory = 1 + below(20'000);
  options.threads = static_cast<int>(1 + below(3));
  if (below(3) != 0) {
    for (std::size_t a = 0; a < axes; ++a) {
      options.original_shape.push_back(below(4) == 0 ? task.shape[a] : 1 + below(2 * longest));
    }
    if (below(2) == 0) {
      Box crop;
      for (const std::int64_t length : options.original_shape) {
        crop.start.push_back(below(length));
        crop.stop.push_back(crop.start.back() + 1 + below(length - crop.start.back()));
      }
      options.crop = crop;
    }
  }
  if (below(2) == 0) {
    const std::size_t n = axes + (options.output == Output::argmax ? 0 : 1);
    Shape block, chunk;
    for (std::size_t a = 0; a < n; ++a) {
      block.push_back(1 + below(5));
      chunk.push_back(block.back() * (1 + below(3)));
    }
    options.save.layout.patch = AutomaticLayout{};
    options.save.layout.block = block;
    options.save.layout.chunk = chunk;
  }
  return task;
}

TEST(Aggregator, EqualsTheWholeComputationInMemory) {
  std::mt19937 random(20261129);
  for (int i = 0; i < test::rounds(400); ++i) {
    run_and_check(random_task(random));
    if (HasFatalFailure()) return;
  }
}

TEST(Aggregator, SameBitsForAnyNumberOfThreads) {
  for (const Output output : {Output::argmax, Output::softmax, Output::logits}) {
    std::vector<std::vector<double>> found;
    for (const int threads : {1, 2, 5}) {
      Task task{{40, 33, 21}, {16, 12, 8}, 3, {}, 7};
      task.options.output = output;
      task.options.original_shape = {47, 30, 35};
      task.options.threads = threads;
      const TempDir dir;
      Aggregator out(dir / "p.mla", task.shape, task.patch, task.classes, task.options);
      run(task, out);
      found.push_back(values_of(Array::open(dir / "p.mla")));
    }
    EXPECT_EQ(found[0], found[1]);
    EXPECT_EQ(found[0], found[2]);
  }
}

// nnU-Net's compute_steps_for_sliding_window gives these for (300, 401, 96), patches of
// (128, 96, 160) and half of a patch.
TEST(Aggregator, BoxesAreThoseOfNnunet) {
  const TempDir dir;
  const Aggregator out(dir / "p.mla", {300, 401, 96}, {128, 96, 160}, 2);
  std::vector<std::int64_t> first, second, third;
  for (const Box& box : out.boxes()) {
    first.push_back(box.start[0]);
    second.push_back(box.start[1]);
    third.push_back(box.start[2]);
  }
  const auto distinct = [](std::vector<std::int64_t> values) {
    std::ranges::sort(values);
    values.erase(std::ranges::unique(values).begin(), values.end());
    return values;
  };
  EXPECT_EQ(distinct(first), (std::vector<std::int64_t>{0, 57, 115, 172}));
  EXPECT_EQ(distinct(second), (std::vector<std::int64_t>{0, 44, 87, 131, 174, 218, 261, 305}));
  EXPECT_EQ(distinct(third), (std::vector<std::int64_t>{-32}));
  EXPECT_EQ(out.boxes().size(), 4 * 8);
  const auto before = Aggregator::boxes_of({300, 401, 96}, {128, 96, 160});
  ASSERT_EQ(before.size(), out.boxes().size());
  for (std::size_t k = 0; k < before.size(); ++k) {
    EXPECT_EQ(before[k].start, out.boxes()[k].start);
    EXPECT_EQ(before[k].stop, out.boxes()[k].stop);
  }
  EXPECT_ERROR(Aggregator::boxes_of({4}, {2, 2}), ErrorKind::invalid_value, "(2, 2)");
}

TEST(Aggregator, SlicesOfAVolume) {
  Task task{{9, 40, 31}, {1, 16, 20}, 3, {}, 3};
  run_and_check(task);
  task.patch = {16, 1, 12};
  run_and_check(task);
  task.options.original_shape = {20, 33, 50};
  run_and_check(task);
}

TEST(Aggregator, ImageSmallerThanThePatch) {
  Task task{{5, 7, 3}, {8, 8, 8}, 2, {}, 3};
  run_and_check(task);
  task.shape = {5, 30, 8};
  task.options.original_shape = {11, 14, 9};
  run_and_check(task);
}

// What is predicted outside of the image is not used, whatever it is.
TEST(Aggregator, ScoresOutsideTheImageDoNotCount) {
  const TempDir dir;
  Aggregator out(dir / "p.mla", {2, 3}, {4, 3}, 1, {.output = Output::logits});
  ASSERT_EQ(out.boxes().size(), 1u);
  EXPECT_EQ(out.boxes()[0].start, (Shape{-1, 0}));
  std::vector<float> scores(12, std::numeric_limits<float>::quiet_NaN());
  for (std::size_t i = 3; i < 9; ++i) scores[i] = static_cast<float>(i);
  out.add(out.boxes()[0], scores);
  out.finish();
  EXPECT_EQ(values_of(Array::open(dir / "p.mla")), (std::vector<double>{3, 4, 5, 6, 7, 8}));
}

TEST(Aggregator, FirstOfTheGreatestScoresWins) {
  const TempDir dir;
  Aggregator out(dir / "p.mla", {3}, {3}, 3);
  out.add(out.boxes()[0], std::vector<float>{1, 2, 3, 1, 5, 3, 0, 5, 4});
  out.finish();
  EXPECT_EQ(values_of(Array::open(dir / "p.mla")), (std::vector<double>{0, 1, 2}));
}

TEST(Aggregator, ManyClassesAreSixteenBits) {
  const TempDir dir;
  Aggregator out(dir / "p.mla", {2}, {2}, 300);
  std::vector<float> scores(600, 0.0f);
  scores[2 * 299] = 1;
  scores[2 * 256 + 1] = 1;
  out.add(out.boxes()[0], scores);
  out.finish();
  const Array file = Array::open(dir / "p.mla");
  EXPECT_TRUE(file.dtype().is<std::uint16_t>());
  EXPECT_EQ(values_of(file), (std::vector<double>{299, 256}));
}

TEST(Aggregator, HalfScoresOfTheCaller) {
  const TempDir dir;
  Task task{{19, 23}, {8, 8}, 3, {}, 5};
  task.options.output = Output::logits;
  std::vector<std::vector<double>> found;
  for (const bool half : {false, true}) {
    Aggregator out(dir / "p.mla", task.shape, task.patch, task.classes, task.options);
    for (std::size_t k = 0; k < out.boxes().size(); ++k) {
      std::vector<float> scores = task.scores(out.boxes())[k];
      std::vector<std::uint16_t> halves;
      for (float& score : scores) {
        halves.push_back(base::half_of_double(static_cast<double>(score)));
        score = static_cast<float>(base::half_to_double(halves.back()));
      }
      if (half) {
        out.add(out.boxes()[k], halves);
      } else {
        out.add(out.boxes()[k], scores);
      }
    }
    out.finish();
    found.push_back(values_of(Array::open(dir / "p.mla")));
  }
  EXPECT_EQ(found[0], found[1]);
}

TEST(Aggregator, HalfRowsAreThoseOfTheBase) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const training::Half half{static_cast<std::uint16_t>(bits)};
    const auto value = static_cast<double>(training::to_float(half));
    const double expected = base::half_to_double(half.bits);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(value)) << bits;
      continue;
    }
    ASSERT_EQ(value, expected) << bits;
    training::Half back;
    training::store(static_cast<float>(value), back);
    ASSERT_EQ(back.bits, half.bits);
  }
  std::mt19937 random(1);
  for (int i = 0; i < 1'000'000; ++i) {
    // Mostly in the range of float16, and some of its borders.
    auto bits = static_cast<std::uint32_t>(random());
    if (i % 4 != 0) bits = (bits & 0x8fffffffu) | 0x30000000u;
    if (i % 4 == 1) bits &= ~0xfffu;
    const auto value = std::bit_cast<float>(bits);
    training::Half half;
    training::store(value, half);
    ASSERT_EQ(half.bits & 0x7fff, base::half_of_double(static_cast<double>(value)) & 0x7fff)
        << value;
  }
}

// The bound of the header: what two rows of patches share along the longest axis, and a row.
TEST(Aggregator, MemoryIsBoundedAt117Classes) {
  constexpr std::int64_t kClasses = 117;
  const Shape shape{64, 32, 32};
  const std::int64_t whole = kClasses * element_count(shape) * 4;
  for (const bool half_scores : {false, true}) {
    for (const bool resampled : {false, true}) {
      const TempDir dir;
      AggregatorOptions options;
      options.half_scores = half_scores;
      if (resampled) options.original_shape = {100, 52, 52};
      Aggregator out(dir / "p.mla", shape, {16, 16, 16}, kClasses, options);
      std::vector<float> scores(kClasses * 16 * 16 * 16);
      std::int64_t peak = 0;
      for (std::size_t k = 0; k < out.boxes().size(); ++k) {
        for (std::size_t i = 0; i < scores.size(); ++i) {
          scores[i] = static_cast<float>((i * 7 + k * 13) % 101);
        }
        out.add(out.boxes()[k], scores);
        peak = std::max(peak, out.memory());
      }
      EXPECT_LE(peak, out.memory_peak());
      EXPECT_LE(out.memory_peak(), out.memory_bound());
      // Not far below either: it is a bound to plan with.
      EXPECT_GE(out.memory_peak(), out.memory_bound() * 9 / 10);
      out.finish();
      const std::int64_t size = half_scores ? 2 : 4;
      // 8 planes that wait, another patch along the second axis; if resampled, a plane and a
      // bit more. The labels.
      const std::int64_t planes = (8 * (32 + 16) + (resampled ? 48 : 0)) * 32;
      const std::int64_t labels = (resampled ? 100 * 52 * 52 : 64 * 32 * 32);
      EXPECT_LE(out.memory_bound(), kClasses * size * planes + labels);
      EXPECT_LE(out.memory_bound(), whole * size / 4 / 4);
    }
  }
}

// What does not fit waits in a file beside the result, and comes back as it was.
TEST(Aggregator, ScoresBeyondTheLimitWaitOnTheDisk) {
  Task task{{40, 24, 24}, {8, 8, 8}, 3, {}, 5};
  const TempDir dir;
  Aggregator all(dir / "all.mla", task.shape, task.patch, task.classes, task.options);
  run(task, all);
  const std::int64_t one_box = task.classes * 8 * 8 * 8 * 4;
  const std::int64_t labels = 40 * 24 * 24;
  ASSERT_GT(all.memory_bound(), 5 * one_box + labels);
  for (const std::int64_t limit : {2 * one_box, std::int64_t{1}}) {
    task.options.max_memory = limit;
    {
      Aggregator out(dir / "some.mla", task.shape, task.patch, task.classes, task.options);
      EXPECT_LE(out.memory_bound(), std::max(limit, one_box) + labels);
      const auto scores = task.scores(out.boxes());
      std::size_t most = 0;
      for (std::size_t k = 0; k < scores.size(); ++k) {
        out.add(out.boxes()[k], scores[k]);
        ASSERT_LE(out.memory(), out.memory_bound());
        most = std::max(most, dir.names().size());
      }
      EXPECT_EQ(most, 3U);  // two that are made, and all.mla
      EXPECT_LE(out.memory_peak(), out.memory_bound());
      out.finish();
    }
    EXPECT_EQ(dir.names(), (std::vector<std::string>{"all.mla", "some.mla"}));
    const Array file = Array::open(dir / "some.mla");
    EXPECT_EQ(values_of(file), values_of(Array::open(dir / "all.mla")));
    std::filesystem::remove(dir / "some.mla");
  }
}

// 117 classes on the grid of a whole body: bounds alone, nothing is added.
TEST(Aggregator, TwoGigabytesSufficeForAWholeBody) {
  const TempDir dir;
  AggregatorOptions options;
  options.max_memory = std::int64_t{3} << 29;  // 1.5 GiB
  for (const bool half_scores : {false, true}) {
    options.half_scores = half_scores;
    const Aggregator out(dir / "p.mla", {700, 512, 512}, {128, 128, 128}, 117, options);
    EXPECT_LE(out.memory_bound(), std::int64_t{2'000'000'000});
  }
}

// Along another axis than the first, where that is longer.
TEST(Aggregator, AdvancesAlongTheLongestAxis) {
  const TempDir dir;
  const Aggregator first(dir / "a.mla", {64, 16, 16}, {8, 8, 8}, 2);
  const Aggregator last(dir / "b.mla", {16, 16, 64}, {8, 8, 8}, 2);
  EXPECT_EQ(first.boxes()[1].start[0], 0);
  EXPECT_EQ(last.boxes()[1].start[2], 0);
  EXPECT_EQ(first.boxes().back().start[0], 56);
  // Labels apart, which wait in slabs of chunks.
  EXPECT_NEAR(static_cast<double>(last.memory_bound()),
              static_cast<double>(first.memory_bound()), 16 * 16 * 64);
  EXPECT_LT(last.memory_bound(), 2 * 4 * 4 * (16 + 8) * 16 + 16 * 16 * 64);
  run_and_check({{10, 12, 50}, {8, 8, 8}, 2, {.original_shape = {12, 20, 77}}, 1});
}

TEST(Aggregator, WithoutFinishNothingIsLeft) {
  const TempDir dir;
  {
    Aggregator out(dir / "p.mla", {20}, {8}, 1);
    out.add(out.boxes()[0], std::vector<float>(8, 1.0f));
    EXPECT_ERROR(out.finish(), ErrorKind::invalid_use, "3 of 4 boxes are missing", "(4,)");
  }
  EXPECT_TRUE(dir.names().empty());

  // And what was there stays.
  Array::save_voxels(dir / "p.mla", std::vector<std::uint8_t>{1, 2, 3}, {3});
  {
    Aggregator out(dir / "p.mla", {8}, {8}, 1);
    out.add(out.boxes()[0], std::vector<float>(8, 1.0f));
  }
  EXPECT_EQ(dir.names(), std::vector<std::string>{"p.mla"});
  EXPECT_EQ(Array::open(dir / "p.mla").shape(), (Shape{3}));
}

// Writes fail from the n-th on.
class FullDisk final : public io::SystemCalls {
 public:
  explicit FullDisk(int left) : left_(left) {}
  ssize_t pwrite(int fd, const void* from, std::size_t size, off_t offset) override {
    if (left_-- > 0) return io::SystemCalls::pwrite(fd, from, size, offset);
    errno = ENOSPC;
    return -1;
  }

 private:
  int left_;
};

TEST(Aggregator, AFullDiskLeavesNothing) {
  // With scores that wait on the disk, too.
  const Task task{{40, 9}, {8, 8}, 2, {.max_memory = 600, .threads = 1}, 4};
  int failed = 0;
  for (int left = 0; left < 1000; ++left) {
    const TempDir dir;
    FullDisk disk(left);
    const io::ScopedSystemCalls calls(disk);
    std::optional<Error> error;
    {
      std::optional<Aggregator> out;
      error = test::error_of([&] {
        AggregatorOptions options = task.options;
        options.save.layout.patch = AutomaticLayout{};
        options.save.layout.chunk = options.save.layout.block = Shape{4, 4};
        out.emplace(dir / "p.mla", task.shape, task.patch, task.classes, options);
        run(task, *out);
      });
      if (!error) break;
      ++failed;
      EXPECT_EQ(error->kind(), ErrorKind::io);
      EXPECT_NE(std::string(error->what()).find("p.mla"), std::string::npos);
      if (out) {
        EXPECT_ERROR(out->finish(), ErrorKind::invalid_use, "failed earlier");
        EXPECT_ERROR(out->add(out->boxes()[0], std::vector<float>(128)), ErrorKind::invalid_use,
                     "failed earlier");
      }
    }
    EXPECT_TRUE(dir.names().empty());
  }
  EXPECT_GT(failed, 5);
}

TEST(Aggregator, WrongScoresChangeNothing) {
  const TempDir dir;
  Task task{{20, 6}, {8, 6}, 2, {}, 5};
  task.options.half_scores = true;
  Aggregator out(dir / "p.mla", task.shape, task.patch, task.classes, task.options);
  const auto all = task.scores(out.boxes());
  const auto& boxes = out.boxes();
  auto wrong = all[0];
  EXPECT_ERROR(out.add(boxes[1], all[1]), ErrorKind::invalid_value, "(4, 0)", "(0, 0)");
  EXPECT_ERROR(out.add(boxes[0], std::span<const float>(wrong).first(10)),
               ErrorKind::invalid_value, "10 scores", "96");
  wrong[48 + 2 * 6 + 3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(out.add(boxes[0], wrong), ErrorKind::invalid_value, "nan", "class 1", "(2, 3)");
  wrong[48 + 2 * 6 + 3] = 70000;
  EXPECT_ERROR(out.add(boxes[0], wrong), ErrorKind::invalid_value, "70000", "60000");
  EXPECT_EQ(out.added(), 0);
  for (std::size_t k = 0; k < all.size(); ++k) out.add(boxes[k], all[k]);
  EXPECT_ERROR(out.add(boxes[0], all[0]), ErrorKind::invalid_value, "after the last");
  out.finish();
  check(task, Array::open(dir / "p.mla"), boxes);
  EXPECT_ERROR(out.finish(), ErrorKind::invalid_use, "finished");
  EXPECT_ERROR(out.add(boxes[0], all[0]), ErrorKind::invalid_use, "finished");
}

// Rounding does not make the greatest scores infinite.
TEST(Aggregator, TheGreatestScores) {
  for (const bool half_scores : {false, true}) {
    const float most = half_scores ? 60000 : 1e30f;
    const TempDir dir;
    AggregatorOptions options;
    options.half_scores = half_scores;
    options.output = Output::logits;
    options.original_shape = {50, 41};
    Aggregator out(dir / "p.mla", {31, 30}, {8, 7}, 2, options);
    std::vector<float> scores(2 * 8 * 7, most);
    for (std::size_t i = 0; i < scores.size(); i += 3) scores[i] = -most;
    for (const Box& box : out.boxes()) out.add(box, scores);
    out.finish();
    for (const double value : values_of(Array::open(dir / "p.mla"))) {
      ASSERT_LE(std::abs(value), static_cast<double>(most) * 1.01);
    }
    Aggregator other(dir / "p.mla", {31, 30}, {8, 7}, 2, options);
    scores[50] = std::nextafter(most, std::numeric_limits<float>::infinity());
    EXPECT_ERROR(other.add(other.boxes()[0], scores), ErrorKind::invalid_value, "at most");
  }
}

TEST(Aggregator, OptionsThatDoNotFit) {
  const TempDir dir;
  const auto make = [&](const Shape& shape, const Shape& patch, std::int64_t classes,
                        const AggregatorOptions& options = {}) {
    return Aggregator(dir / "p.mla", shape, patch, classes, options);
  };
  const auto kind = ErrorKind::invalid_value;
  EXPECT_ERROR(make({}, {}, 2), kind, "p.mla", "()", "1 to 8");
  EXPECT_ERROR(make({4, 0}, {2, 2}, 2), kind, "(4, 0)", "at least 1");
  EXPECT_ERROR(make({4, 4}, {2}, 2), kind, "patch (2,)", "one length for each axis");
  EXPECT_ERROR(make({4, 4}, {2, -1}, 2), kind, "patch (2, -1)");
  EXPECT_ERROR(make({4, 4}, {2, 2}, 0), kind, "classes 0");
  EXPECT_ERROR(make({4, 4}, {2, 2}, 65537), kind, "classes 65537", "65536");
  EXPECT_ERROR(make({4, 4}, {2, 2}, 2, {.step = {2, 3}}), kind, "step (2, 3)", "gaps");
  EXPECT_ERROR(make({4, 4}, {2, 2}, 2, {.overlap = 1}), kind, "overlap 1");
  EXPECT_ERROR(make({4, 4}, {2, 2}, 2, {.overlap = NAN}), kind, "overlap nan");
  EXPECT_ERROR(make({4, 4}, {2, 2}, 2, {.half = true}), kind, "half", "argmax");
  EXPECT_ERROR(make({4, 4}, {2, 2}, 2, {.original_shape = {4}}), kind, "original_shape (4,)");
  EXPECT_ERROR(make({4}, {2}, 2, {.crop = Box{{0}, {4}}}), kind, "original_shape");
  EXPECT_ERROR(make({4}, {2}, 2, {.original_shape = {8}, .crop = Box{{5}, {9}}}), kind,
               "crop (5,) to (9,)", "(8,)");
  EXPECT_ERROR(make({4}, {2}, 2, {.original_shape = {8}, .crop = Box{{5}, {5}}}), kind, "crop");
  SaveOptions save;
  save.verify = true;
  EXPECT_ERROR(make({4}, {2}, 2, {.save = save}), kind, "verify");
  EXPECT_ERROR(Aggregator(dir / "no" / "p.mla", {4}, {2}, 2), ErrorKind::not_found, "no");
  EXPECT_TRUE(dir.names().empty());
}

TEST(Aggregator, GeometryOfTheImage) {
  const TempDir dir;
  Metadata image;
  image.set_axis_labels({"channel", "spatial_z", "spatial_y"});
  image.set_spacing({2, 3});
  image.set_origin({-5, 8});
  image.set("spatial", "axis_units", List{{"", "mm", "um"}});
  image.set("stats", "mean", 3.5);
  image.set("extra", "extra", Map{{{"a", 1}}});
  AggregatorOptions options;
  options.image = image;
  for (const Output output : {Output::argmax, Output::logits}) {
    options.output = output;
    Aggregator out(dir / "p.mla", {4, 5}, {4, 5}, 2, options);
    out.add(out.boxes()[0], std::vector<float>(40, 0.0f));
    out.finish();
    const Array file = Array::open(dir / "p.mla");
    const Metadata metadata = file.metadata();
    const bool labels = output == Output::argmax;
    EXPECT_EQ(file.shape(), labels ? (Shape{4, 5}) : (Shape{2, 4, 5}));
    EXPECT_EQ(metadata.spacing(), (std::vector<double>{2, 3}));
    EXPECT_EQ(metadata.origin(), (std::vector<double>{-5, 8}));
    EXPECT_EQ(metadata.is_seg(), labels ? std::optional(true) : std::nullopt);
    List names{{"spatial_z", "spatial_y"}}, units{{"mm", "um"}};
    if (!labels) {
      names.items.insert(names.items.begin(), "channel");
      units.items.insert(units.items.begin(), "");
      EXPECT_EQ(file.chunk_shape()[0], 1);
    }
    EXPECT_EQ(metadata.get("spatial", "axis_labels"), Value(names));
    EXPECT_EQ(metadata.get("spatial", "axis_units"), Value(units));
    EXPECT_TRUE(metadata.get("stats", "mean").is_none());
    EXPECT_EQ(metadata.get("extra", "extra"), Value(Map{{{"a", 1}}}));
  }
  EXPECT_ERROR(Aggregator(dir / "q.mla", {4, 5, 6}, {4, 5, 6}, 2, options),
               ErrorKind::invalid_value, "2 spatial axes", "3");
  // Without labels, spacing says it.
  Metadata plain;
  plain.set_spacing({2, 3});
  options.image = plain;
  EXPECT_ERROR(Aggregator(dir / "q.mla", {4, 5, 6}, {4, 5, 6}, 2, options),
               ErrorKind::invalid_value, "spacing");
}

// A child that lets go of it leaves the parent's file alone.
TEST(Aggregator, AForkedChildCannotAdd) {
  const TempDir dir;
  Aggregator out(dir / "p.mla", {8}, {8}, 1);
  const std::vector<float> scores(8, 1.0f);
  test::ChildProcess child([&] {
    const auto error = test::error_of([&] { out.add(out.boxes()[0], scores); });
    {
      const Aggregator dropped = std::move(out);
    }
    return error && error->kind() == ErrorKind::invalid_use ? 0 : 1;
  });
  EXPECT_EQ(child.wait(), 0);
  out.add(out.boxes()[0], scores);
  out.finish();
  EXPECT_EQ(Array::open(dir / "p.mla").shape(), (Shape{8}));
}

TEST(Aggregator, CanBeMoved) {
  const TempDir dir;
  Aggregator first(dir / "p.mla", {3}, {3}, 1, {.output = Output::logits});
  Aggregator second = std::move(first);
  first = Aggregator(dir / "q.mla", {2}, {2}, 1, {.output = Output::logits});
  second.add(second.boxes()[0], std::vector<float>{1, 2, 3});
  second.finish();
  EXPECT_EQ(values_of(Array::open(dir / "p.mla")), (std::vector<double>{1, 2, 3}));
}

}  // namespace
}  // namespace mlarray
