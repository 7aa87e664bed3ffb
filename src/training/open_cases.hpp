// The cases of a loader, opened as they are asked for. Internal.
//
// Safe from any thread, each of which holds an OperationGuard.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "mlarray/array.hpp"
#include "mlarray/training/loader.hpp"
#include "training/case_table.hpp"
#include "training/shared_cache.hpp"

namespace mlarray::training {

struct OpenFile {
  Array array;
  DType dtype;           // in the byte order of this machine
  bool swapped = false;  // the file has the other one
  std::string path;
  int channel_axis = -1;  // none
  std::int64_t channels = 1;
  std::int64_t block_length = 1;      // of its blocks, along the first axis of space
  Normalization::Channel stats = {};  // where Normalization::From::stats asks for them
};

struct FileGroup {
  std::vector<OpenFile> files;
  std::int64_t channels = 0;
};

struct OpenCase {
  std::int64_t index = 0;
  std::string name;
  Shape shape;    // spatial
  Matrix affine;  // of the first image
  FileGroup image;
  FileGroup label;
  std::vector<FileGroup> extra;
  std::filesystem::path class_locations;  // empty: there are none
};

class OpenCases final : public CaseInfo {
 public:
  OpenCases(const CaseSource& next, const LoaderOptions& options);

  const CaseTable& table() const { return table_; }
  // What this thread has spent on opening since it asked last.
  static double take_open_seconds();
  // Errors: those of Array::open; invalid_value for grids that do not agree. They name the
  // case.
  std::shared_ptr<const OpenCase> open(std::int64_t i) const;

  std::int64_t count() const override { return table_.count(); }
  Shape shape(std::int64_t i) const override;
  std::shared_ptr<const LabelIndex> labels(std::int64_t i) const override;
  std::optional<int> label_channel_axis(std::int64_t i) const override;
  void warn(const std::string& text) const override;
  std::string name(std::int64_t i) const override { return table_.name(i); }

  // Makes the index of a case anew, in the place of `stale`, with the same classes and joined
  // classes. Errors: invalid_value if it is the same again, so that a voxel of `label` that is
  // read as another one stays so.
  void rebuild_labels(std::int64_t i, const std::shared_ptr<const LabelIndex>& stale,
                      std::int64_t label) const;

  // Kept for SkippedCase, with a warning, once for each case.
  void skip(std::int64_t i, const std::string& error) const;
  std::vector<SkippedCase> skipped() const;
  std::vector<std::string> take_warnings() const;

 private:
  std::shared_ptr<const OpenCase> open_now(std::int64_t i) const;
  std::shared_ptr<const OpenCase> open_naming(std::int64_t i) const;
  FileGroup open_group(const std::vector<std::filesystem::path>& paths, bool stats) const;
  OpenFile open_file(const std::filesystem::path& path, bool stats) const;
  void check_grids(const OpenCase& one) const;
  // The index that was given, is stored or listed, or is built.
  std::shared_ptr<const LabelIndex> found_labels(const OpenCase& one) const;
  bool is_stale(std::int64_t i) const;
  void warn_of_making_again(const OpenCase& one) const;

  CaseTable table_;
  std::size_t axes_;  // of space
  OpenOptions open_;
  bool stats_ = false;
  bool has_labels_ = false;
  bool clip_ = false;
  std::filesystem::path index_cache_;
  LabelIndexOptions index_;
  mutable SharedCache<OpenCase> cases_;
  mutable SharedCache<LabelIndex> indexes_;
  std::vector<std::shared_ptr<const LabelIndex>> given_;

  mutable std::mutex mutex_;                        // of the following
  mutable std::unordered_set<std::int64_t> stale_;  // whose index must be made anew
  mutable std::vector<bool> made_;                  // whose index was made, and kept nowhere
  mutable bool told_of_making_again_ = false;
  mutable std::unordered_set<std::string> told_;
  mutable std::vector<std::string> warnings_;
  mutable std::vector<SkippedCase> skipped_;
  mutable std::unordered_set<std::int64_t> skipped_cases_;
};

// Errors of `body` with the case in front.
template <class Body>
auto naming_case(const CaseInfo& cases, std::int64_t i, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    const std::string prefix = "case '" + cases.name(i) + "': ";
    if (std::string_view(error.what()).starts_with("case ")) throw;
    throw Error(error.kind(), prefix + error.what(), error.path(), error.system_error());
  }
}

}  // namespace mlarray::training
