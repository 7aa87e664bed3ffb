#include "training/open_cases.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "mlarray/error.hpp"
#include "training/impl.hpp"
#include "training/stopwatch.hpp"

namespace mlarray::training {
namespace {

constexpr std::int64_t kIndexBytes = std::int64_t{32} << 20;
constexpr std::size_t kMostWarnings = 100;

std::int64_t memory_of(const LabelIndex& index) {
  return static_cast<std::int64_t>(index.memory());
}

bool is_set(const Metadata& metadata, const char* field) {
  return !metadata.get("spatial", field).is_none();
}

// Of a file with one axis more than the space has; -1: it says that all of them are of space.
int channel_axis(const Metadata& metadata, std::size_t ndim) {
  if (const auto* labels = metadata.get("spatial", "axis_labels").get_if<List>()) {
    const std::optional<int> axis = channel_axis_of(*labels);
    if (axis && static_cast<std::size_t>(*axis) < ndim) return *axis;
  }
  for (const char* field : {"spacing", "origin"}) {
    const auto* numbers = metadata.get("spatial", field).get_if<List>();
    if (numbers != nullptr && numbers->items.size() == ndim) return -1;
  }
  const auto* affine = metadata.get("spatial", "affine").get_if<List>();
  return affine != nullptr && affine->items.size() == ndim + 1 ? -1 : 0;
}

// The type in the byte order of this machine; of numbers of one part.
DType native(const DType& dtype) {
  constexpr bool kBig = std::endian::native == std::endian::big;
  const bool numbers = dtype.kind() == 'i' || dtype.kind() == 'u' || dtype.kind() == 'f';
  const std::int64_t bytes = dtype.itemsize();
  if (dtype.structured() || !numbers || bytes == 1 || bytes > 8 || dtype.big_endian() == kBig) {
    return dtype;
  }
  return DType::parse((kBig ? ">" : "<") + std::string(1, dtype.kind()) +
                      std::to_string(bytes));
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
  if (number && std::isfinite(*number) && (*number >= 0 || std::string_view(field) != "std")) {
    return *number;
  }
  if (number) {
    throw Error(ErrorKind::invalid_value,
                "'" + path + "' has the stats." + field + " " + base::float_repr(*number) +
                    ", by which no voxel can be normalised; compute its statistics anew, "
                    "without voxels that are no numbers, or give constants",
                path);
  }
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
  OpenFile file{Array::open(path, open_), {}, false, {}, -1, 1, 1, {}};
  file.dtype = native(file.array.dtype());
  file.swapped = file.dtype.big_endian() != file.array.dtype().big_endian();
  file.path = file.array.path();
  const Shape shape = file.array.shape();
  const Metadata metadata = file.array.metadata();
  if (shape.size() == axes_ + 1) {
    file.channel_axis = channel_axis(metadata, shape.size());
    if (file.channel_axis < 0) {
      throw Error(ErrorKind::invalid_value,
                  "'" + file.path + "' has shape " + to_string(shape) +
                      ", whose axes are all of space, as its spacing or affine says, but the "
                      "patch has " +
                      std::to_string(axes_) + " axes; give a patch of " +
                      std::to_string(shape.size()) +
                      " (slices have 1 along their axis: slice_axis), or name the axis of "
                      "channels in the metadata",
                  file.path);
    }
    file.channels = shape[static_cast<std::size_t>(file.channel_axis)];
    if (file.channels == 0) {
      throw Error(ErrorKind::invalid_value,
                  "'" + file.path + "' has shape " + to_string(shape) + ", and so no voxels",
                  file.path);
    }
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

bool OpenCases::is_stale(std::int64_t i) const {
  const std::scoped_lock lock(mutex_);
  return stale_.contains(i);
}

std::optional<int> OpenCases::label_channel_axis(std::int64_t i) const {
  const std::shared_ptr<const OpenCase> one = open(i);
  if (one->label.files.empty()) return std::nullopt;
  const int axis = one->label.files.front().channel_axis;
  return axis < 0 ? std::nullopt : std::optional(axis);
}

std::shared_ptr<const LabelIndex> OpenCases::found_labels(const OpenCase& one) const {
  if (!given_.empty() && given_[static_cast<std::size_t>(one.index)] != nullptr) {
    return given_[static_cast<std::size_t>(one.index)];
  }
  const Array& labels = one.label.files.front().array;
  if (one.class_locations.empty()) {
    bool built = false;
    auto found = std::make_shared<const LabelIndex>(
        LabelIndex::Impl::found_or_built(labels, index_cache_, index_, built));
    if (built && index_cache_.empty()) warn_of_making_again(one);
    return found;
  }
  // A converted map holds what the .pkl lists.
  if (std::optional<LabelIndex> stored = LabelIndex::of(labels); stored && stored->listed()) {
    return std::make_shared<const LabelIndex>(std::move(*stored));
  }
  auto listed = std::make_shared<const LabelIndex>(
      nnunet_class_locations(one.class_locations, labels.shape(), index_cache_));
  if (index_cache_.empty()) warn_of_making_again(one);
  return listed;
}

// After an index was made, which is kept nowhere but in memory, where there is room for some.
void OpenCases::warn_of_making_again(const OpenCase& one) const {
  {
    const std::scoped_lock lock(mutex_);
    made_.resize(static_cast<std::size_t>(table_.count()));
    const auto i = static_cast<std::size_t>(one.index);
    if (!made_[i]) {
      made_[i] = true;
      return;
    }
    if (std::exchange(told_of_making_again_, true)) return;
  }
  const bool listed = !one.class_locations.empty();
  warn("case '" + one.name + "': " +
       (listed ? "the classes that nnU-Net has listed are read from its .pkl"
               : "the label index is made of all its voxels") +
       " once more, because the indexes of all cases need more than " +
       std::to_string(kIndexBytes >> 20) +
       " MB; it is slow, and other cases follow: name a "
       "folder as index_cache" +
       (listed ? "" : ", or store the indexes by `mlarray index`"));
}

std::shared_ptr<const LabelIndex> OpenCases::labels(std::int64_t i) const {
  if (!has_labels_) return nullptr;
  table_.check_index(i);
  const bool stale = is_stale(i);
  if (!stale && !given_.empty() && given_[static_cast<std::size_t>(i)] != nullptr) {
    return given_[static_cast<std::size_t>(i)];
  }
  const auto make = [&] {
    const std::shared_ptr<const OpenCase> one = open(i);
    const TimedScope timed(open_seconds());
    return naming_case(*this, i, [&] {
      std::shared_ptr<const LabelIndex> found = found_labels(*one);
      if (!stale) return found;
      return std::make_shared<const LabelIndex>(
          LabelIndex::Impl::anew(one->label.files.front().array, *found, index_.threads));
    });
  };
  return indexes_.get(i, make, memory_of);
}

void OpenCases::rebuild_labels(std::int64_t i, const std::shared_ptr<const LabelIndex>& stale,
                               std::int64_t label) const {
  const std::vector<std::byte> before = stale->bytes();
  if (is_stale(i) && labels(i)->bytes() != before) return;  // another thread has done it
  const std::shared_ptr<const OpenCase> one = open(i);
  auto built = naming_case(*this, i, [&] {
    return std::make_shared<const LabelIndex>(
        LabelIndex::Impl::anew(one->label.files.front().array, *stale, index_.threads));
  });
  if (built->bytes() == before) {  // it would be made again and again
    throw Error(ErrorKind::invalid_value,
                "a voxel of label " + std::to_string(label) +
                    " is read as another one, though the label index is of these voxels; "
                    "choose a type for label that holds all labels");
  }
  {
    const std::scoped_lock lock(mutex_);
    stale_.insert(i);
  }
  const std::int64_t costs = memory_of(*built);
  indexes_.replace(i, stale, std::move(built), costs);
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
  {
    const std::scoped_lock lock(mutex_);
    if (!skipped_cases_.insert(i).second) return;
    skipped_.push_back({i, error});
  }
  const bool named = std::string_view(error).starts_with("case ");
  warn("skipped: " + (named ? error : "case '" + name(i) + "': " + error));
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
