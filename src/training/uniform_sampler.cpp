// Draws without regard to labels, and what all samplers have in common.
#include <memory>
#include <optional>
#include <string>

#include "mlarray/training/sampler.hpp"
#include "training/alias_table.hpp"
#include "training/placing.hpp"

namespace mlarray::training {

CaseInfo::~CaseInfo() = default;

std::optional<int> CaseInfo::label_channel_axis(std::int64_t) const { return std::nullopt; }

std::string CaseInfo::name(std::int64_t case_index) const { return std::to_string(case_index); }

Sampler::~Sampler() = default;

std::optional<std::int64_t> Sampler::length(const CaseInfo&) const { return std::nullopt; }

std::shared_ptr<const Sampler> Sampler::bound(const CaseInfo&) const { return nullptr; }

namespace {

class UniformSampler final : public Sampler {
 public:
  UniformSampler(const Shape& patch, const UniformOptions& options)
      : placing_(patch, options.border, options.pad) {
    if (!options.case_weights.empty()) weights_ = {options.case_weights, "case_weights"};
  }

  Draw draw(const CaseInfo& cases, const DrawPlace& place) const override {
    check_case_weights(weights_.size(), cases);
    Random random = random_of(place);
    Draw draw = draw_at(place, random);
    draw.case_index =
        weights_.empty()
            ? static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(cases.count())))
            : weights_.draw(random);
    draw.box = placing_.anywhere(cases.shape(draw.case_index), random);
    return draw;
  }

  std::shared_ptr<const Sampler> bound(const CaseInfo& cases) const override {
    check_case_weights(weights_.size(), cases);
    return nullptr;
  }

 private:
  Placing placing_;
  AliasTable weights_;
};

}  // namespace

std::shared_ptr<const Sampler> uniform_sampler(const Shape& patch,
                                               const UniformOptions& options) {
  return std::make_shared<UniformSampler>(patch, options);
}

}  // namespace mlarray::training
