#include "mlarray/training/label_index.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "mlarray/error.hpp"
#include "training/impl.hpp"

namespace mlarray::training {
namespace {

std::string name_of(const LabelClass& one) {
  std::string out = one.labels.size() == 1 ? "label " : "labels ";
  for (std::size_t i = 0; i < one.labels.size() && i < 8; ++i) {
    out += (i > 0 ? ", " : "") + std::to_string(one.labels[i]);
  }
  return one.labels.size() > 8 ? out + ", ..." : out;
}

// The numbers of listed voxels, ascending, each once.
std::vector<std::int64_t> numbers_of(const LabelIndex::Listed& listed, const Shape& shape) {
  const std::size_t axes = shape.size();
  const std::string name = "class of " + name_of({listed.labels, 0, 0});
  if (axes == 0 || listed.voxels.size() % axes != 0) {
    throw Error(ErrorKind::invalid_value,
                name + ": " + std::to_string(listed.voxels.size()) +
                    " numbers are no voxels of an array of " + std::to_string(axes) +
                    " axes; give one number for each axis of each voxel");
  }
  std::vector<std::int64_t> out;
  out.reserve(listed.voxels.size() / axes);
  for (std::size_t i = 0; i < listed.voxels.size(); i += axes) {
    std::int64_t number = 0;
    for (std::size_t axis = 0; axis < axes; ++axis) {
      const std::int64_t at = listed.voxels[i + axis];
      if (at < 0 || at >= shape[axis]) {
        const Shape voxel(listed.voxels.begin() + static_cast<std::ptrdiff_t>(i),
                          listed.voxels.begin() + static_cast<std::ptrdiff_t>(i + axes));
        throw Error(ErrorKind::out_of_bounds,
                    name + ": its voxel " + to_string(voxel) + " is outside the shape " +
                        to_string(shape) + "; are these the positions of another array?");
      }
      number = number * shape[axis] + at;
    }
    out.push_back(number);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace

void LabelIndex::Impl::finish() {
  for (std::size_t i = 0; i < singles; ++i) {
    if (classes[i].labels[0] != background) foreground += classes[i].count;
  }
}

LabelIndex::LabelIndex(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

LabelIndex LabelIndex::from_lists(const Shape& shape, std::span<const Listed> classes) {
  Impl out;
  out.shape = shape;
  out.voxels = element_count(shape);
  std::vector<std::pair<std::vector<std::int64_t>, const Listed*>> singles, joined;
  std::set<std::vector<std::int64_t>> seen;
  for (const Listed& listed : classes) {
    std::vector<std::int64_t> labels = listed.labels;
    std::sort(labels.begin(), labels.end());
    labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
    if (labels.empty() || !seen.insert(labels).second) {
      throw Error(ErrorKind::invalid_value,
                  labels.empty() ? "a listed class has no labels: give it one or more"
                                 : "the class of " + name_of({labels, 0, 0}) +
                                       " is listed twice: list each once");
    }
    (labels.size() == 1 ? singles : joined).emplace_back(std::move(labels), &listed);
  }
  std::sort(singles.begin(), singles.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto* const part : {&singles, &joined}) {
    for (auto& [labels, listed] : *part) {
      const std::vector<std::int64_t> numbers = numbers_of(*listed, shape);
      if (part == &joined) out.joined.push_back(labels);
      out.most_positions =
          std::max(out.most_positions, static_cast<std::int64_t>(numbers.size()));
      if (numbers.empty()) continue;
      if (part == &singles) ++out.singles;
      out.add(std::move(labels), static_cast<std::int64_t>(numbers.size()), numbers);
    }
  }
  out.finish();
  return Impl::make(std::move(out));
}

const Shape& LabelIndex::shape() const { return impl_->shape; }
std::span<const LabelClass> LabelIndex::classes() const { return impl_->classes; }
std::int64_t LabelIndex::foreground() const { return impl_->foreground; }
std::optional<std::int64_t> LabelIndex::background() const { return impl_->background; }

bool LabelIndex::listed() const {
  std::int64_t counted = 0;
  for (std::size_t i = 0; i < impl_->singles; ++i) counted += impl_->classes[i].count;
  return counted != impl_->voxels;
}

std::int64_t LabelIndex::find(std::int64_t label) const {
  const auto begin = impl_->classes.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(impl_->singles);
  const auto found = std::lower_bound(
      begin, end, label,
      [](const LabelClass& one, auto wanted) { return one.labels[0] < wanted; });
  return found != end && found->labels[0] == label ? found - begin : -1;
}

std::optional<Shape> LabelIndex::draw_label(std::int64_t label, Random& random) const {
  const std::int64_t which = find(label);
  if (which < 0) return std::nullopt;
  return draw(static_cast<std::size_t>(which), random);
}

Shape LabelIndex::draw(std::size_t which, Random& random) const {
  if (which >= impl_->classes.size()) {
    throw Error(ErrorKind::out_of_bounds, "class " + std::to_string(which) +
                                              " of an index of " +
                                              std::to_string(impl_->classes.size()));
  }
  const PackedPositions& positions = impl_->positions[which];
  if (positions.size() == 0) {
    throw Error(ErrorKind::invalid_value,
                "no positions are kept of " + name_of(impl_->classes[which]) +
                    ", so that none can be drawn: build the index with another background, or "
                    "with more positions");
  }
  return voxel(which, static_cast<std::int64_t>(
                          random.below(static_cast<std::uint64_t>(positions.size()))));
}

Shape LabelIndex::voxel(std::size_t which, std::int64_t position) const {
  if (which >= impl_->classes.size() || position < 0 ||
      position >= impl_->positions[which].size()) {
    throw Error(ErrorKind::out_of_bounds,
                "position " + std::to_string(position) + " of class " + std::to_string(which) +
                    ": the index has " + std::to_string(impl_->classes.size()) +
                    " classes, each with as many as it says");
  }
  std::int64_t number = impl_->positions[which].at(position);
  Shape out(impl_->shape.size());
  for (std::size_t axis = out.size(); axis-- > 0;) {
    out[axis] = number % impl_->shape[axis];
    number /= impl_->shape[axis];
  }
  return out;
}

std::size_t LabelIndex::memory() const {
  std::size_t out = sizeof(Impl);
  for (std::size_t i = 0; i < impl_->classes.size(); ++i) {
    out += sizeof(LabelClass) + impl_->classes[i].labels.size() * sizeof(std::int64_t) +
           sizeof(PackedPositions) + impl_->positions[i].memory();
  }
  return out;
}

}  // namespace mlarray::training
