// Samplers: opaque values that a loader is made with. python/mlarray/training/samplers.py has
// the classes.
#include "mlarray/training/sampler.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "training.hpp"
#include "words.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

using training::Border;
using training::Forced;

constexpr Word<Border> kBorders[] = {{"inside", Border::inside}, {"nnunet", Border::nnunet}};
constexpr Word<Forced> kForced[] = {{"probability", Forced::probability},
                                    {"last", Forced::last}};

HeldSampler uniform(const Shape& patch, std::vector<double> case_weights, nb::handle border,
                    Shape pad) {
  training::UniformOptions options;
  options.case_weights = std::move(case_weights);
  options.border = from_word(border, "border", kBorders);
  options.pad = std::move(pad);
  return {training::uniform_sampler(patch, options)};
}

HeldSampler balanced(const Shape& patch, double foreground, nb::handle forced,
                     std::vector<std::int64_t> classes, std::vector<double> class_weights,
                     std::vector<double> case_weights, bool class_first, bool negatives,
                     std::vector<std::int64_t> others, nb::handle border, Shape pad) {
  training::BalancedOptions options;
  options.foreground = foreground;
  options.forced = from_word(forced, "forced", kForced);
  options.classes = std::move(classes);
  options.class_weights = std::move(class_weights);
  options.case_weights = std::move(case_weights);
  options.class_first = class_first;
  options.negatives = negatives;
  options.others = std::move(others);
  options.border = from_word(border, "border", kBorders);
  options.pad = std::move(pad);
  return {training::balanced_sampler(patch, options)};
}

HeldSampler grid(const Shape& patch, Shape overlap) {
  return {training::grid_sampler(patch, {std::move(overlap)})};
}

HeldSampler listed(const Shape& patch, std::vector<std::pair<std::int64_t, Shape>> boxes,
                   bool shuffle) {
  std::vector<training::ListedBox> list;
  list.reserve(boxes.size());
  for (auto& [case_index, start] : boxes) list.push_back({case_index, std::move(start)});
  return {training::listed_sampler(patch, std::move(list), shuffle)};
}

}  // namespace

void register_samplers(nb::module_& module) {
  nb::class_<HeldSampler>(module, "Sampler", "Which box of which case comes next.");
  module.def("uniform_sampler", &uniform, "patch"_a, nb::kw_only(), "case_weights"_a,
             "border"_a.none(), "pad"_a);
  module.def("balanced_sampler", &balanced, "patch"_a, nb::kw_only(), "foreground"_a,
             "forced"_a.none(), "classes"_a, "class_weights"_a, "case_weights"_a,
             "class_first"_a, "negatives"_a, "others"_a, "border"_a.none(), "pad"_a);
  module.def("grid_sampler", &grid, "patch"_a, nb::kw_only(), "overlap"_a);
  module.def("listed_sampler", &listed, "patch"_a, "boxes"_a, nb::kw_only(), "shuffle"_a);
}

}  // namespace mlarray::bindings
