// Samplers: where boxes may lie, shares, fallbacks, and that a draw depends on its place alone.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "mlarray/error.hpp"
#include "mlarray/training/sampler.hpp"
#include "training/alias_table.hpp"
#include "training/fake_cases.hpp"

namespace mlarray::training::test {
namespace {

using One = FakeCases::One;

void expect_same(const Draw& a, const Draw& b) {
  EXPECT_EQ(a.index, b.index);
  EXPECT_EQ(a.case_index, b.case_index);
  EXPECT_EQ(a.box.start, b.box.start);
  EXPECT_EQ(a.box.stop, b.box.stop);
  EXPECT_EQ(a.seed, b.seed);
  EXPECT_EQ(a.label, b.label);
  EXPECT_EQ(a.center, b.center);
}

TEST(AliasTable, DrawsByWeight) {
  const std::vector<std::vector<double>> all = {
      {1}, {1, 1}, {0, 1, 0}, {5, 1, 3, 1, 0}, {1e-3, 1, 1e3}, {0, 0, 0.1, 0.2, 0.7, 0}};
  for (const std::vector<double>& weights : all) {
    const AliasTable table(weights, "weights");
    std::vector<std::int64_t> counts(weights.size());
    Random random(3);
    for (int i = 0; i < 40'000; ++i) ++counts[static_cast<std::size_t>(table.draw(random))];
    EXPECT_LE(chi_squared(counts, weights), chi_limit(std::max<std::size_t>(counts.size(), 2)));
  }
  EXPECT_THROW(AliasTable(std::vector<double>{0, 0}, "weights"), Error);
  EXPECT_THROW(AliasTable(std::vector<double>{1, -1}, "weights"), Error);
  EXPECT_THROW(AliasTable(std::vector<double>{1, NAN}, "weights"), Error);
}

TEST(UniformSampler, AllStartsOfAllCasesAreEquallyLikely) {
  const FakeCases cases({{{6, 9}}, {{4, 20}}, {{3, 5}}});
  const auto sampler = uniform_sampler({4, 5});
  std::vector<std::int64_t> of_case(3);
  std::map<Shape, std::int64_t> starts;
  for (int i = 0; i < 60'000; ++i) {
    const Draw draw = sampler->draw(cases, place_of(i));
    ++of_case[static_cast<std::size_t>(draw.case_index)];
    EXPECT_EQ(draw.box.shape(), (Shape{4, 5}));
    EXPECT_FALSE(draw.label);
    if (draw.case_index == 0) ++starts[draw.box.start];
    if (draw.case_index == 1) {
      EXPECT_EQ(draw.box.start[0], 0);
      EXPECT_TRUE(draw.box.start[1] >= 0 && draw.box.start[1] <= 15);
    }
    if (draw.case_index == 2) {
      EXPECT_EQ(draw.box.start, (Shape{0, 0}));  // the image in the middle
    }
  }
  EXPECT_LE(chi_squared(of_case, {1, 1, 1}), chi_limit(3));
  std::vector<std::int64_t> counts;
  for (const auto& [start, count] : starts) counts.push_back(count);
  ASSERT_EQ(counts.size(), 15U);
  EXPECT_LE(chi_squared(counts, std::vector<double>(15, 1)), chi_limit(15));
}

TEST(UniformSampler, CasesByWeight) {
  const FakeCases cases({{{8}}, {{8}}, {{8}}, {{8}}});
  UniformOptions options;
  options.case_weights = {1, 0, 3, 4};
  const auto sampler = uniform_sampler({4}, options);
  std::vector<std::int64_t> counts(4);
  for (int i = 0; i < 40'000; ++i) {
    ++counts[static_cast<std::size_t>(sampler->draw(cases, place_of(i)).case_index)];
  }
  EXPECT_LE(chi_squared(counts, options.case_weights), chi_limit(4));
  options.case_weights = {1, 2};
  EXPECT_THROW(uniform_sampler({4}, options)->bound(cases), Error);
  EXPECT_THROW(uniform_sampler({4}, options)->draw(cases, place_of(0)), Error);
}

// get_bbox of nnU-Net 2.8.1, along one axis.
std::pair<std::int64_t, std::int64_t> nnunet_bounds(std::int64_t size, std::int64_t patch,
                                                    std::int64_t pad) {
  const auto floor_half = [](std::int64_t n) {
    return static_cast<std::int64_t>(std::floor(static_cast<double>(n) / 2));
  };
  if (pad + size < patch) pad = patch - size;
  return {floor_half(-pad), size + floor_half(pad) + (pad % 2) - patch};
}

TEST(Border, NnunetsBoundsForEverySize) {
  for (std::int64_t size = 1; size < 14; ++size) {
    for (std::int64_t patch = 1; patch < 14; ++patch) {
      for (const std::int64_t pad : {0, 1, 2, 5}) {
        UniformOptions options;
        options.border = Border::nnunet;
        options.pad = {pad};
        const auto sampler = uniform_sampler({patch}, options);
        const FakeCases cases(std::vector<One>{One{Shape{size}}});
        const auto [first, last] = nnunet_bounds(size, patch, pad);
        ASSERT_LE(first, last);
        std::set<std::int64_t> seen;
        for (int i = 0; i < 400; ++i) {
          seen.insert(sampler->draw(cases, place_of(i)).box.start[0]);
        }
        EXPECT_EQ(*seen.begin(), first) << size << ' ' << patch << ' ' << pad;
        EXPECT_EQ(*seen.rbegin(), last) << size << ' ' << patch << ' ' << pad;
        EXPECT_EQ(static_cast<std::int64_t>(seen.size()), last - first + 1);
      }
    }
  }
  UniformOptions options;
  options.pad = {1};
  EXPECT_THROW(uniform_sampler({4}, options), Error);  // not of Border::inside
}

TEST(Border, NnunetClipsACentreBelowOnly) {
  const Shape shape{10};
  for (std::int64_t at = 0; at < 10; ++at) {
    const FakeCases cases({{shape, index_of(map_with(shape, {{{at}, 1}}), shape)}});
    BalancedOptions options;
    options.foreground = 1;
    options.border = Border::nnunet;
    EXPECT_EQ(balanced_sampler({5}, options)->draw(cases, place_of(0)).box.start[0],
              std::max<std::int64_t>(at - 2, 0));
    options.border = Border::inside;
    EXPECT_EQ(balanced_sampler({5}, options)->draw(cases, place_of(0)).box.start[0],
              std::clamp<std::int64_t>(at - 2, 0, 5));
    options.border = Border::nnunet;
    EXPECT_EQ(balanced_sampler({13}, options)->draw(cases, place_of(0)).box.start[0],
              std::max<std::int64_t>(at - 6, -2));
  }
}

TEST(BalancedSampler, ForcesTheLastOfABatchAsNnunetDoes) {
  const Shape shape{12};
  const FakeCases cases({{shape, index_of(map_with(shape, {{{4}, 1}, {{9}, 2}}), shape)}});
  BalancedOptions options;
  options.forced = Forced::last;
  for (const std::int64_t batch : {1, 2, 3, 4, 5, 7, 9, 12}) {
    for (const double share : {0.0, 0.33, 0.5, 0.9, 1.0}) {
      options.foreground = share;
      const auto sampler = balanced_sampler({4}, options);
      for (std::int64_t i = 0; i < 3 * batch; ++i) {
        // not sample_idx < round(batch_size * (1 - oversample))
        const double first = std::nearbyint(static_cast<double>(batch) * (1 - share));
        const bool forced = !(static_cast<double>(i % batch) < first);
        EXPECT_EQ(sampler->draw(cases, place_of(i, batch)).label.has_value(), forced);
      }
    }
  }
}

TEST(BalancedSampler, SharesOfSamplesClassesAndVoxels) {
  const Shape shape{8, 8};
  const auto map = map_with(shape, {{{1, 1}, 1}, {{2, 2}, 2}, {{2, 3}, 2}, {{6, 6}, 3}});
  const FakeCases cases({{shape, index_of(map, shape)}, {shape, index_of(map, shape)}});
  BalancedOptions options;
  options.foreground = 0.4;
  const auto sampler = balanced_sampler({4, 4}, options);
  std::vector<std::int64_t> forced(2);
  std::vector<std::int64_t> classes(3);
  std::map<Shape, std::int64_t> voxels;
  for (int i = 0; i < 50'000; ++i) {
    const Draw draw = sampler->draw(cases, place_of(i));
    ++forced[draw.label ? 1 : 0];
    if (!draw.label) continue;
    ++classes[static_cast<std::size_t>(*draw.label - 1)];
    if (*draw.label == 2) ++voxels[draw.center];
    EXPECT_EQ(map[static_cast<std::size_t>(draw.center[0] * 8 + draw.center[1])], *draw.label);
  }
  EXPECT_LE(chi_squared(forced, {0.6, 0.4}), chi_limit(2));
  EXPECT_LE(chi_squared(classes, {1, 1, 1}), chi_limit(3));
  ASSERT_EQ(voxels.size(), 2U);
  EXPECT_LE(chi_squared({voxels[{2, 2}], voxels[{2, 3}]}, {1, 1}), chi_limit(2));
}

TEST(BalancedSampler, ClassesAndTheirWeights) {
  const Shape shape{30};
  const auto map = map_with(shape, {{{1}, 1}, {{2}, 2}, {{3}, 3}, {{4}, 4}});
  const FakeCases cases({{shape, index_of(map, shape)}});
  BalancedOptions options;
  options.foreground = 1;
  options.classes = {4, 2, 9};
  options.class_weights = {3, 1, 100};
  const auto sampler = balanced_sampler({4}, options);
  std::vector<std::int64_t> counts(5);
  for (int i = 0; i < 20'000; ++i) {
    ++counts[static_cast<std::size_t>(*sampler->draw(cases, place_of(i)).label)];
  }
  EXPECT_LE(chi_squared(counts, {0, 0, 1, 0, 3}), chi_limit(2));
  options.class_weights = {1};
  EXPECT_THROW(balanced_sampler({4}, options), Error);
  options.class_weights = {1, -1, 1};
  EXPECT_THROW(balanced_sampler({4}, options), Error);
  options = {};
  options.foreground = 1.5;
  EXPECT_THROW(balanced_sampler({4}, options), Error);
}

TEST(BalancedSampler, ACaseWithoutTheClassIsDrawnFromAnywhereWithOneWarning) {
  const Shape shape{10};
  const FakeCases cases({{shape, index_of(map_with(shape, {}), shape)}, {shape, nullptr}});
  BalancedOptions options;
  options.foreground = 1;
  options.classes = {3, 4};
  const auto sampler = balanced_sampler({4}, options);
  std::set<std::int64_t> starts;
  for (int i = 0; i < 500; ++i) {
    const Draw draw = sampler->draw(cases, place_of(i));
    EXPECT_FALSE(draw.label);
    starts.insert(draw.box.start[0]);
  }
  EXPECT_EQ(starts.size(), 7U);
  ASSERT_EQ(cases.warnings.size(), 2U);  // told once for each text
  const std::string text = cases.warnings.begin()->first + cases.warnings.rbegin()->first;
  EXPECT_NE(text.find("case \"0\" has none of the classes 3, 4"), std::string::npos) << text;
  EXPECT_NE(text.find("case \"1\" has no labels"), std::string::npos) << text;
}

TEST(BalancedSampler, ClassFirstMakesRareClassesAsCommonAsOthers) {
  const Shape shape{20};
  std::vector<One> all;
  for (int i = 0; i < 9; ++i)
    all.push_back({shape, index_of(map_with(shape, {{{5}, 1}}), shape)});
  all.push_back({shape, index_of(map_with(shape, {{{5}, 1}, {{7}, 2}}), shape)});
  const FakeCases cases(all);
  BalancedOptions options;
  options.foreground = 1;
  options.class_first = true;
  const auto given = balanced_sampler({4}, options);
  const auto sampler = given->bound(cases);
  ASSERT_NE(sampler, nullptr);
  std::vector<std::int64_t> counts(2);
  std::vector<std::int64_t> of_case(10);
  for (int i = 0; i < 20'000; ++i) {
    const Draw draw = sampler->draw(cases, place_of(i));
    ++counts[static_cast<std::size_t>(*draw.label - 1)];
    if (*draw.label == 1) ++of_case[static_cast<std::size_t>(draw.case_index)];
    if (*draw.label == 2) {
      EXPECT_EQ(draw.case_index, 9);
    }
  }
  EXPECT_LE(chi_squared(counts, {1, 1}), chi_limit(2));
  EXPECT_LE(chi_squared(of_case, std::vector<double>(10, 1)), chi_limit(10));
  for (int i = 0; i < 20; ++i) {
    expect_same(given->draw(cases, place_of(i)), sampler->draw(cases, place_of(i)));
  }
  // A class that nobody has is told of; the others are drawn.
  options.classes = {2, 7};
  const auto partly = balanced_sampler({4}, options)->bound(cases);
  EXPECT_EQ(partly->draw(cases, place_of(0)).label, 2);
  EXPECT_EQ(cases.warnings.begin()->first.find("no case has the class 7"), 0U);
  options.classes = {7};
  EXPECT_FALSE(balanced_sampler({4}, options)->bound(cases)->draw(cases, place_of(0)).label);
}

TEST(BalancedSampler, NegativesAreVoxelsOfOtherClasses) {
  const Shape shape{40};
  const auto map = map_with(shape, {{{5}, 1}, {{6}, 1}, {{20}, 2}});
  BalancedOptions options;
  options.foreground = 0.25;
  options.negatives = true;
  LabelIndexOptions with_background;
  with_background.background.reset();
  const FakeCases cases({{shape, index_of(map, shape, with_background)}});
  const auto sampler = balanced_sampler({4}, options);
  std::vector<std::int64_t> counts(2);
  for (int i = 0; i < 20'000; ++i) {
    const Draw draw = sampler->draw(cases, place_of(i));
    ASSERT_TRUE(draw.label);
    ++counts[*draw.label == 0 ? 1 : 0];
    EXPECT_EQ(map[static_cast<std::size_t>(draw.center[0])], *draw.label);
  }
  EXPECT_LE(chi_squared(counts, {1, 3}), chi_limit(2));
  // With `classes`, what is not of them is negative.
  options.classes = {1};
  options.foreground = 0;
  std::set<std::int64_t> labels;
  for (int i = 0; i < 2000; ++i) {
    labels.insert(*balanced_sampler({4}, options)->draw(cases, place_of(i)).label);
  }
  EXPECT_EQ(labels, (std::set<std::int64_t>{0, 2}));
  const FakeCases without({{shape, index_of(map, shape)}});
  EXPECT_THROW(sampler->draw(without, place_of(1)), Error);
}

TEST(BalancedSampler, JoinedClassesAreDrawnFromWhereThereAreSome) {
  const Shape shape{40};
  const auto map = map_with(shape, {{{5}, 1}, {{6}, 2}, {{20}, 3}});
  LabelIndexOptions joined;
  joined.joined = {{1, 2, 3}, {2, 3}};
  const FakeCases cases({{shape, index_of(map, shape, joined)}});
  BalancedOptions options;
  options.foreground = 1;
  const auto sampler = balanced_sampler({4}, options);
  std::map<std::int64_t, std::set<std::int64_t>> centers;
  std::vector<std::int64_t> counts(2);
  for (int i = 0; i < 10'000; ++i) {
    const Draw draw = sampler->draw(cases, place_of(i));
    centers[*draw.label].insert(draw.center[0]);
    ++counts[*draw.label == 1 ? 0 : 1];
  }
  EXPECT_EQ(centers[1], (std::set<std::int64_t>{5, 6, 20}));
  EXPECT_EQ(centers[2], (std::set<std::int64_t>{6, 20}));
  EXPECT_LE(chi_squared(counts, {1, 1}), chi_limit(2));
}

TEST(BalancedSampler, ClassFirstTellsJoinedClassesOfOneFirstLabelApart) {
  const Shape shape{40};
  const auto map = map_with(shape, {{{5}, 1}, {{6}, 2}, {{20}, 3}});
  LabelIndexOptions joined;
  joined.joined = {{1, 2, 3}, {2, 3}, {2}};  // as KiTS: kidney and masses, masses, tumour
  const FakeCases cases({{shape, index_of(map, shape, joined)}});
  BalancedOptions options;
  options.foreground = 1;
  options.class_first = true;
  const auto sampler = balanced_sampler({4}, options);
  std::vector<std::int64_t> counts(3);
  const auto bound = sampler->bound(cases);
  for (int i = 0; i < 9'000; ++i) {
    const std::int64_t center = bound->draw(cases, place_of(i)).center.at(0);
    ++counts[center == 5 ? 0 : center == 6 ? 1 : 2];
  }
  // Thirds of the samples: one of three voxels, one of two, the one of the tumour.
  EXPECT_LE(chi_squared(counts, {2.0 / 18, 11.0 / 18, 5.0 / 18}), chi_limit(3));
}

TEST(BalancedSampler, RegionsOfOneLabelThatAreListedAreDrawn) {
  const Shape shape{40};
  // nnU-Net's regions of BraTS: whole tumour, core, and enhancing tumour, which is one label.
  const std::vector<LabelIndex::Listed> lists = {
      {{1, 2, 3}, {5, 6, 20}}, {{2, 3}, {6, 20}}, {{3}, {20}}};
  const auto index = std::make_shared<const LabelIndex>(LabelIndex::from_lists(shape, lists));
  const FakeCases cases({{shape, index}});
  BalancedOptions options;
  options.foreground = 1;
  const auto sampler = balanced_sampler({4}, options);
  std::vector<std::int64_t> counts(3);
  for (int i = 0; i < 9'000; ++i) {
    ++counts[static_cast<std::size_t>(*sampler->draw(cases, place_of(i)).label - 1)];
  }
  EXPECT_LE(chi_squared(counts, {1, 1, 1}), chi_limit(3));
}

TEST(BalancedSampler, AClassWithoutPositionsIsAnErrorAndNotLeftOut) {
  const Shape shape{40};
  const auto map = map_with(shape, {{{5}, 1}, {{6}, 2}});
  const FakeCases cases({{shape, index_of(map, shape)}});  // of 0, the count alone
  BalancedOptions options;
  options.foreground = 1;
  options.classes = {0, 1};
  for (const bool class_first : {false, true}) {
    options.class_first = class_first;
    const auto sampler = balanced_sampler({4}, options);
    EXPECT_THROW(static_cast<void>(sampler->draw(cases, place_of(0))), Error) << class_first;
  }
  options.class_first = false;
  options.class_weights = {0, 1};  // which draws none of 0
  EXPECT_EQ(balanced_sampler({4}, options)->draw(cases, place_of(0)).label, 1);
}

TEST(BalancedSampler, OthersAreAnnotatedVoxels) {
  const Shape shape{40};
  const std::vector<LabelIndex::Listed> lists = {
      {{1}, {5}}, {{2}, {6}}, {{-1, 1, 2}, {5, 6, 30, 31}}};
  const auto index = std::make_shared<const LabelIndex>(LabelIndex::from_lists(shape, lists));
  const FakeCases cases({{shape, index}});
  BalancedOptions options;
  options.foreground = 0.5;
  options.others = {-1, 1, 2};
  const auto sampler = balanced_sampler({4}, options);
  std::set<std::int64_t> forced;
  std::set<std::int64_t> others;
  for (int i = 0; i < 1000; ++i) {
    const Draw draw = sampler->draw(cases, place_of(i));
    (draw.label ? forced : others).insert(draw.center.at(0));
  }
  EXPECT_EQ(forced, (std::set<std::int64_t>{5, 6}));
  EXPECT_EQ(others, (std::set<std::int64_t>{5, 6, 30, 31}));
}

TEST(BalancedSampler, LabelsWithAChannelAxis) {
  const Shape shape{1, 10, 12};
  const FakeCases cases({{{10, 12}, index_of(map_with(shape, {{{0, 7, 3}, 1}}), shape)}});
  BalancedOptions options;
  options.foreground = 1;
  const Draw draw = balanced_sampler({4, 4}, options)->draw(cases, place_of(0));
  EXPECT_EQ(draw.center, (Shape{7, 3}));
  const FakeCases other({{{10, 13}, index_of(map_with(shape, {{{0, 7, 3}, 1}}), shape)}});
  EXPECT_THROW(balanced_sampler({4, 4}, options)->draw(other, place_of(0)), Error);
}

TEST(GridSampler, CoversEveryVoxelOnceAndEndsAtTheEnd) {
  const FakeCases cases({{{10, 7}}, {{4, 4}}, {{3, 9}}, {{13, 4}}});
  for (const Shape& overlap : {Shape{}, Shape{1, 2}, Shape{3, 3}}) {
    GridOptions options;
    options.overlap = overlap;
    const auto given = grid_sampler({4, 4}, options);
    const auto sampler = given->bound(cases);
    const std::int64_t length = *sampler->length(cases);
    EXPECT_EQ(length, *given->length(cases));
    std::vector<std::set<Shape>> starts(4);
    std::vector<std::set<Shape>> covered(4);
    for (std::int64_t i = 0; i < length; ++i) {
      const Draw draw = sampler->draw(cases, place_of(i));
      expect_same(draw, given->draw(cases, place_of(i)));
      const auto c = static_cast<std::size_t>(draw.case_index);
      EXPECT_TRUE(starts[c].insert(draw.box.start).second);
      const Shape shape = cases.shape(draw.case_index);
      for (std::int64_t y = draw.box.start[0]; y < draw.box.stop[0]; ++y) {
        for (std::int64_t x = draw.box.start[1]; x < draw.box.stop[1]; ++x) {
          if (y >= 0 && y < shape[0] && x >= 0 && x < shape[1]) covered[c].insert({y, x});
        }
      }
      for (std::size_t a = 0; a < 2; ++a) {
        if (shape[a] >= 4) {
          EXPECT_TRUE(draw.box.start[a] >= 0 && draw.box.stop[a] <= shape[a]);
        }
      }
    }
    for (std::int64_t c = 0; c < 4; ++c) {
      EXPECT_EQ(static_cast<std::int64_t>(covered[static_cast<std::size_t>(c)].size()),
                element_count(cases.shape(c)));
    }
    if (overlap.empty()) {
      EXPECT_EQ(length, 3 * 2 + 1 + 3 + 4);
    }
  }
  GridOptions options;
  options.overlap = {4, 0};
  EXPECT_THROW(grid_sampler({4, 4}, options), Error);
}

TEST(ListedSampler, InOrderOrAPermutationOfEachEpoch) {
  const FakeCases cases({{{100}}, {{100}}});
  for (const std::int64_t count : {1, 2, 3, 16, 17, 100}) {
    std::vector<ListedBox> boxes;
    for (std::int64_t i = 0; i < count; ++i) boxes.push_back({i % 2, {i - 3}});
    const auto plain = listed_sampler({4}, boxes);
    const auto shuffled = listed_sampler({4}, boxes, true);
    EXPECT_EQ(plain->length(cases), count);
    std::vector<std::vector<std::int64_t>> orders;
    for (int epoch = 0; epoch < 2; ++epoch) {
      std::vector<std::int64_t> order;
      for (std::int64_t i = 0; i < count; ++i) {
        EXPECT_EQ(plain->draw(cases, place_of(i)).box.start[0], i - 3);
        DrawPlace place = place_of(i);
        place.epoch = epoch;
        order.push_back(shuffled->draw(cases, place).box.start[0]);
      }
      orders.push_back(order);
      EXPECT_EQ(std::set(order.begin(), order.end()).size(), static_cast<std::size_t>(count));
    }
    if (count > 10) {
      EXPECT_NE(orders[0], orders[1]);
    }
  }
  EXPECT_THROW(listed_sampler({4}, {}), Error);
  EXPECT_THROW(listed_sampler({4}, {{2, {0}}})->bound(cases), Error);
  EXPECT_THROW(listed_sampler({4}, {{0, {0, 0}}}), Error);
}

TEST(Samplers, ADrawDependsOnItsPlaceAlone) {
  const Shape shape{12, 12};
  const auto map = map_with(shape, {{{4, 4}, 1}, {{9, 2}, 2}});
  const FakeCases cases({{shape, index_of(map, shape)}, {shape, index_of(map, shape)}});
  for (const auto& sampler :
       {uniform_sampler({4, 4}), balanced_sampler({4, 4}), grid_sampler({4, 4})}) {
    std::vector<Draw> forward;
    for (int i = 0; i < 18; ++i) forward.push_back(sampler->draw(cases, place_of(i)));
    for (int i = 17; i >= 0; --i) {
      expect_same(forward[static_cast<std::size_t>(i)], sampler->draw(cases, place_of(i)));
    }
    std::set<std::uint64_t> seeds;
    for (const Draw& draw : forward) seeds.insert(draw.seed);
    EXPECT_EQ(seeds.size(), forward.size());
    DrawPlace again = place_of(3);
    again.attempt = 1;
    EXPECT_NE(sampler->draw(cases, again).seed, forward[3].seed);
  }
  EXPECT_THROW(uniform_sampler({0, 4}), Error);
  EXPECT_THROW(uniform_sampler({4})->draw(cases, place_of(0)), Error);
}

}  // namespace
}  // namespace mlarray::training::test
