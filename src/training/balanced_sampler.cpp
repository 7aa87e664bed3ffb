// Draws around voxels of a class.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "mlarray/error.hpp"
#include "mlarray/training/sampler.hpp"
#include "training/alias_table.hpp"
#include "training/placing.hpp"

namespace mlarray::training {
namespace {

// Of the classes of an index, where those that stand for more than one label begin: behind the
// ascending labels.
std::size_t first_joined(std::span<const LabelClass> classes) {
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const bool ascending = i == 0 || classes[i].labels.front() > classes[i - 1].labels.front();
    if (classes[i].labels.size() != 1 || !ascending) return i;
  }
  return classes.size();
}

// A voxel of the index without the axis that the image's grid does not have: its channels.
void drop_channel(Shape& voxel, const Shape& labels, const Shape& image,
                  std::optional<int> known, const std::string& name) {
  const auto drop = [&](std::size_t channel) {
    Shape rest = labels;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(channel));
    if (rest != image) return false;
    voxel.erase(voxel.begin() + static_cast<std::ptrdiff_t>(channel));
    return true;
  };
  const std::size_t axes = labels.size();
  if (known && static_cast<std::size_t>(*known) < axes) {
    if (drop(static_cast<std::size_t>(*known))) return;
  } else {
    for (std::size_t channel = 0; channel < axes; ++channel) {
      if (drop(channel)) return;
    }
  }
  throw Error(ErrorKind::invalid_value,
              "case " + base::quote(name) + ": its label index is of a map of shape " +
                  to_string(labels) + ", but the image's is " + to_string(image) +
                  "; build the index of this label map");
}

// Where the classes begin that are drawn from if none are named: of a map that was indexed, the
// joined ones; of lists, as nnU-Net's, all, because what is listed is what was asked for: a
// region of one label stands among the single ones.
std::size_t first_asked(const LabelIndex& index) {
  return index.listed() ? 0 : first_joined(index.classes());
}

// Which of the cases have a class, so that the class is drawn first.
struct CasesOfClass {
  std::vector<std::int64_t> labels;
  std::vector<std::int64_t> cases;
  AliasTable weights;  // empty: all the same
};

struct ClassTable {
  std::vector<CasesOfClass> classes;
  AliasTable weights;
};

class BalancedSampler final : public Sampler {
 public:
  BalancedSampler(const Shape& patch, BalancedOptions options)
      : options_(std::move(options)), placing_(patch, options_.border, options_.pad) {
    const BalancedOptions& o = options_;
    if (!(o.foreground >= 0 && o.foreground <= 1)) {
      throw Error(
          ErrorKind::invalid_value,
          "a share of foreground of " + base::float_repr(o.foreground) + "; it is 0 to 1");
    }
    if (!o.class_weights.empty() && o.class_weights.size() != o.classes.size()) {
      throw Error(ErrorKind::invalid_value, std::to_string(o.class_weights.size()) +
                                                " class_weights for " +
                                                std::to_string(o.classes.size()) +
                                                " classes; give one for each, or none");
    }
    if (o.negatives && !o.others.empty()) {
      throw Error(ErrorKind::invalid_use,
                  "negatives and others both say where the other samples are; give one");
    }
    if (!o.class_weights.empty()) AliasTable(o.class_weights, "class_weights");  // its errors
    if (!o.case_weights.empty()) case_weights_ = {o.case_weights, "case_weights"};
  }

  Draw draw(const CaseInfo& cases, const DrawPlace& place) const override {
    check_case_weights(case_weights_.size(), cases);
    if (options_.class_first && table_ == nullptr && is_forced_possible()) {
      return bound(cases)->draw(cases, place);
    }
    Random random = random_of(place);
    Draw draw = draw_at(place, random);
    const bool forced = is_forced(place, random);
    if (forced && options_.class_first) {
      if (draw_class_first(cases, random, draw)) return draw;
    } else {
      draw.case_index = draw_case(cases, random);
      if (forced) {
        if (draw_foreground(cases, random, draw)) return draw;
      } else if (options_.negatives || !options_.others.empty()) {
        if (draw_other(cases, random, draw)) return draw;
      }
    }
    draw.box = placing_.anywhere(cases.shape(draw.case_index), random);
    return draw;
  }

