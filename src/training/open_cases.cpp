#include "training/open_cases.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

#include "base/text.hpp"
#include "mlarray/error.hpp"
#include "training/stopwatch.hpp"

namespace mlarray::training {
namespace {

constexpr std::int64_t kIndexBytes = std::int64_t{32} << 20;
constexpr std::size_t kMostWarnings = 100;

// Of a file with one axis more than the space has.
int channel_axis(const Metadata& metadata, std::size_t ndim) {
  if (const auto* labels = metadata.get("spatial", "axis_labels").get_if<List>()) {
    const std::optional<int> axis = channel_axis_of(*labels);
    if (axis && static_cast<std::size_t>(*axis) < ndim) return *axis;
  }
  return 0;
}

bool is_set(const Metadata& metadata, const char* field) {
  return !metadata.get("spatial", field).is_none();
}

// What a file says of its grid.
struct Grid {
  bool has_spacing = false;
  bool has_place = false;  // origin or direction, too
  Matrix affine;
};

Grid grid_of(const Metadata& metadata, int axes) {
  Grid grid;
  const bool affine = is_set(metadata, "affine");
  grid.has_spacing = affine || is_set(metadata, "spacing");
  grid.has_place = affine || is_set(metadata, "origin") || is_set(metadata, "direction");
  grid.affine = metadata.affine(axes);
  return grid;
}

std::string text_of(const std::vector<double>& numbers) {
  std::string text = "(";
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    text += (i == 0 ? "" : ", ") + base::float_repr(numbers[i]);
  }
  return text + (numbers.size() == 1 ? ",)" : ")");
}

std::string text_of(const Matrix& matrix) {
  std::string text = "[";
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    text += (i == 0 ? "" : ", ") + text_of(matrix[i]);
  }
  return text + "]";
}

double value_of(const Metadata& metadata, const char* field, const std::string& path) {
  const std::optional<double> number = metadata.get("stats", field).number();
  if (number) return *number;
  throw Error(ErrorKind::invalid_value,
              "'" + path + "' has no stats." + field +
                  ", which the normalisation asks for; save it with statistics, or give "
                  "constants",
              path);
}

[[noreturn]] void fail_grids(const OpenFile& a, const OpenFile& b, const std::string& what) {
  throw Error(ErrorKind::invalid_value,
              "'" + a.path + "' and '" + b.path + "' have different grids: " + what +
                  "; resample one to the other",
              b.path);
}

bool is_near(double a, double b, double step) {
  return std::abs(a - b) <= 1e-3 * step + 1e-5 * std::abs(a);
}

// Errors: invalid_value where both say what does not agree.
void check_agree(const OpenFile& a, const Grid& of_a, const OpenFile& b, const Grid& of_b) {
  if (!of_a.has_spacing || !of_b.has_spacing) return;
  const std::vector<double> spacing = affine_scale(of_a.affine);
  const std::vector<double> other = affine_scale(of_b.affine);
  for (std::size_t i = 0; i < spacing.size(); ++i) {
    if (is_near(spacing[i], other[i], spacing[i])) continue;
    fail_grids(a, b, "a spacing of " + text_of(spacing) + " and of " + text_of(other));
  }
  if (!of_a.has_place || !of_b.has_place) return;
  const double step = *std::min_element(spacing.begin(), spacing.end());
  for (std::size_t i = 0; i < of_a.affine.size(); ++i) {
    for (std::size_t j = 0; j < of_a.affine[i].size(); ++j) {
      if (is_near(of_a.affine[i][j], of_b.affine[i][j], step)) continue;
      fail_grids(a, b,
                 "an affine of " + text_of(of_a.affine) + " and of " + text_of(of_b.affine));
    }
  }
}

double& open_seconds() {
  static thread_local double seconds = 0;
  return seconds;
}

Shape spatial_shape(const OpenFile& file) {
  Shape shape = file.array.shape();
  if (file.channel_axis >= 0) shape.erase(shape.begin() + file.channel_axis);
  return shape;
}

}  // namespace

