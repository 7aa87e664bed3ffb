// Batches: equal to a plain computation, the same for any number of threads and ranks, resumed
// anywhere.
#include "mlarray/training/loader.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

#include "base/half.hpp"
#include "mlarray/error.hpp"
#include "support/errors.hpp"
#include "support/temp_dir.hpp"
#include "training/scans.hpp"

namespace mlarray::training::test {
namespace {

using mlarray::test::TempDir;

struct Scans {
  TempDir dir;
  std::vector<Scan> all;
};

template <class T>
double number_at(const Batch::Field& field, std::size_t i) {
  T value;
  std::memcpy(&value, field.bytes.data() + i * sizeof value, sizeof value);
  return static_cast<double>(value);
}

// Of any field, by its type.
double value_at(const Batch::Field& field, std::size_t i) {
  const std::string& type = field.dtype.text();
  if (field.bfloat16) {
    const auto bits = static_cast<std::uint32_t>(number_at<std::uint16_t>(field, i)) << 16;
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return static_cast<double>(value);
  }
  if (type == "<f4") return number_at<float>(field, i);
  if (type == "<f8") return number_at<double>(field, i);
  if (type == "<f2") {
    return base::half_to_double(static_cast<std::uint16_t>(number_at<std::uint16_t>(field, i)));
  }
  if (type == "<i2") return number_at<std::int16_t>(field, i);
  if (type == "<i4") return number_at<std::int32_t>(field, i);
  if (type == "<i8") return number_at<std::int64_t>(field, i);
  if (type == "|u1") return number_at<std::uint8_t>(field, i);
  ADD_FAILURE() << type;
  return 0;
}

float bfloat16(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  const std::uint32_t rest = bits & 0xffff;
  bits >>= 16;
  if (rest > 0x8000 || (rest == 0x8000 && (bits & 1) != 0)) ++bits;
  bits <<= 16;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

double as_type(float value, VoxelType type) {
  switch (type) {
    case VoxelType::float16:
      return base::half_to_double(base::half_of_double(static_cast<double>(value)));
    case VoxelType::bfloat16:
      return static_cast<double>(bfloat16(value));
    case VoxelType::float32:
    case VoxelType::float64:
      return static_cast<double>(value);
    default:
      return std::nearbyint(static_cast<double>(value));
  }
}

float normalised(double value, float mean, float std, const Normalization::Channel& channel) {
  auto x = static_cast<float>(value);
  if (channel.low) x = std::max(x, static_cast<float>(*channel.low));
  if (channel.high) x = std::min(x, static_cast<float>(*channel.high));
  return (x - mean) / std;
}

// Compares one sample of a batch with what it must be.
void expect_sample(const Batch& batch, std::size_t i, const Scan& scan,
                   const LoaderOptions& options) {
  using From = Normalization::From;
  const Draw& draw = batch.draws()[i];
  const auto voxels = static_cast<std::size_t>(element_count(options.patch));
  const Batch::Field& label = batch.label();
  const PlainPatch labels =
      plain_patch(scan.label, scan.shape, draw.box, Padding::constant, options.label_fill);
  for (std::size_t v = 0; v < voxels; ++v) {
    ASSERT_EQ(value_at(label, i * voxels + v), labels.voxels[v]);
  }
  const Batch::Field& image = batch.image();
  ASSERT_EQ(image.shape[1], static_cast<std::int64_t>(scan.image.size()));
  const Normalization& normalization = options.normalization;
  for (std::size_t c = 0; c < scan.image.size(); ++c) {
    const PlainPatch plain =
        plain_patch(scan.image[c], scan.shape, draw.box, options.padding, options.image_fill);
    Normalization::Channel channel;
    if (normalization.from == From::constants) {
      channel = normalization.channels[normalization.channels.size() == 1 ? 0 : c];
      if (channel.std == 0) channel.std = 1;
    } else if (normalization.from != From::none) {
      std::vector<double> counted;
      std::vector<double> all;
      for (std::size_t v = 0; v < voxels; ++v) {
        if (!plain.inside[v]) continue;
        all.push_back(plain.voxels[v]);
        if (labels.voxels[v] > 0) counted.push_back(plain.voxels[v]);
      }
      if (normalization.from == From::patch || counted.empty()) counted = all;
      double sum = 0;
      for (const double x : counted) sum += x;
      if (!counted.empty()) channel.mean = sum / static_cast<double>(counted.size());
      double squares = 0;
      for (const double x : counted) squares += (x - channel.mean) * (x - channel.mean);
      if (!counted.empty()) {
        channel.std = std::sqrt(squares / static_cast<double>(counted.size()));
      }
      if (channel.std == 0) channel.std = 1;
    }
    for (std::size_t v = 0; v < voxels; ++v) {
      const std::size_t at = (i * scan.image.size() + c) * voxels + v;
      double expected = plain.voxels[v];
      if (normalization.from == From::none) {
        if (options.image_type != VoxelType::stored) {
          expected = as_type(static_cast<float>(expected), options.image_type);
        }
      } else {
        const auto scaled = normalised(expected, static_cast<float>(channel.mean),
                                       static_cast<float>(channel.std), channel);
        expected = as_type(scaled, options.image_type);
      }
      // What float32 does not hold is scaled in float64.
      const bool wide = std::abs(plain.voxels[v]) >= 0x1p24;
      const bool exact =
          normalization.from == From::none || (normalization.from == From::constants && !wide);
      if (exact) {
        ASSERT_EQ(value_at(image, at), expected) << c << ' ' << v;
      } else {
        const double step = options.image_type == VoxelType::bfloat16  ? 8e-3
                            : options.image_type == VoxelType::float16 ? 1e-3
                                                                       : 1e-5;
        ASSERT_NEAR(value_at(image, at), expected, step * (1 + std::abs(expected)));
      }
    }
  }
  if (const Batch::Field* inside = batch.find("inside")) {
    for (std::size_t v = 0; v < voxels; ++v) {
      ASSERT_EQ(value_at(*inside, i * voxels + v), labels.inside[v] ? 1 : 0);
    }
  }
}

void expect_batches(const std::vector<Scan>& scans,
                    const std::shared_ptr<const Sampler>& sampler, LoaderOptions options) {
  options.threads = 2;
  Loader loader(cases_of(scans), sampler, options);
  std::int64_t batches = 0;
  while (const auto batch = loader.next()) {
    ASSERT_EQ(batch->index(), batches++);
    for (std::size_t i = 0; i < batch->draws().size(); ++i) {
      const Draw& draw = batch->draws()[i];
      expect_sample(*batch, i, scans[static_cast<std::size_t>(draw.case_index)], options);
      if (testing::Test::HasFatalFailure()) return;
      const Matrix affine = batch->affine(i);
      for (std::size_t a = 0; a < draw.box.start.size(); ++a) {
        ASSERT_DOUBLE_EQ(affine[a].back(), 1.5 * static_cast<double>(draw.box.start[a]));
        ASSERT_DOUBLE_EQ(affine[a][a], 1.5);
      }
    }
  }
  ASSERT_EQ(batches, loader.batches());
  const LoaderTimes times = loader.times();
  EXPECT_GE(times.samples, batches * options.batch);
  EXPECT_GT(times.voxels_read, 0);
}

// Boxes that leave the image on all sides, by more than its size, and lie outside of it.
std::vector<ListedBox> leaving(std::int64_t cases, std::size_t axes) {
  std::vector<ListedBox> boxes;
  std::mt19937 random(4);
  for (int i = 0; i < 24; ++i) {
    Shape start;
    for (std::size_t a = 0; a < axes; ++a) {
      const std::int64_t far = i % 4 == 0 ? 35 : 8;
      start.push_back(static_cast<std::int64_t>(random() % 70) * far / 35 - far);
    }
    boxes.push_back(
        {static_cast<std::int64_t>(random() % static_cast<unsigned>(cases)), start});
  }
  boxes.push_back({0, Shape(axes, -100)});
  boxes.push_back({0, Shape(axes, 100)});
  return boxes;
}

TEST(Loader, BatchesEqualAPlainComputationForEverySamplerPaddingAndType) {
  const TempDir dir;
  const std::vector<Scan> scans = {make_scan(dir, "a", {20, 17, 23}, true, 1),
                                   make_scan(dir, "b", {5, 30, 1}, true, 2),
                                   make_scan(dir, "c", {12, 12, 12}, true, 3)};
  LoaderOptions options;
  options.patch = {8, 9, 19};
  options.mask_padding = true;
  options.label_type = VoxelType::int16;
  options.label_fill = -1;
  const std::vector<std::shared_ptr<const Sampler>> samplers = {
      uniform_sampler(options.patch), balanced_sampler(options.patch),
      grid_sampler(options.patch, {{2, 0, 3}}), listed_sampler(options.patch, leaving(3, 3))};
  for (std::size_t s = 0; s < samplers.size(); ++s) {
    for (const Padding padding : {Padding::constant, Padding::edge, Padding::reflect}) {
      for (const VoxelType type : {VoxelType::stored, VoxelType::float32, VoxelType::float16,
                                   VoxelType::bfloat16, VoxelType::float64, VoxelType::int32}) {
        SCOPED_TRACE(std::to_string(s) + " " + std::to_string(static_cast<int>(padding)) + " " +
                     std::to_string(static_cast<int>(type)));
        options.padding = padding;
        options.image_type = type;
        options.image_fill = -7;
        options.samples_per_epoch = s == 3 ? 0 : 10;
        expect_batches(scans, samplers[s], options);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(Loader, BatchesEqualAPlainComputationForEveryNormalisation) {
  const TempDir dir;
  const std::vector<Scan> scans = {make_scan(dir, "a", {20, 17, 23}, true, 1),
                                   make_scan(dir, "b", {5, 30, 1}, true, 2)};
  std::vector<Normalization> all(5);
  all[0].from = Normalization::From::constants;
  all[0].channels = {{3, 20, {}, {}}};
  all[1].from = Normalization::From::constants;
  all[1].channels = {{3, 20, -300.0, 400.0}, {0, 0, {}, 5.0}, {1, 7, -2.5, {}}};
  all[2].from = Normalization::From::patch;
  all[3].from = Normalization::From::foreground;
  all[4].from = Normalization::From::none;
  LoaderOptions options;
  options.patch = {8, 9, 19};
  options.image_fill = -50;
  for (const Normalization& normalization : all) {
    for (const Padding padding : {Padding::constant, Padding::edge, Padding::reflect}) {
      for (const VoxelType type :
           {VoxelType::float32, VoxelType::float16, VoxelType::bfloat16, VoxelType::int16}) {
        SCOPED_TRACE(std::to_string(&normalization - all.data()) + " " +
                     std::to_string(static_cast<int>(padding)) + " " +
                     std::to_string(static_cast<int>(type)));
        const bool computed = normalization.from == Normalization::From::patch ||
                              normalization.from == Normalization::From::foreground;
        if (type == VoxelType::int16 && computed) continue;  // near halves either is right
        options.normalization = normalization;
        options.padding = padding;
        options.image_type = type;
        expect_batches(scans, listed_sampler(options.patch, leaving(2, 3)), options);
        if (HasFatalFailure()) return;
      }
    }
  }
}

template <class T>
class LoaderOf : public testing::Test {};
using Types =
    testing::Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                   std::uint32_t, std::int64_t, std::uint64_t, float, double>;
TYPED_TEST_SUITE(LoaderOf, Types);

TYPED_TEST(LoaderOf, EveryTypeThatFilesHave) {
  const TempDir dir;
  std::vector<Scan> scans = {make_scan<TypeParam>(dir, "a", {20, 17}, false, 1),
                             make_scan<TypeParam>(dir, "b", {7, 40}, false, 2)};
  LoaderOptions options;
  options.patch = {8, 21};
  Normalization scaled;
  scaled.from = Normalization::From::constants;
  scaled.channels = {{11, 17, {}, {}}};
  const bool wide = std::unsigned_integral<TypeParam> && sizeof(TypeParam) > 4;
  for (const VoxelType type : {VoxelType::float32, VoxelType::bfloat16, VoxelType::float16}) {
    // Numbers above 65519 are infinite as float16, and those of 64 bits no doubles.
    if (std::unsigned_integral<TypeParam> && sizeof(TypeParam) > 1 &&
        type == VoxelType::float16) {
      continue;
    }
    if (wide) continue;
    options.image_type = type;
    options.normalization = {};
    expect_batches(scans, listed_sampler(options.patch, leaving(2, 2)), options);
    options.normalization = scaled;
    expect_batches(scans, listed_sampler(options.patch, leaving(2, 2)), options);
    if (this->HasFatalFailure()) return;
  }
}

TEST(Loader, SlicesOfThreeDimensionalCasesAlongAnyAxis) {
  const TempDir dir;
  const std::vector<Scan> scans = {make_scan(dir, "a", {20, 17, 23})};
  for (const Shape& patch : {Shape{1, 8, 9}, Shape{8, 1, 9}, Shape{8, 9, 1}}) {
    LoaderOptions options;
    options.patch = patch;
    options.batch = 3;
    options.samples_per_epoch = 12;
    expect_batches(scans, uniform_sampler(patch), options);
  }
}

std::vector<std::string> epoch_of(Loader& loader) {
  std::vector<std::string> out;
  while (const auto batch = loader.next()) out.push_back(contents(*batch));
  return out;
}

LoaderOptions small_options() {
  LoaderOptions options;
  options.patch = {6, 6, 6};
  options.samples_per_epoch = 50;
  options.seed = 9;
  return options;
}

TEST(Loader, AFieldGivesItsElements) {
  const TempDir dir;
  const std::vector<Scan> scans = {make_scan(dir, "a", {9, 9, 9}, true, 1)};
  LoaderOptions options;
  options.patch = {3, 5, 7};
  options.samples_per_epoch = 2;
  options.label_type = VoxelType::int16;
  Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
  const Batch batch = loader.next().value();
  const std::span<float> image = batch.image().as<float>();
  EXPECT_EQ(static_cast<std::int64_t>(image.size()), element_count(batch.image().shape));
  EXPECT_EQ(std::as_bytes(image).data(), batch.image().bytes.data());
  for (const Batch::Field& field : batch.fields()) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(field.bytes.data()) % 64, 0U) << field.name;
  }
  EXPECT_EQ(batch.label().as<std::int16_t>().size(), batch.label().bytes.size() / 2);
  EXPECT_ERROR(batch.label().as<std::uint16_t>(), ErrorKind::invalid_type, "'label'", "<i2");
}

TEST(Loader, TheSameForAnyNumberOfThreadsAndPrefetch) {
  const TempDir dir;
  const std::vector<Scan> scans = {make_scan(dir, "a", {20, 17, 23}),
                                   make_scan(dir, "b", {12, 9, 30})};
  LoaderOptions options = small_options();
  std::vector<std::string> first;
  for (const int threads : {1, 2, 8}) {
    for (const std::int64_t prefetch : {std::int64_t{0}, std::int64_t{1} << 20}) {
      options.threads = threads;
      options.prefetch_bytes = prefetch;
      options.open_cases = 1;
      Loader loader(cases_of(scans), balanced_sampler(options.patch), options);
      EXPECT_EQ(loader.batches(), 25);
      EXPECT_EQ(loader.samples(), 50);
      const std::vector<std::string> found = epoch_of(loader);
      EXPECT_EQ(found.size(), 25U);
      if (first.empty()) first = found;
      EXPECT_EQ(found, first);
      EXPECT_FALSE(loader.next());  // until set_epoch()
      loader.set_epoch(1);
      EXPECT_NE(epoch_of(loader), first);
      loader.set_epoch(0);
      EXPECT_EQ(epoch_of(loader), first);
    }
  }
}

TEST(Loader, RanksShareAnEpochWithoutDuplicatesOrGaps) {
  const TempDir dir;
  const std::vector<Scan> scans = {make_scan(dir, "a", {20, 17, 23})};
  LoaderOptions options = small_options();
  Loader alone(cases_of(scans), balanced_sampler(options.patch), options);
  const std::vector<std::string> all = epoch_of(alone);
  for (const int world : {1, 2, 3}) {
    for (const bool drop : {true, false}) {
      options.world_size = world;
      options.drop_last = drop;
      const std::int64_t each = drop ? 25 / world : (25 + world - 1) / world;
      for (options.rank = 0; options.rank < world; ++options.rank) {
        Loader loader(cases_of(scans), balanced_sampler(options.patch), options);
        EXPECT_EQ(loader.batches(), each);
        const std::vector<std::string> found = epoch_of(loader);
        ASSERT_EQ(static_cast<std::int64_t>(found.size()), each);
        for (std::int64_t b = 0; b < each; ++b) {
          const std::int64_t number = b * world + options.rank;
          EXPECT_EQ(found[static_cast<std::size_t>(b)],
                    all[static_cast<std::size_t>(number % 25)]);
        }
      }
    }
  }
}

TEST(Loader, WhatDoesNotFillABatchIsDroppedOrFilledUpFromTheStart) {
  const TempDir dir;
  const std::vector<Scan> scans = {make_scan(dir, "a", {20, 17, 23})};
  LoaderOptions options = small_options();
  options.samples_per_epoch = 7;
  options.batch = 3;
  const auto indexes = [&](bool drop) {
    options.drop_last = drop;
    Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
    std::vector<std::int64_t> found;
    while (const auto batch = loader.next()) {
      for (const Draw& draw : batch->draws()) found.push_back(draw.index);
    }
    return found;
  };
  EXPECT_EQ(indexes(true), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
  // Each sample keeps its place in a batch.
  EXPECT_EQ(indexes(false), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 1, 2}));
  options.samples_per_epoch = 2;
  EXPECT_EQ(indexes(false), (std::vector<std::int64_t>{0, 1, 0}));
  EXPECT_THROW(indexes(true), Error);
}

TEST(Loader, ForcesTheLastOfABatchThatIsFilledUp) {
  const TempDir dir;
  const std::vector<Scan> scans = {make_scan(dir, "a", {20, 17, 23})};
  BalancedOptions balanced;
  balanced.foreground = 1.0 / 3;
  balanced.forced = Forced::last;
  LoaderOptions options = small_options();
  options.batch = 3;
  options.drop_last = false;
  for (const std::int64_t samples : {2, 7, 9, 10}) {
    options.samples_per_epoch = samples;
    Loader loader(cases_of(scans), balanced_sampler(options.patch, balanced), options);
    while (const auto batch = loader.next()) {
      EXPECT_FALSE(batch->draws()[0].label);
      EXPECT_FALSE(batch->draws()[1].label);
      EXPECT_TRUE(batch->draws()[2].label) << samples;
    }
  }
}

TEST(Loader, ScalesWideIntegersAndDoublesInDoubles) {
  const TempDir dir;
  const Shape shape = {8, 8, 8};
  std::vector<double> doubles(512);
  std::vector<std::int32_t> ints(512);
  for (std::size_t i = 0; i < 512; ++i) {
    doubles[i] = 1e9 + static_cast<double>(i % 7) / 8;
    ints[i] = 1'000'000'000 + static_cast<std::int32_t>(i % 7);
  }
  Array::save_voxels(dir / "d.mla", doubles, shape);
  Array::save_voxels(dir / "i.mla", ints, shape);
  LoaderOptions options;
  options.patch = shape;
  options.batch = 1;
  options.image_type = VoxelType::float64;
  for (const bool measured : {false, true}) {
    for (const char* name : {"d.mla", "i.mla"}) {
      options.normalization.from =
          measured ? Normalization::From::patch : Normalization::From::constants;
      options.normalization.channels = {{1e9, 0.5, 1e9, 1e9 + 5}};
      Loader loader({{"a", {dir / name}}}, uniform_sampler(shape), options);
      const auto batch = loader.next();
      std::vector<double> found(512);
      std::memcpy(found.data(), batch->image().bytes.data(), 512 * sizeof(double));
      const bool is_int = name[0] == 'i';
      std::vector<double> wanted(512);
      double mean = 0;
      double squares = 0;
      for (std::size_t i = 0; i < 512; ++i) {
        wanted[i] = (is_int ? ints[i] : doubles[i]) - 1e9;
        mean += wanted[i] / 512;
        squares += wanted[i] * wanted[i] / 512;
      }
      for (std::size_t i = 0; i < 512; ++i) {
        const double one = measured ? (wanted[i] - mean) / std::sqrt(squares - mean * mean)
                                    : std::min(wanted[i], 5.0) / 0.5;
        ASSERT_NEAR(found[i], one, 1e-5) << name << measured << i;
      }
    }
  }
}

TEST(Loader, ReadsTheByteOrderOfOtherMachines) {
  const TempDir dir;
  const Shape shape = {9, 8, 7};
  const auto count = static_cast<std::size_t>(element_count(shape));
  std::vector<std::uint8_t> bytes(2 * count);
  for (std::size_t i = 0; i < count; ++i) {
    bytes[2 * i] = static_cast<std::uint8_t>(i >> 8);
    bytes[2 * i + 1] = static_cast<std::uint8_t>(i);
  }
  const ConstArrayView view{reinterpret_cast<const std::byte*>(bytes.data()), shape,
                            c_strides(shape, 2)};
  Array::save_voxels(dir / "big.mla", view, DType::parse(">i2"));
  LoaderOptions options;
  options.patch = {9, 8, 9};  // leaves the image
  options.batch = 1;
  for (const Padding padding : {Padding::constant, Padding::edge}) {
    for (const VoxelType type : {VoxelType::stored, VoxelType::int16, VoxelType::float64}) {
      options.padding = padding;
      options.image_type = type;
      options.label_fill = -1;
      Loader loader({{"a", {dir / "big.mla"}, {dir / "big.mla"}}},
                    uniform_sampler(options.patch), options);
      const auto batch = loader.next();
      ASSERT_TRUE(batch->label().dtype.is<std::int16_t>());
      for (std::size_t row = 0; row < 72; ++row) {
        for (std::size_t x = 0; x < 7; ++x) {
          const std::size_t at = row * 9 + x + 1;
          const auto wanted = static_cast<std::int16_t>(row * 7 + x);
          std::int16_t label = 0;
          std::memcpy(&label, batch->label().bytes.data() + 2 * at, 2);
          ASSERT_EQ(label, wanted);
          if (type == VoxelType::float64) {
            double voxel = 0;
            std::memcpy(&voxel, batch->image().bytes.data() + 8 * at, 8);
            ASSERT_EQ(voxel, wanted);
          } else {
            std::memcpy(&label, batch->image().bytes.data() + 2 * at, 2);
            ASSERT_EQ(label, wanted);
          }
        }
      }
    }
  }
}

TEST(Loader, DropsTheAxisOfChannelsThatTheFileNames) {
  const TempDir dir;
  const Shape shape = {2, 6, 7};
  Array::save_voxels(dir / "image.mla", std::vector<std::int16_t>(84), shape);
  // Axes: space, channels, space, space; without a name, the first axis would fit as well.
  std::vector<std::uint8_t> labels(168);
  labels[static_cast<std::size_t>(((1 * 2 + 0) * 6 + 4) * 7 + 5)] = 1;  // voxel (1, 4, 5)
  Metadata named;
  named.set("spatial", "axis_labels", labels_for_channel_axis(1, 4));
  Array::save_voxels(dir / "seg.mla", labels, {2, 2, 6, 7}, named);
  LoaderOptions options;
  options.patch = {1, 2, 2};
  options.batch = 1;
  options.samples_per_epoch = 4;
  options.warn = [](const std::string& text) { ADD_FAILURE() << text; };
  BalancedOptions balanced;
  balanced.foreground = 1;
  Loader loader({{"a", {dir / "image.mla"}, {dir / "seg.mla"}}},
                balanced_sampler(options.patch, balanced), options);
  while (const auto batch = loader.next()) {
    EXPECT_EQ(batch->draws()[0].center, (Shape{1, 4, 5}));
  }
}

TEST(Loader, ResumesAtEveryPositionOfAnEpoch) {
  const TempDir dir;
  const std::vector<Scan> scans = {make_scan(dir, "a", {20, 17, 23}),
                                   make_scan(dir, "b", {12, 9, 30})};
  LoaderOptions options = small_options();
  options.batch = 1;  // 50 positions
  Loader whole(cases_of(scans), balanced_sampler(options.patch), options);
  whole.set_epoch(3);
  const std::vector<std::string> all = epoch_of(whole);
  ASSERT_EQ(all.size(), 50U);
  Loader reused(cases_of(scans), balanced_sampler(options.patch), options);
  for (std::size_t stop = 0; stop <= all.size(); ++stop) {
    Loader first(cases_of(scans), balanced_sampler(options.patch), options);
    first.set_epoch(3);
    for (std::size_t i = 0; i < stop; ++i) ASSERT_EQ(contents(*first.next()), all[i]);
    const LoaderState state = first.state();  // the threads are ahead of it
    EXPECT_EQ(state.epoch, 3);
    EXPECT_EQ(state.batches_done, static_cast<std::int64_t>(stop));
    reused.restore(state);
    std::vector<std::string> rest = epoch_of(reused);
    EXPECT_EQ(rest, (std::vector<std::string>(all.begin() + static_cast<std::ptrdiff_t>(stop),
                                              all.end())));
  }
}

TEST(Loader, AStateOfAnotherLoaderIsRefused) {
  const TempDir dir;
  const std::vector<Scan> scans = {make_scan(dir, "a", {20, 17, 23})};
  LoaderOptions options = small_options();
  Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
  LoaderState state = loader.state();
  options.seed = 10;
  Loader other(cases_of(scans), uniform_sampler(options.patch), options);
  EXPECT_THROW(other.restore(state), Error);
  state.batches_done = 26;
  EXPECT_THROW(loader.restore(state), Error);
  state.batches_done = 3;
  state.world_size = 2;
  EXPECT_THROW(loader.restore(state), Error);  // in the middle of an epoch
  state.batches_done = 0;
  loader.restore(state);
  EXPECT_THROW(loader.set_epoch(-1), Error);
}

TEST(Loader, SamplesOnTheCallersThreadAreThoseOfTheBatches) {
  const TempDir dir;
  const std::vector<Scan> scans = {make_scan(dir, "a", {20, 17, 23}, true)};
  LoaderOptions options = small_options();
  Loader loader(cases_of(scans), balanced_sampler(options.patch), options);
  const auto batch = loader.next();
  for (std::size_t i = 0; i < 2; ++i) {
    const Batch one = loader.sample(0, static_cast<std::int64_t>(i));
    EXPECT_EQ(one.image().shape, (Shape{1, 3, 6, 6, 6}));
    const std::size_t bytes = one.image().bytes.size();
    EXPECT_EQ(
        std::memcmp(one.image().bytes.data(), batch->image().bytes.data() + i * bytes, bytes),
        0);
    EXPECT_EQ(one.draws()[0].seed, batch->draws()[i].seed);
  }
  EXPECT_THROW(loader.sample(0, 50), Error);
  EXPECT_THROW(loader.sample(-1, 0), Error);
}

TEST(Loader, MemoryGoesRoundAndOutlivesTheLoader) {
  const TempDir dir;
  const std::vector<Scan> scans = {make_scan(dir, "a", {20, 17, 23})};
  LoaderOptions options = small_options();
  options.prefetch_bytes = 0;
  std::set<const std::byte*> places;
  std::optional<Batch> kept;
  std::string before;
  {
    Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
    while (const auto batch = loader.next()) {
      places.insert(batch->image().bytes.data());
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(batch->image().bytes.data()) % 64, 0U);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(batch->label().bytes.data()) % 64, 0U);
    }
    EXPECT_LE(places.size(), 3U);
    loader.set_epoch(0);
    kept = loader.next();
    before = contents(*kept);
  }
  EXPECT_EQ(contents(*kept), before);
}

TEST(Loader, CasesWithoutLabelsAndWithExtras) {
  const TempDir dir;
  Scan scan = make_scan(dir, "a", {20, 17, 23});
  scan.files.label.clear();
  scan.files.extra = {{"weight", {dir / "a_seg.mla"}}};
  LoaderOptions options = small_options();
  Loader loader({scan.files}, balanced_sampler(options.patch), options);
  std::vector<std::string> warnings;
  const auto batch = loader.next();
  EXPECT_THROW(batch->label(), Error);
  EXPECT_EQ(batch->find("label"), nullptr);
  const Batch::Field* weight = batch->find("weight");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->dtype.text(), "|u1");
  EXPECT_EQ(weight->shape, (Shape{2, 1, 6, 6, 6}));
  for (std::size_t i = 0; i < 2; ++i) {
    const PlainPatch plain =
        plain_patch(scan.label, scan.shape, batch->draws()[i].box, Padding::constant, 0);
    for (std::size_t v = 0; v < plain.voxels.size(); ++v) {
      ASSERT_EQ(value_at(*weight, i * plain.voxels.size() + v), plain.voxels[v]);
    }
  }
}

TEST(Loader, NormalisesByTheStatisticsOfEachFile) {
  const TempDir dir;
  Scan scan = make_scan(dir, "a", {20, 17, 23});
  Metadata metadata = grid_of({1.5, 1.5, 1.5});
  const Statistics found = Array::open(scan.files.image[0]).statistics();
  found.put_into(metadata);
  Array::open(scan.files.image[0]).save(dir / "b.mla", {}, metadata);
  scan.files.image[0] = dir / "b.mla";
  LoaderOptions options = small_options();
  for (const bool clip : {false, true}) {
    options.normalization.from = Normalization::From::stats;
    options.normalization.clip = clip;
    Loader loader({scan.files}, uniform_sampler(options.patch), options);
    const auto batch = loader.next();
    Normalization::Channel channel;
    if (clip) {
      channel.low = found.percentile_min;
      channel.high = found.percentile_max;
    }
    for (std::size_t i = 0; i < 2; ++i) {
      const PlainPatch plain =
          plain_patch(scan.image[0], scan.shape, batch->draws()[i].box, Padding::constant, 0);
      for (std::size_t v = 0; v < plain.voxels.size(); ++v) {
        ASSERT_EQ(
            value_at(batch->image(), i * plain.voxels.size() + v),
            static_cast<double>(normalised(plain.voxels[v], static_cast<float>(found.mean),
                                           static_cast<float>(found.std), channel)));
      }
    }
  }
}

TEST(Loader, WithoutLabelsOfAxesTheFirstOneIsTheChannels) {
  const TempDir dir;
  const Scan one = make_scan(dir, "a", {20, 17, 23}, false, 1);
  const Scan two = make_scan(dir, "b", {20, 17, 23}, false, 2);
  std::vector<std::int16_t> stacked(one.image[0].begin(), one.image[0].end());
  stacked.insert(stacked.end(), two.image[0].begin(), two.image[0].end());
  Scan both = one;
  both.image.push_back(two.image[0]);
  both.files.image = {dir / "both.mla"};
  const Metadata grid = grid_of({1.5, 1.5, 1.5});
  Metadata named = grid;
  named.set("spatial", "axis_labels", labels_for_channel_axis(0, 4));
  LoaderOptions options = small_options();
  options.mask_padding = true;
  for (const Metadata& metadata : {Metadata(), named}) {
    Array::save_voxels(dir / "both.mla", stacked, {2, 20, 17, 23}, metadata);
    Loader loader({both.files}, listed_sampler(options.patch, leaving(1, 3)), options);
    while (const auto batch = loader.next()) {
      for (std::size_t i = 0; i < 2; ++i) expect_sample(*batch, i, both, options);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Loader, ALossyTypeIsAnErrorThatNamesTheFile) {
  const TempDir dir;
  const std::vector<Scan> scans = {make_scan<std::int32_t>(dir, "a", {20, 17, 23})};
  LoaderOptions options = small_options();
  options.image_type = VoxelType::uint8;
  Loader loader(cases_of(scans), uniform_sampler(options.patch), options);
  try {
    loader.next();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_value);
    EXPECT_NE(std::string(error.what()).find("case 'a'"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("a.mla"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("type of image"), std::string::npos)
        << error.what();
  }
  options.image_type = VoxelType::float32;
  options.label_fill = -1;  // and labels of uint8
  EXPECT_THROW(Loader(cases_of(scans), uniform_sampler(options.patch), options), Error);
}

}  // namespace
}  // namespace mlarray::training::test
