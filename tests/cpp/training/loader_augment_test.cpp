// Augmented batches: equal to augmenting the whole initial patch by hand, and of the image only
// the support is read.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "grid/geometry.hpp"
#include "mlarray/augment/presets.hpp"
#include "mlarray/error.hpp"
#include "mlarray/training/loader.hpp"
#include "support/temp_dir.hpp"
#include "training/scans.hpp"

namespace mlarray::training::test {
namespace {

using mlarray::test::TempDir;

// nnU-Net's, more often.
std::shared_ptr<augment::Pipeline> often(const Shape& patch, Shape initial = {}) {
  augment::NnunetOptions options;
  options.patch = patch;
  options.initial = std::move(initial);
  options.scales = {std::vector<double>(patch.size(), 1),
                    std::vector<double>(patch.size(), 0.5)};
  auto pipeline = std::make_shared<augment::Pipeline>(augment::nnunet(options));
  pipeline->spatial.p_rotation = 0.7;
  pipeline->spatial.p_scaling = 0.5;
  for (augment::Intensity& step : pipeline->intensity) {
    std::visit([](auto& one) { one.p = 0.4; }, step);
  }
  return pipeline;
}

LoaderOptions options_with(const std::shared_ptr<const augment::Pipeline>& pipeline) {
  LoaderOptions options;
  options.patch = pipeline->patch;
  options.augment = pipeline;
  options.label_fill = -1;
  options.samples_per_epoch = 24;
  options.seed = 5;
  options.threads = 2;
  return options;
}

std::vector<Scan> three_scans(const TempDir& dir) {
  return {make_scan(dir, "a", {30, 27, 33}, true, 1), make_scan(dir, "b", {9, 40, 5}, true, 2),
          make_scan(dir, "c", {22, 22, 22}, true, 3)};
}

struct Made {
  std::vector<float> image;
  std::vector<std::vector<std::int16_t>> labels;
  std::int64_t voxels = 0;  // of one channel that are in the support and the image
};

// apply() on the whole box that was drawn. `slice`: an axis that the pipeline has not; -1:
// none.
Made by_hand(const Scan& scan, const Draw& draw, const augment::Pipeline& pipeline,
             const LoaderOptions& options, int slice = -1) {
  std::vector<float> voxels;
  for (const std::vector<double>& channel : scan.image) {
    const PlainPatch patch =
        plain_patch(channel, scan.shape, draw.box, options.padding, options.image_fill);
    voxels.insert(voxels.end(), patch.voxels.begin(), patch.voxels.end());
  }
  const PlainPatch classes =
      plain_patch(scan.label, scan.shape, draw.box, Padding::constant, options.label_fill);
  std::vector<std::int16_t> labels;
  for (const double label : classes.voxels) labels.push_back(static_cast<std::int16_t>(label));

  const auto channels = static_cast<std::int64_t>(scan.image.size());
  const augment::Drawn drawn = augment::draw(pipeline, draw.seed, channels);
  const Box box = augment::support(pipeline, drawn);
  const auto view = [&](const void* data, std::int64_t count, std::int64_t bytes) {
    Shape shape = pipeline.initial;
    shape.insert(shape.begin(), count);
    ConstArrayView part{static_cast<const std::byte*>(data), shape, c_strides(shape, bytes)};
    for (std::size_t a = 0; a < box.start.size(); ++a) {
      part.data += box.start[a] * part.strides[a + 1];
      part.shape[a + 1] = box.stop[a] - box.start[a];
    }
    return part;
  };
  Made made;
  made.image.resize(static_cast<std::size_t>(augment::image_channels(pipeline, channels) *
                                             element_count(pipeline.patch)));
  augment::Output out{made.image};
  for (const Shape& shape : augment::label_shapes(pipeline, 1)) {
    made.labels.emplace_back(static_cast<std::size_t>(element_count(shape)));
  }
  for (auto& one : made.labels) out.labels.emplace_back(one);
  augment::Workspace workspace;
  augment::apply(pipeline, drawn, {view(voxels.data(), channels, 4), view(labels.data(), 1, 2)},
                 out, workspace);
  Box read = box;
  if (slice >= 0) {
    read.start.insert(read.start.begin() + slice, 0);
    read.stop.insert(read.stop.begin() + slice, 1);
  }
  for (std::size_t a = 0; a < read.start.size(); ++a) {
    read.start[a] += draw.box.start[a];
    read.stop[a] += draw.box.start[a];
  }
  const Box inside = grid::intersect(read, Box::whole(scan.shape));
  made.voxels = inside.empty() ? 0 : element_count(inside.shape());
  return made;
}

template <class T>
bool is_item(const Batch::Field& field, std::size_t i, const std::vector<T>& expected) {
  const std::size_t bytes = expected.size() * sizeof(T);
  return field.bytes.size() >= (i + 1) * bytes &&
         std::memcmp(field.bytes.data() + i * bytes, expected.data(), bytes) == 0;
}

// Voxels that were to be read.
std::int64_t expect_as_by_hand(const std::vector<Scan>& scans,
                               const std::shared_ptr<const Sampler>& sampler,
                               const LoaderOptions& options, int slice = -1) {
  Loader loader(cases_of(scans), sampler, options);
  std::int64_t voxels = 0;
  std::int64_t samples = 0;
  while (const auto batch = loader.next()) {
    for (std::size_t i = 0; i < batch->draws().size(); ++i, ++samples) {
      const Draw& draw = batch->draws()[i];
      const Scan& scan = scans[static_cast<std::size_t>(draw.case_index)];
      const Made made = by_hand(scan, draw, *options.augment, options, slice);
      EXPECT_TRUE(is_item(batch->image(), i, made.image)) << samples;
      for (std::size_t k = 0; k < made.labels.size(); ++k) {
        const Batch::Field* label =
            batch->find(k == 0 ? "label" : "label_" + std::to_string(k));
        if (label == nullptr) {
          ADD_FAILURE() << "no label " << k;
          return 0;
        }
        EXPECT_TRUE(is_item(*label, i, made.labels[k])) << samples << ' ' << k;
      }
      voxels += made.voxels * static_cast<std::int64_t>(scan.image.size() + 1);
    }
  }
  EXPECT_EQ(samples, loader.samples());
  EXPECT_GT(loader.times().augment, 0);
  EXPECT_GE(loader.times().voxels_read, voxels);
  return loader.times().voxels_read - voxels;
}

// Boxes of a shape that leave the image on all sides, and one outside of it.
std::vector<ListedBox> boxes_around(const std::vector<Scan>& scans, const Shape& shape) {
  std::vector<ListedBox> boxes;
  std::mt19937 random(4);
  for (int i = 0; i < 23; ++i) {
    const std::size_t one = random() % scans.size();
    Shape start;
    for (std::size_t a = 0; a < shape.size(); ++a) {
      const std::int64_t size = scans[one].shape[a];
      start.push_back(static_cast<std::int64_t>(random() % static_cast<unsigned>(size)) -
                      shape[a] / 2);
    }
    boxes.push_back({static_cast<std::int64_t>(one), start});
  }
  boxes.push_back({0, Shape(shape.size(), -100)});
  return boxes;
}

TEST(LoaderAugment, EqualsAugmentingTheWholeBoxAndReadsOnlyTheSupport) {
  const TempDir dir;
  const std::vector<Scan> scans = three_scans(dir);
  const auto pipeline = often({8, 10, 12});
  LoaderOptions options = options_with(pipeline);
  options.samples_per_epoch = 0;
  const auto sampler =
      listed_sampler(pipeline->initial, boxes_around(scans, pipeline->initial));
  for (const Padding padding : {Padding::constant, Padding::edge, Padding::reflect}) {
    options.padding = padding;
    options.image_fill = padding == Padding::constant ? -3 : 0;
    const std::int64_t more = expect_as_by_hand(scans, sampler, options);
    if (padding == Padding::constant) {
      EXPECT_EQ(more, 0);
    }
  }
}

TEST(LoaderAugment, DrawsOfNnunetWhoseCentreIsOutsideOfTheSupport) {
  const TempDir dir;
  const std::vector<Scan> scans = three_scans(dir);
  const auto pipeline = often({8, 8, 8}, {20, 20, 20});
  pipeline->spatial = {};
  const LoaderOptions options = options_with(pipeline);
  BalancedOptions balanced;
  balanced.foreground = 1;
  balanced.border = Border::nnunet;
  EXPECT_GT(expect_as_by_hand(scans, balanced_sampler(pipeline->initial, balanced), options),
            0);
}

TEST(LoaderAugment, SlicesAlongAnyAxis) {
  const TempDir dir;
  const std::vector<Scan> scans = three_scans(dir);
  const auto pipeline = often({8, 10});
  for (const int axis : {0, 1, 2}) {
    LoaderOptions options = options_with(pipeline);
    options.patch.insert(options.patch.begin() + axis, 1);
    Shape initial = pipeline->initial;
    initial.insert(initial.begin() + axis, 1);
    expect_as_by_hand(scans, uniform_sampler(initial), options, axis);
    Loader loader(cases_of(scans), uniform_sampler(initial), options);
    const auto batch = loader.next();
    ASSERT_TRUE(batch.has_value());
    EXPECT_EQ(batch->label().shape[static_cast<std::size_t>(axis) + 2], 1);
    EXPECT_EQ(batch->find("label_1")->shape[static_cast<std::size_t>(axis) + 2], 1);
  }
}

std::vector<std::string> all_of(Loader& loader) {
  std::vector<std::string> out;
  while (const auto batch = loader.next()) out.push_back(contents(*batch));
  return out;
}

TEST(LoaderAugment, TheSameForAnyNumberOfThreadsAndRanksAndResumed) {
  const TempDir dir;
  const std::vector<Case> cases = cases_of(three_scans(dir));
  const auto pipeline = often({8, 10, 12});
  const auto sampler = balanced_sampler(pipeline->initial);
  LoaderOptions options = options_with(pipeline);
  options.threads = 1;
  Loader one(cases, sampler, options);
  const std::vector<std::string> expected = all_of(one);
  ASSERT_EQ(expected.size(), 12U);
  options.threads = 5;
  Loader five(cases, sampler, options);
  EXPECT_EQ(all_of(five), expected);

  options.world_size = 2;
  for (options.rank = 0; options.rank < 2; ++options.rank) {
    Loader rank(cases, sampler, options);
    const std::vector<std::string> own = all_of(rank);
    ASSERT_EQ(own.size(), 6U);
    for (std::size_t b = 0; b < own.size(); ++b) {
      EXPECT_EQ(own[b], expected[2 * b + static_cast<std::size_t>(options.rank)]);
    }
  }
  options.world_size = 1;
  options.rank = 0;
  Loader before(cases, sampler, options);
  for (int b = 0; b < 5; ++b) ASSERT_TRUE(before.next().has_value());
  Loader after(cases, sampler, options);
  after.restore(before.state());
  const std::vector<std::string> rest = all_of(after);
  EXPECT_EQ(rest, std::vector<std::string>(expected.begin() + 5, expected.end()));
}

TEST(LoaderAugment, TypesOfFloatsAreRoundedOnce) {
  const TempDir dir;
  const std::vector<Case> cases = cases_of(three_scans(dir));
  const auto pipeline = often({8, 10, 12});
  const auto sampler = uniform_sampler(pipeline->initial);
  LoaderOptions options = options_with(pipeline);
  const Batch floats = Loader(cases, sampler, options).sample(0, 3);
  options.image_type = VoxelType::float64;
  const Batch doubles = Loader(cases, sampler, options).sample(0, 3);
  const auto count = floats.image().bytes.size() / sizeof(float);
  ASSERT_EQ(doubles.image().bytes.size(), count * sizeof(double));
  for (std::size_t i = 0; i < count; ++i) {
    float one = 0;
    double other = 0;
    std::memcpy(&one, floats.image().bytes.data() + i * sizeof one, sizeof one);
    std::memcpy(&other, doubles.image().bytes.data() + i * sizeof other, sizeof other);
    ASSERT_EQ(static_cast<double>(one), other);
  }
}

// Voxels that say where they are: interpolated ones too.
TEST(LoaderAugment, TheAffineSaysWhereTurnedAndFlippedVoxelsAre) {
  const TempDir dir;
  const Shape shape = {40, 40, 40};
  std::vector<float> voxels;
  for (std::int64_t z = 0; z < 40; ++z) {
    for (std::int64_t y = 0; y < 40; ++y) {
      for (std::int64_t x = 0; x < 40; ++x)
        voxels.push_back(static_cast<float>(z + 50 * y - 7 * x));
    }
  }
  Metadata metadata;
  metadata.set_spacing({2, 0.5, 1.5});
  metadata.set_origin({10, -3, 4});
  Array::save_voxels(dir / "a.mla", voxels, shape, metadata);
  auto pipeline = often({8, 10, 12});
  pipeline->intensity.clear();
  LoaderOptions options = options_with(pipeline);
  Loader loader({{"a", {dir / "a.mla"}}}, uniform_sampler(pipeline->initial), options);
  int turned = 0;
  while (const auto batch = loader.next()) {
    for (std::size_t i = 0; i < 2; ++i) {
      const Draw& draw = batch->draws()[i];
      const augment::Drawn drawn = augment::draw(*pipeline, draw.seed, 1);
      turned += drawn.matrix ? 1 : 0;
      const Matrix affine = batch->affine(i);
      for (const Shape& at : {Shape{4, 5, 6}, Shape{3, 6, 7}, Shape{5, 3, 6}}) {
        double position[3];
        for (std::size_t row = 0; row < 3; ++row) {
          position[row] = affine[row].back();
          for (std::size_t a = 0; a < 3; ++a)
            position[row] += affine[row][a] * static_cast<double>(at[a]);
        }
        const double expected =
            (position[0] - 10) / 2 + 50 * (position[1] + 3) / 0.5 - 7 * (position[2] - 4) / 1.5;
        float value = 0;
        const auto place = static_cast<std::size_t>(
            ((static_cast<std::int64_t>(i) * 8 + at[0]) * 10 + at[1]) * 12 + at[2]);
        std::memcpy(&value, batch->image().bytes.data() + place * sizeof value, sizeof value);
        EXPECT_NEAR(static_cast<double>(value), expected, 1e-2);
      }
    }
  }
  EXPECT_GT(turned, 5);
}

template <class Change>
void expect_refused(const std::vector<Case>& cases, const std::string& words, Change change) {
  const auto pipeline = often({8, 10, 12});
  LoaderOptions options = options_with(pipeline);
  change(options, *pipeline);
  try {
    Loader(cases, uniform_sampler(pipeline->initial), options).sample(0, 0);
    ADD_FAILURE() << words;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_value);
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
  }
}

TEST(LoaderAugment, RefusesWhatDoesNotFit) {
  const TempDir dir;
  std::vector<Case> cases = cases_of(three_scans(dir));
  using Pipeline = augment::Pipeline;
  expect_refused(cases, "augment makes patches of",
                 [](LoaderOptions& o, Pipeline&) { o.patch = {8, 10, 13}; });
  expect_refused(cases, "type of images",
                 [](LoaderOptions& o, Pipeline&) { o.image_type = VoxelType::int16; });
  expect_refused(cases, "type of labels",
                 [](LoaderOptions& o, Pipeline&) { o.label_type = VoxelType::uint8; });
  expect_refused(cases, "normalise by constants", [](LoaderOptions& o, Pipeline&) {
    o.normalization.from = Normalization::From::patch;
  });
  expect_refused(cases, "mask_padding",
                 [](LoaderOptions& o, Pipeline&) { o.mask_padding = true; });
  expect_refused(cases, "masked_channels of augment has 3",
                 [](LoaderOptions&, Pipeline& p) { p.labels.masked_channels = {3}; });
  expect_refused(cases, "labels have 1 channels",
                 [](LoaderOptions&, Pipeline& p) { p.labels.previous = {1}; });
  expect_refused(cases, "mirror_axes",
                 [](LoaderOptions&, Pipeline& p) { p.mirror_axes = {7}; });
  for (Case& one : cases) one.extra = {{"weight", {one.image[0]}}};
  expect_refused(cases, "'weight'", [](LoaderOptions&, Pipeline&) {});
  for (Case& one : cases) one.extra.clear();
  try {
    const auto pipeline = often({8, 10, 12});
    Loader(cases, uniform_sampler(pipeline->patch), options_with(pipeline)).sample(0, 0);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("make the sampler for that"), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("case '"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace mlarray::training::test