OpenCases::OpenCases(const CaseSource& next, const LoaderOptions& options)
    : table_(next),
      axes_(options.patch.size()),
      stats_(options.normalization.from == Normalization::From::stats),
      has_labels_(table_.has_labels()),
      clip_(options.normalization.clip),
      index_cache_(options.index_cache),
      index_(options.index),
      cases_(std::max(options.open_cases, 1)),
      indexes_(kIndexBytes),
      given_(options.indexes) {
  open_.threads = 1;
  open_.verify = options.verify;
  if (!given_.empty() && static_cast<std::int64_t>(given_.size()) != table_.count()) {
    throw Error(ErrorKind::invalid_value,
                std::to_string(given_.size()) + " label indexes for " +
                    std::to_string(table_.count()) + " cases; give one for each, or null");
  }
}

OpenFile OpenCases::open_file(const std::filesystem::path& path, bool stats) const {
  OpenFile file{Array::open(path, open_), {}, {}, -1, 1, 1, {}};
  file.dtype = file.array.dtype();
  file.path = file.array.path();
  const Shape shape = file.array.shape();
  const Metadata metadata = file.array.metadata();
  if (shape.size() == axes_ + 1) {
    file.channel_axis = channel_axis(metadata, shape.size());
    file.channels = shape[static_cast<std::size_t>(file.channel_axis)];
  } else if (shape.size() != axes_) {
    throw Error(ErrorKind::invalid_value,
                "'" + file.path + "' has shape " + to_string(shape) + ", but the patch has " +
                    std::to_string(axes_) +
                    " axes; a file has these, or one more for its channels",
                file.path);
  }
  const Shape block = file.array.block_shape();
  file.block_length = std::max<std::int64_t>(block[file.channel_axis == 0 ? 1 : 0], 1);
  if (stats && stats_) {
    file.stats.mean = value_of(metadata, "mean", file.path);
    file.stats.std = value_of(metadata, "std", file.path);
    if (clip_) {
      file.stats.low = value_of(metadata, "percentile_min", file.path);
      file.stats.high = value_of(metadata, "percentile_max", file.path);
    }
  }
  return file;
}

FileGroup OpenCases::open_group(const std::vector<std::filesystem::path>& paths,
                                bool stats) const {
  FileGroup group;
  group.files.reserve(paths.size());
  for (const std::filesystem::path& path : paths) {
    group.files.push_back(open_file(path, stats));
    group.channels += group.files.back().channels;
  }
  return group;
}

void OpenCases::check_grids(const OpenCase& one) const {
  const OpenFile& first = one.image.files.front();
  const auto axes = static_cast<int>(axes_);
  const Grid grid = grid_of(first.array.metadata(), axes);
  const auto check = [&](const FileGroup& group) {
    for (const OpenFile& file : group.files) {
      if (&file == &first) continue;
      const Shape shape = spatial_shape(file);
      if (shape != one.shape) {
        fail_grids(first, file,
                   "a shape of " + to_string(one.shape) + " and of " + to_string(shape));
      }
      check_agree(first, grid, file, grid_of(file.array.metadata(), axes));
    }
  };
  check(one.image);
  check(one.label);
  for (const FileGroup& group : one.extra) check(group);
}

std::shared_ptr<const OpenCase> OpenCases::open_now(std::int64_t i) const {
  const Case files = table_.at(i);
  auto one = std::make_shared<OpenCase>();
  one->index = i;
  one->name = files.name;
  one->class_locations = files.class_locations;
  one->image = open_group(files.image, true);
  one->label = open_group(files.label, false);
  for (const auto& [name, paths] : files.extra) one->extra.push_back(open_group(paths, false));
  one->shape = spatial_shape(one->image.files.front());
  for (const std::int64_t n : one->shape) {
    if (n > 0) continue;
    const std::string& path = one->image.files.front().path;
    throw Error(ErrorKind::invalid_value,
                "'" + path + "' has shape " + to_string(one->shape) + ", and so no voxels",
                path);
  }
  check_grids(*one);
  one->affine = one->image.files.front().array.metadata().affine(static_cast<int>(axes_));
  return one;
}

double OpenCases::take_open_seconds() { return std::exchange(open_seconds(), 0); }

