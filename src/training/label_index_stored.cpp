// Where a label index is kept: in the label's file, or in a folder.
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/naming.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "session/array_records.hpp"
#include "session/inside.hpp"
#include "store/records.hpp"
#include "training/cache.hpp"
#include "training/impl.hpp"

namespace mlarray::training {
namespace {

// Whether an index is what these options ask for.
bool is_as_asked(const LabelIndex& index, const LabelIndexOptions& options) {
  const auto& made = LabelIndex::Impl::of(index);
  return made.most_positions == options.positions && made.background == options.background &&
         made.joined == LabelIndex::Impl::joined_of(options);
}

// The index in some bytes, if it is one of such an array.
std::optional<LabelIndex> index_in(const std::optional<std::vector<std::byte>>& bytes,
                                   const Shape& shape) {
  if (!bytes) return std::nullopt;
  try {
    LabelIndex index = LabelIndex::from_bytes(*bytes);
    if (index.shape() == shape) return index;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corruption) throw;
  }
  return std::nullopt;
}

// What names the voxels and what was asked of them; empty where nothing does.
std::string key_of(const Array& labels, const LabelIndexOptions& options) {
  std::string key = labels.commit_name();
  if (key.empty()) key = state_of_file(labels.path());
  if (key.empty()) return key;
  key += "\npositions " + std::to_string(options.positions);
  if (options.background) key += "\nbackground " + std::to_string(*options.background);
  for (const auto& labels_of_one : LabelIndex::Impl::joined_of(options)) {
    key += "\njoined";
    for (const std::int64_t label : labels_of_one) key += ' ' + std::to_string(label);
  }
  return key;
}

}  // namespace

std::optional<LabelIndex> LabelIndex::of(const Array& labels) {
  return index_in(session::read_record(labels, store::kLabelIndex), labels.shape());
}

bool build_label_index(const std::filesystem::path& path, const LabelIndexOptions& options,
                       CommitLevel level) {
  {
    const Array stored = Array::open(path, {.threads = options.threads});
    const auto index = LabelIndex::of(stored);
    if (index && is_as_asked(*index, options)) return false;
  }
  Array labels =
      Array::open(path, {.mode = Mode::read_write, .threads = options.threads, .level = level});
  const bool written = build_label_index(labels, options, level);
  labels.close();
  return written;
}

bool build_label_index(Array& labels, const LabelIndexOptions& options, CommitLevel level) {
  const parallel::OperationGuard guard;
  const Array::Impl& array = Array::Inside::impl(labels);
  const auto state = array.open_snapshot();
  base::naming(array.path, [&] { array.check_record(*state, store::kLabelIndex); });
  const auto stored =
      index_in(session::read_record(labels, store::kLabelIndex), labels.shape());
  if (stored && is_as_asked(*stored, options)) return false;
  const LabelIndex index = base::naming(array.path, [&] {
    return LabelIndex::Impl::build(*state, options, array.verifies(), array.threads);
  });
  session::write_record(labels, *state, store::kLabelIndex, index.bytes(), level);
  return true;
}

bool store_label_index(const std::filesystem::path& path, const LabelIndex& index,
                       CommitLevel level) {
  const std::vector<std::byte> bytes = index.bytes();
  {
    const Array stored = Array::open(path);
    if (index.shape() != stored.shape()) {
      throw Error(ErrorKind::invalid_value,
                  "'" + stored.path() + "' has shape " + to_string(stored.shape()) +
                      ", but the label index is of a map of shape " + to_string(index.shape()) +
                      "; give the index of this map",
                  stored.path());
    }
    const auto there = LabelIndex::of(stored);
    if (there && there->bytes() == bytes) return false;
  }
  Array labels = Array::open(path, {.mode = Mode::read_write, .level = level});
  {
    const parallel::OperationGuard guard;
    const auto state = Array::Inside::impl(labels).open_snapshot();
    session::write_record(labels, *state, store::kLabelIndex, bytes, level);
  }
  labels.close();
  return true;
}

LabelIndex label_index_of(const Array& labels, const std::filesystem::path& cache,
                          const LabelIndexOptions& options) {
  bool built = false;
  return LabelIndex::Impl::found_or_built(labels, cache, options, built);
}

LabelIndex LabelIndex::Impl::found_or_built(const Array& labels,
                                            const std::filesystem::path& cache,
                                            const LabelIndexOptions& options, bool& built) {
  built = false;
  if (auto stored = LabelIndex::of(labels); stored && is_as_asked(*stored, options)) {
    return std::move(*stored);
  }
  const std::string key = cache.empty() ? std::string() : key_of(labels, options);
  if (auto kept = index_in(cached(cache, key), labels.shape())) return std::move(*kept);
  built = true;
  LabelIndex index = LabelIndex::build(labels, options);
  keep_in_cache(cache, key, index.bytes());
  return index;
}

}  // namespace mlarray::training