  std::shared_ptr<const Sampler> bound(const CaseInfo& cases) const override {
    check_case_weights(case_weights_.size(), cases);
    if (!options_.class_first || table_ != nullptr) return nullptr;
    auto copy = std::make_shared<BalancedSampler>(*this);
    copy->table_ = make_table(cases);
    return copy;
  }

 private:
  bool is_forced_possible() const { return options_.foreground > 0; }

  bool is_forced(const DrawPlace& place, Random& random) const {
    if (options_.forced == Forced::probability) return random.chance(options_.foreground);
    const double first =
        std::nearbyint(static_cast<double>(place.batch) * (1 - options_.foreground));
    return static_cast<double>(place.in_batch) >= first;
  }

  std::int64_t draw_case(const CaseInfo& cases, Random& random) const {
    if (!case_weights_.empty()) return case_weights_.draw(random);
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(cases.count())));
  }

  bool is_others(const LabelClass& one) const {
    return !options_.others.empty() && one.labels == options_.others;
  }

  // Those that a case's samples are drawn from: where in the index, and how much they weigh.
  // Errors: invalid_value for one that has voxels, of which no positions are kept.
  void eligible(const CaseInfo& cases, std::int64_t case_index, const LabelIndex& index,
                std::vector<std::size_t>& which, std::vector<double>& weights) const {
    which.clear();
    weights.clear();
    const std::span<const LabelClass> classes = index.classes();
    if (!options_.classes.empty()) {
      for (std::size_t i = 0; i < options_.classes.size(); ++i) {
        const std::int64_t at = index.find(options_.classes[i]);
        if (at < 0) continue;
        if (classes[static_cast<std::size_t>(at)].positions == 0) {
          if (!options_.class_weights.empty() && options_.class_weights[i] <= 0) continue;
          throw Error(ErrorKind::invalid_value,
                      "case " + base::quote(cases.name(case_index)) +
                          ": its label index has no positions of the class " +
                          std::to_string(options_.classes[i]) +
                          ", which is to be drawn; build it without a background, and with "
                          "`positions` of 1 or more");
        }
        which.push_back(static_cast<std::size_t>(at));
        if (!options_.class_weights.empty()) weights.push_back(options_.class_weights[i]);
      }
      return;
    }
    std::size_t first = first_asked(index);
    // Others that are the only joined class leave the single labels to draw from.
    const bool joined =
        std::any_of(classes.begin() + static_cast<std::ptrdiff_t>(first), classes.end(),
                    [&](const LabelClass& one) { return !is_others(one); });
    if (!joined) first = 0;
    std::size_t left_out = classes.size();
    for (std::size_t i = first; i < classes.size(); ++i) {
      if (classes[i].positions == 0) continue;
      if (is_others(classes[i])) {
        left_out = i;
      } else if (classes[i].labels.size() > 1 || classes[i].labels.front() > 0) {
        which.push_back(i);
      }
    }
    if (which.empty() && left_out < classes.size()) which.push_back(left_out);
  }

  static std::size_t choose(const std::vector<std::size_t>& which,
                            const std::vector<double>& weights, Random& random) {
    if (weights.empty()) return which[static_cast<std::size_t>(random.below(which.size()))];
    double sum = 0;
    for (const double weight : weights) sum += weight;
    double at = random.uniform() * sum;
    std::size_t last = which.size();  // the last one that weighs something
    for (std::size_t i = 0; i < which.size(); ++i) {
      if (weights[i] <= 0) continue;
      last = i;
      at -= weights[i];
      if (at < 0) break;
    }
    return which[last];
  }

  void put_around(const CaseInfo& cases, const LabelIndex& index, std::size_t which,
                  Random& random, Draw& draw) const {
    const Shape image = cases.shape(draw.case_index);
    draw.center = index.draw(which, random);
    if (index.shape() != image) {
      drop_channel(draw.center, index.shape(), image, cases.label_channel_axis(draw.case_index),
                   cases.name(draw.case_index));
    }
    draw.box = placing_.around(image, draw.center);
  }

  std::string classes_text() const {
    if (options_.classes.empty()) return "no foreground";
    std::string text = "none of the classes ";
    for (std::size_t i = 0; i < options_.classes.size(); ++i) {
      text += (i == 0 ? "" : ", ") + std::to_string(options_.classes[i]);
    }
    return text;
  }

  void warn_absent(const CaseInfo& cases, std::int64_t i, bool has_labels) const {
    cases.warn("case " + base::quote(cases.name(i)) + " has " +
               (has_labels ? classes_text() : "no labels, and so " + classes_text()) +
               ": its samples are put anywhere in it");
  }

  bool draw_foreground(const CaseInfo& cases, Random& random, Draw& draw) const {
    const std::shared_ptr<const LabelIndex> index = cases.labels(draw.case_index);
    thread_local std::vector<std::size_t> which;
    thread_local std::vector<double> weights;
    if (index != nullptr) eligible(cases, draw.case_index, *index, which, weights);
    const bool weightless = !weights.empty() && std::all_of(weights.begin(), weights.end(),
                                                            [](double w) { return w <= 0; });
    if (index == nullptr || which.empty() || weightless) {
      warn_absent(cases, draw.case_index, index != nullptr);
      return false;
    }
    const std::size_t chosen = choose(which, weights, random);
    draw.label = index->classes()[chosen].labels.front();
    put_around(cases, *index, chosen, random, draw);
    return true;
  }

  bool draw_other(const CaseInfo& cases, Random& random, Draw& draw) const {
    const std::shared_ptr<const LabelIndex> index = cases.labels(draw.case_index);
    if (index == nullptr) return false;
    const std::span<const LabelClass> classes = index->classes();
    if (!options_.others.empty()) {
      for (std::size_t i = 0; i < classes.size(); ++i) {
        if (!is_others(classes[i]) || classes[i].positions == 0) continue;
        put_around(cases, *index, i, random, draw);
        return true;
      }
      cases.warn("case " + base::quote(cases.name(draw.case_index)) +
                 " has no voxels of the other samples' labels: they are put anywhere in it");
      return false;
    }
    return draw_negative(cases, *index, random, draw);
  }

  // All single labels that are not drawn from are one class, by their counts.
  bool draw_negative(const CaseInfo& cases, const LabelIndex& index, Random& random,
                     Draw& draw) const {
    thread_local std::vector<std::size_t> drawn;
    thread_local std::vector<double> weights;
    eligible(cases, draw.case_index, index, drawn, weights);
    const std::span<const LabelClass> classes = index.classes();
    const auto is_drawn = [&](std::int64_t label) {
      return std::any_of(drawn.begin(), drawn.end(), [&](std::size_t i) {
        const std::vector<std::int64_t>& labels = classes[i].labels;
        return std::find(labels.begin(), labels.end(), label) != labels.end();
      });
    };
    std::vector<std::size_t> which;
    std::vector<double> counts;
    bool unlisted = false;
    for (std::size_t i = 0; i < first_joined(classes); ++i) {
      if (classes[i].count == 0 || is_drawn(classes[i].labels.front())) continue;
      if (classes[i].positions == 0) {
        unlisted = true;
        continue;
      }
      which.push_back(i);
      counts.push_back(static_cast<double>(classes[i].count));
    }
    if (unlisted) {
      throw Error(ErrorKind::invalid_value,
                  "case " + base::quote(cases.name(draw.case_index)) +
                      ": its label index has no positions of the background, which negatives "
                      "need; build it without a background");
    }
    if (which.empty()) {
      cases.warn("case " + base::quote(cases.name(draw.case_index)) +
                 " has no voxel outside the classes: its negatives are put anywhere in it");
      return false;
    }
    const std::size_t chosen = choose(which, counts, random);
    draw.label = classes[chosen].labels.front();
    put_around(cases, index, chosen, random, draw);
    return true;
  }

  std::shared_ptr<const ClassTable> make_table(const CaseInfo& cases) const {
    std::map<std::vector<std::int64_t>, std::vector<std::int64_t>> found;  // by labels
    std::vector<std::size_t> which;
    std::vector<double> weights;
    for (std::int64_t i = 0; i < cases.count(); ++i) {
      if (!options_.case_weights.empty() &&
          options_.case_weights[static_cast<std::size_t>(i)] <= 0) {
        continue;
      }
      const std::shared_ptr<const LabelIndex> index = cases.labels(i);
      if (index == nullptr) continue;
      eligible(cases, i, *index, which, weights);
      for (const std::size_t at : which) found[index->classes()[at].labels].push_back(i);
    }
    auto table = std::make_shared<ClassTable>();
    std::vector<double> class_weights;
    for (auto& [labels, of_class] : found) {
      double weight = 1;
      for (std::size_t i = 0; i < options_.class_weights.size(); ++i) {
        if (options_.classes[i] == labels.front()) weight = options_.class_weights[i];
      }
      if (weight <= 0) continue;
      class_weights.push_back(weight);
      CasesOfClass one{labels, std::move(of_class), {}};
      if (!options_.case_weights.empty()) {
        std::vector<double> of_cases;
        of_cases.reserve(one.cases.size());
        for (const std::int64_t i : one.cases) {
          of_cases.push_back(options_.case_weights[static_cast<std::size_t>(i)]);
        }
        one.weights = {of_cases, "case_weights"};
      }
      table->classes.push_back(std::move(one));
    }
    for (const std::int64_t label : options_.classes) {
      if (found.contains({label})) continue;
      cases.warn("no case has the class " + std::to_string(label) +
                 ": it is never drawn, the others as often as without it");
    }
    if (!table->classes.empty()) table->weights = {class_weights, "class_weights"};
    return table;
  }

  bool draw_class_first(const CaseInfo& cases, Random& random, Draw& draw) const {
    if (table_->classes.empty()) {
      cases.warn(options_.classes.empty()
                     ? "no case has a foreground class: samples are put anywhere"
                     : "no case has any of the classes: samples are put anywhere");
      draw.case_index = draw_case(cases, random);
      return false;
    }
    const CasesOfClass& one =
        table_->classes[static_cast<std::size_t>(table_->weights.draw(random))];
    const std::int64_t at = one.weights.empty()
                                ? static_cast<std::int64_t>(random.below(one.cases.size()))
                                : one.weights.draw(random);
    draw.case_index = one.cases[static_cast<std::size_t>(at)];
    const std::shared_ptr<const LabelIndex> index = cases.labels(draw.case_index);
    thread_local std::vector<std::size_t> which;
    thread_local std::vector<double> weights;
    which.clear();
    if (index != nullptr) eligible(cases, draw.case_index, *index, which, weights);
    for (const std::size_t i : which) {
      if (index == nullptr || index->classes()[i].labels != one.labels) continue;
      draw.label = one.labels.front();
      put_around(cases, *index, i, random, draw);
      return true;
    }
    warn_absent(cases, draw.case_index, index != nullptr);  // the labels have changed
    return false;
  }

  BalancedOptions options_;
  Placing placing_;
  AliasTable case_weights_;
  std::shared_ptr<const ClassTable> table_;
};

}  // namespace

std::shared_ptr<const Sampler> balanced_sampler(const Shape& patch,
                                                const BalancedOptions& options) {
  return std::make_shared<BalancedSampler>(patch, options);
}

}  // namespace mlarray::training