std::shared_ptr<const OpenCase> OpenCases::open_naming(std::int64_t i) const {
  return naming_case(*this, i, [&] {
    try {
      return open_now(i);
    } catch (const Error& error) {
      // The process may have no more files open: then fewer are kept.
      if (error.system_error() != EMFILE && error.system_error() != ENFILE) throw;
      cases_.clear();
      return open_now(i);
    }
  });
}

std::shared_ptr<const OpenCase> OpenCases::open(std::int64_t i) const {
  const auto make = [&] {
    const TimedScope timed(open_seconds());
    return open_naming(i);
  };
  return cases_.get(i, make, [](const OpenCase&) { return std::int64_t{1}; });
}

Shape OpenCases::shape(std::int64_t i) const { return open(i)->shape; }

std::shared_ptr<const LabelIndex> OpenCases::labels(std::int64_t i) const {
  {
    const std::scoped_lock lock(mutex_);
    const auto it = rebuilt_.find(i);
    if (it != rebuilt_.end()) return it->second;
  }
  if (!given_.empty() && given_[static_cast<std::size_t>(i)] != nullptr) {
    return given_[static_cast<std::size_t>(i)];
  }
  const auto make = [&] {
    const std::shared_ptr<const OpenCase> one = open(i);
    const TimedScope timed(open_seconds());
    return naming_case(*this, i, [&] {
      const Array& labels = one->label.files.front().array;
      if (one->class_locations.empty()) {
        return std::make_shared<const LabelIndex>(label_index_of(labels, index_cache_, index_));
      }
      // A converted map holds what the .pkl lists.
      std::optional<LabelIndex> stored = LabelIndex::of(labels);
      return std::make_shared<const LabelIndex>(
          stored && stored->listed()
              ? std::move(*stored)
              : nnunet_class_locations(one->class_locations, labels.shape(), index_cache_));
    });
  };
  if (!has_labels_) return nullptr;
  return indexes_.get(i, make, [](const LabelIndex& index) {
    return static_cast<std::int64_t>(index.memory());
  });
}

void OpenCases::rebuild_labels(std::int64_t i, const std::shared_ptr<const LabelIndex>& stale,
                               std::int64_t label) const {
  const auto is_done = [&] {
    const auto it = rebuilt_.find(i);
    return it != rebuilt_.end() && it->second != stale;
  };
  {
    const std::scoped_lock lock(mutex_);
    if (is_done()) return;
  }
  const std::shared_ptr<const OpenCase> one = open(i);
  auto built = naming_case(*this, i, [&] {
    return std::make_shared<const LabelIndex>(
        LabelIndex::build(one->label.files.front().array, index_));
  });
  if (built->bytes() == stale->bytes()) {  // it would be made again and again
    throw Error(ErrorKind::corruption,
                "a voxel of label " + std::to_string(label) +
                    " is read as another one, though the label index is of these voxels; set "
                    "label_type to one that holds all labels");
  }
  {
    const std::scoped_lock lock(mutex_);
    if (!is_done()) rebuilt_[i] = std::move(built);
  }
  warn("case '" + one->name + "': the label index is stale: the voxels of '" +
       one->label.files.front().path +
       "' are others than those that it was made of; it was made anew for now, and `mlarray "
       "index` stores it");
}

void OpenCases::warn(const std::string& text) const {
  const std::scoped_lock lock(mutex_);
  if (told_.size() >= kMostWarnings || !told_.insert(text).second) return;
  warnings_.push_back(text);
  if (told_.size() == kMostWarnings) {
    warnings_.emplace_back("there are more warnings; these were the first " +
                           std::to_string(kMostWarnings));
  }
}

std::vector<std::string> OpenCases::take_warnings() const {
  const std::scoped_lock lock(mutex_);
  return std::exchange(warnings_, {});
}

void OpenCases::skip(std::int64_t i, const std::string& error) const {
  const std::scoped_lock lock(mutex_);
  if (skipped_cases_.insert(i).second) skipped_.push_back({i, error});
}

std::vector<SkippedCase> OpenCases::skipped() const {
  const std::scoped_lock lock(mutex_);
  std::vector<SkippedCase> sorted = skipped_;
  std::sort(sorted.begin(), sorted.end(), [](const SkippedCase& a, const SkippedCase& b) {
    return a.case_index < b.case_index;
  });
  return sorted;
}

}  // namespace mlarray::training
