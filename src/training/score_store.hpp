// The blended scores that an Aggregator holds.
//
// Scores lie in cells: boxes of voxels that are covered by the same boxes, of all classes. A
// cell begins with the first box that meets it. Box k ends the scores of its own voxels (see
// AxisPlan), which may be several cells: they are read, and then released. Where scores are
// resampled, the last voxels along each axis are kept in slices until the boxes behind have
// read them, too. With a limit, cells wait in a file, those first that are needed last: the
// order of boxes says when.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "training/aggregator_plan.hpp"
#include "training/half_rows.hpp"

namespace mlarray::training {

class ScoreStore {
 public:
  virtual ~ScoreStore() = default;

  // Makes the cells that box k adds to, or gets them back. Errors: io.
  virtual void begin(std::size_t k) = 0;
  // Adds the scores of box k, (classes, *patch). `threads`: as parallel_for.
  virtual void add(std::size_t k, const float* scores, int threads) = 0;
  virtual void add(std::size_t k, const Half* scores, int threads) = 0;
  // Scores of one class in `part`, in C order: voxels that box k has ended, and those one
  // before along axes that are resampled. From any thread.
  virtual void read(std::size_t k, std::int64_t label, const Box& part, float* out) const = 0;
  // Box k has been read. Errors: io.
  virtual void release(std::size_t k) = 0;

  std::int64_t bytes() const { return bytes_; }
  std::int64_t peak() const { return peak_; }

 protected:
  void hold(std::int64_t bytes) {
    bytes_ += bytes;
    peak_ = std::max(peak_, bytes_);
  }

 private:
  std::int64_t bytes_ = 0;
  std::int64_t peak_ = 0;
};

struct ScoreStoreOptions {
  std::int64_t classes = 1;
  bool half_scores = false;
  // Cells are moved to a file beside `path` as long as more than that is in memory, but for
  // those of one box. 0: no limit.
  std::int64_t most_bytes = 0;
  std::filesystem::path path = {};
  // Nothing is allocated, added, read or written, and bytes() are what they would be.
  bool counting = false;
};
std::unique_ptr<ScoreStore> make_score_store(const AggregatorPlan& plan,
                                             const ScoreStoreOptions& options);

// The voxels of box k that are in the image, and those that it ends.
Box covered_by(const AggregatorPlan& plan, std::size_t k);
Box ended_by(const AggregatorPlan& plan, std::size_t k);

// The first class and voxel whose score is not finite, or beyond `limit`: as text. Empty: none.
template <class Score>
std::string wrong_score(const AggregatorPlan& plan, std::size_t k, std::int64_t classes,
                        const Score* scores, float limit, int threads);

}  // namespace mlarray::training
