// The Aggregator: box by box, scores are added to their cells (score_store.hpp); what a box
// ends is resampled, made labels or probabilities of, and written (slab_writer.hpp).
#include "mlarray/training/aggregator.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "base/naming.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "training/aggregator_options.hpp"
#include "training/aggregator_plan.hpp"
#include "training/resample.hpp"
#include "training/score_store.hpp"
#include "training/slab_writer.hpp"

namespace mlarray::training {
namespace {

// Scores of one class that a thread works on: few enough for a cache.
constexpr std::int64_t kPieceVoxels = std::int64_t{1} << 17;
// Of all classes, where they are needed at once.
constexpr std::int64_t kPieceScores = std::int64_t{1} << 20;
// Scores up to these stay finite when they are added and resampled, rounding included.
constexpr float kLargest = 1e30f;
constexpr float kLargestHalf = 60000;

template <class T, class Value>
void put_elements(const std::vector<Value>& from, std::vector<std::byte>& to) {
  to.resize(from.size() * sizeof(T));
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto element = static_cast<T>(from[i]);
    std::memcpy(to.data() + i * sizeof(T), &element, sizeof(T));
  }
}

void put_halves(const std::vector<float>& from, std::vector<std::byte>& to) {
  to.resize(from.size() * sizeof(Half));
  for (std::size_t i = 0; i < from.size(); ++i) {
    Half half;
    store(from[i], half);
    std::memcpy(to.data() + i * sizeof(Half), &half, sizeof(Half));
  }
}

// In place: scores of all classes, one class after the other.
void softmax(std::vector<float>& scores, std::size_t classes) {
  const std::size_t count = scores.size() / classes;
  std::vector<float> best(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(count));
  std::vector<float> sum(count, 0.0f);
  for (std::size_t label = 1; label < classes; ++label) {
    const float* const of_class = scores.data() + label * count;
    for (std::size_t i = 0; i < count; ++i) best[i] = std::max(best[i], of_class[i]);
  }
  for (std::size_t label = 0; label < classes; ++label) {
    float* const of_class = scores.data() + label * count;
    for (std::size_t i = 0; i < count; ++i) {
      of_class[i] = std::exp(of_class[i] - best[i]);
      sum[i] += of_class[i];
    }
  }
  for (std::size_t label = 0; label < classes; ++label) {
    float* const of_class = scores.data() + label * count;
    for (std::size_t i = 0; i < count; ++i) of_class[i] /= sum[i];
  }
}

// Softmax 1 of class 0, the first of the file's axes, in all voxels of `box`.
SlabWriter::Background first_class(bool half) {
  return [half](const Box& box, std::span<std::byte> voxels) {
    const std::size_t count =
        voxels.size() / static_cast<std::size_t>(box.stop[0] - box.start[0]);
    std::vector<std::byte> ones;
    const std::vector<float> one(count / (half ? sizeof(Half) : sizeof(float)), 1.0f);
    if (half) {
      put_halves(one, ones);
    } else {
      put_elements<float>(one, ones);
    }
    std::ranges::copy(ones, voxels.begin());
  };
}

Shape resampled_shape(const Shape& shape, const AggregatorOptions& options) {
  if (options.crop) return options.crop->shape();
  return options.original_shape.empty() ? shape : options.original_shape;
}

}  // namespace

class Aggregator::Impl {
 public:
  Impl(const std::filesystem::path& path, const Shape& shape, const Shape& patch,
       std::int64_t classes, AggregatorOptions options)
      : path_(path.string()),
        options_(std::move(options)),
        classes_(classes),
        generation_(parallel::process_generation()),
        plan_(shape, patch, resampled_shape(shape, options_), options_),
        store_(make_score_store(plan_, store_options(path, false))),
        offset_(options_.crop ? options_.crop->start : Shape(shape.size(), 0)),
        dtype_(prediction_dtype(classes, options_)),
        writer_(path, prediction_shape(shape, classes, options_), dtype_,
                prediction_metadata(shape.size(), options_), options_.save,
                plan_.slow() + (has_classes() ? 1 : 0), background()),
        bound_(count_bound()) {}

  const AggregatorPlan& plan() const { return plan_; }
  std::int64_t added() const { return static_cast<std::int64_t>(next_); }
  std::int64_t memory() const { return store_->bytes() + writer_.bytes(); }
  std::int64_t memory_peak() const { return store_->peak() + writer_.peak(); }
  std::int64_t memory_bound() const { return bound_; }
  Shape file_shape() const { return writer_.geometry().shape(); }
  const DType& dtype() const { return dtype_; }

  template <class Score>
  void add(const Box& box, const Score* scores, std::size_t count) {
    check_usable();
    check(box, count);
    const float limit = options_.half_scores ? kLargestHalf : kLargest;
    const std::string wrong =
        wrong_score(plan_, next_, classes_, scores, limit, options_.threads);
    if (!wrong.empty()) {
      throw Error(ErrorKind::invalid_value,
                  "a score is " + wrong + ": scores must be finite, and at most " +
                      (options_.half_scores
                           ? "60000 with half_scores: blend them in float32, or scale them"
                           : "1e30"));
    }
    or_fail([&] {
      store_->begin(next_);
      store_->add(next_, scores, options_.threads);
      write_ended();
      store_->release(next_);
      const AxisPlan& slow = plan_.axes[plan_.slow()];
      const std::size_t row = plan_.digits(next_)[plan_.slow()];
      ++next_;
      if (next_ == plan_.boxes.size() || plan_.digits(next_)[plan_.slow()] != row) {
        writer_.advance(slow.out_own[row + 1] + offset_[plan_.slow()]);
      }
    });
  }

  void finish() {
    check_usable();
    if (next_ < plan_.boxes.size()) {
      throw Error(ErrorKind::invalid_use,
                  std::to_string(plan_.boxes.size() - next_) + " of " +
                      std::to_string(plan_.boxes.size()) + " boxes are missing, the first is " +
                      name_of(plan_.boxes[next_]) + ": add() the scores of all of boxes()");
    }
    or_fail([&] { writer_.finish(); });
    finished_ = true;
  }

 private:
  // What a thread works in.
  struct Scratch {
    std::vector<float> scores, spare;
    std::vector<float> best;  // or the scores of all classes
    std::vector<std::int32_t> labels;
    std::vector<std::byte> voxels;
  };

  static std::string name_of(const Box& box) {
    return to_string(box.start) + " to " + to_string(box.stop);
  }
  bool has_classes() const { return options_.output != Output::argmax; }
  SlabWriter::Background background() const {
    if (options_.output != Output::softmax || !options_.crop) return {};
    return first_class(options_.half);
  }

  template <class Body>
  void or_fail(Body body) {
    try {
      base::naming(path_, body);
    } catch (...) {
      failed_ = true;
      throw;
    }
  }

  void check_usable() const {
    const auto refuse = [](const char* why) { throw Error(ErrorKind::invalid_use, why); };
    if (parallel::process_generation() != generation_) {
      refuse("this Aggregator was made before a fork: the parent goes on with it");
    }
    if (finished_) refuse("this Aggregator has finished its file: make another one");
    if (failed_) {
      refuse("this Aggregator failed earlier, and its file is not complete: make another one");
    }
  }

  void check(const Box& box, std::size_t count) const {
    if (next_ == plan_.boxes.size()) {
      throw Error(ErrorKind::invalid_value,
                  "the box " + name_of(box) + " was added after the last one: all " +
                      std::to_string(next_) + " are there, call finish()");
    }
    const Box& expected = plan_.boxes[next_];
    if (box.start != expected.start || box.stop != expected.stop) {
      throw Error(ErrorKind::invalid_value, "the box " + name_of(box) + " was added where " +
                                                name_of(expected) + " is next (" +
                                                std::to_string(next_) + " of " +
                                                std::to_string(plan_.boxes.size()) +
                                                "): add them in the order of boxes()");
    }
    const std::int64_t needed = classes_ * element_count(expected.shape());
    if (!std::cmp_equal(count, needed)) {
      throw Error(ErrorKind::invalid_value,
                  std::to_string(count) + " scores for a box of " +
                      to_string(expected.shape()) + " and " + std::to_string(classes_) +
                      " classes: give (classes, *patch), " + std::to_string(needed));
    }
  }

  // Resamples what this box has ended, and puts it into the file.
  void write_ended() {
    const auto digits = plan_.digits(next_);
    Box out;
    for (std::size_t a = 0; a < plan_.axes.size(); ++a) {
      out.start.push_back(plan_.axes[a].out_own[digits[a]]);
      out.stop.push_back(plan_.axes[a].out_own[digits[a] + 1]);
    }
    if (out.empty()) return;
    const std::int64_t shift = offset_[plan_.slow()];
    writer_.begin(out.start[plan_.slow()] + shift, out.stop[plan_.slow()] + shift);

    // In pieces, cut along the longest axis but the last: rows stay whole.
    const Shape shape = out.shape();
    const auto rows_end = shape.size() > 1 ? shape.end() - 1 : shape.end();
    const auto axis =
        static_cast<std::size_t>(std::max_element(shape.begin(), rows_end) - shape.begin());
    const std::int64_t across = element_count(shape) / shape[axis];
    const std::int64_t most =
        has_classes() ? std::min(kPieceVoxels, kPieceScores / classes_) : kPieceVoxels;
    const std::int64_t length = std::clamp<std::int64_t>(most / across, 1, shape[axis]);
    const auto pieces = static_cast<std::size_t>((shape[axis] + length - 1) / length);
    const int used = parallel::worker_count(pieces, options_.threads);
    std::vector<Scratch> scratch(static_cast<std::size_t>(used));
    parallel::parallel_for(pieces, used, [&](std::size_t i, int worker) {
      Box piece = out;
      piece.start[axis] += static_cast<std::int64_t>(i) * length;
      piece.stop[axis] = std::min(piece.start[axis] + length, out.stop[axis]);
      write_piece(piece, scratch[static_cast<std::size_t>(worker)]);
    });
  }

  void write_piece(const Box& piece, Scratch& scratch) {
    if (has_classes()) {
      all_scores(piece, scratch);
    } else {
      greatest(piece, scratch);
    }
    Box box = piece;
    for (std::size_t a = 0; a < offset_.size(); ++a) {
      box.start[a] += offset_[a];
      box.stop[a] += offset_[a];
    }
    if (has_classes()) {
      box.start.insert(box.start.begin(), 0);
      box.stop.insert(box.stop.begin(), classes_);
    }
    writer_.put(box, scratch.voxels);
  }

  // Calls body(label) with scratch.scores as those of a class.
  template <class Body>
  void for_classes(const Box& piece, Scratch& scratch, Body body) const {
    const Box support = support_of(plan_, piece);
    const auto count = static_cast<std::size_t>(element_count(support.shape()));
    for (std::int64_t label = 0; label < classes_; ++label) {
      scratch.scores.resize(count);
      store_->read(next_, label, support, scratch.scores.data());
      resample(plan_, support, piece, scratch.scores, scratch.spare);
      body(label);
    }
  }

  void greatest(const Box& piece, Scratch& scratch) const {
    const auto count = static_cast<std::size_t>(element_count(piece.shape()));
    scratch.labels.assign(count, 0);
    for_classes(piece, scratch, [&](std::int64_t label) {
      if (label == 0) {
        scratch.best.assign(scratch.scores.begin(), scratch.scores.end());
        return;
      }
      const float* const scores = scratch.scores.data();
      float* const best = scratch.best.data();
      std::int32_t* const labels = scratch.labels.data();
      const auto number = static_cast<std::int32_t>(label);
      for (std::size_t i = 0; i < count; ++i) {
        labels[i] = scores[i] > best[i] ? number : labels[i];
        best[i] = scores[i] > best[i] ? scores[i] : best[i];
      }
    });
    if (dtype_.itemsize() == 1) {
      put_elements<std::uint8_t>(scratch.labels, scratch.voxels);
    } else {
      put_elements<std::uint16_t>(scratch.labels, scratch.voxels);
    }
  }

  void all_scores(const Box& piece, Scratch& scratch) const {
    scratch.best.clear();
    for_classes(piece, scratch, [&](std::int64_t) {
      scratch.best.insert(scratch.best.end(), scratch.scores.begin(), scratch.scores.end());
    });
    if (options_.output == Output::softmax) {
      softmax(scratch.best, static_cast<std::size_t>(classes_));
    }
    if (options_.half) {
      put_halves(scratch.best, scratch.voxels);
    } else {
      put_elements<float>(scratch.best, scratch.voxels);
    }
  }

  ScoreStoreOptions store_options(const std::filesystem::path& path, bool counting) const {
    return {.classes = classes_,
            .half_scores = options_.half_scores,
            .most_bytes = options_.max_memory,
            .path = path,
            .counting = counting};
  }

  // By letting all boxes pass without their scores.
  std::int64_t count_bound() const {
    const auto counting = make_score_store(plan_, store_options({}, true));
    for (std::size_t k = 0; k < plan_.boxes.size(); ++k) {
      counting->begin(k);
      counting->release(k);
    }
    std::int64_t slabs = 0;
    const AxisPlan& slow = plan_.axes[plan_.slow()];
    const std::int64_t shift = offset_[plan_.slow()];
    for (std::size_t row = 0; row + 1 < slow.out_own.size(); ++row) {
      slabs = std::max(slabs, writer_.bytes_between(slow.out_own[row] + shift,
                                                    slow.out_own[row + 1] + shift));
    }
    // One slab where nothing was put, beside one that waits.
    if (background()) slabs += writer_.bytes_between(0, 1);
    return counting->peak() + slabs;
  }

  const std::string path_;
  const AggregatorOptions options_;
  const std::int64_t classes_;
  const std::uint64_t generation_;
  const AggregatorPlan plan_;
  std::unique_ptr<ScoreStore> store_;
  const Shape offset_;  // of the image in the file's grid
  const DType dtype_;
  SlabWriter writer_;
  const std::int64_t bound_;
  std::size_t next_ = 0;  // box
  bool finished_ = false;
  bool failed_ = false;
};

Aggregator::Aggregator(const std::filesystem::path& path, const Shape& shape,
                       const Shape& patch, std::int64_t classes,
                       const AggregatorOptions& options) {
  const parallel::OperationGuard guard;
  base::naming(path.string(), [&] { check_options(shape, patch, classes, options); });
  AggregatorOptions settled = options;
  if (settled.save.threads == 0) settled.save.threads = options.threads;
  impl_ = std::make_unique<Impl>(path, shape, patch, classes, std::move(settled));
}

Aggregator::~Aggregator() {
  if (!impl_) return;
  const parallel::OperationGuard guard;
  impl_.reset();
}
Aggregator::Aggregator(Aggregator&&) noexcept = default;
Aggregator& Aggregator::operator=(Aggregator&&) noexcept = default;

const std::vector<Box>& Aggregator::boxes() const { return impl_->plan().boxes; }

std::vector<Box> Aggregator::boxes_of(const Shape& shape, const Shape& patch,
                                      const AggregatorOptions& options) {
  check_options(shape, patch, 1, options);
  return AggregatorPlan(shape, patch, resampled_shape(shape, options), options).boxes;
}

void Aggregator::add(const Box& box, std::span<const float> scores) {
  const parallel::OperationGuard guard;
  impl_->add(box, scores.data(), scores.size());
}

void Aggregator::add(const Box& box, std::span<const std::uint16_t> scores) {
  const parallel::OperationGuard guard;
  static_assert(sizeof(Half) == sizeof(std::uint16_t));
  impl_->add(box, reinterpret_cast<const Half*>(scores.data()), scores.size());
}

void Aggregator::finish() {
  const parallel::OperationGuard guard;
  impl_->finish();
}

std::int64_t Aggregator::added() const { return impl_->added(); }
std::int64_t Aggregator::memory() const { return impl_->memory(); }
std::int64_t Aggregator::memory_peak() const { return impl_->memory_peak(); }
std::int64_t Aggregator::memory_bound() const { return impl_->memory_bound(); }
Shape Aggregator::file_shape() const { return impl_->file_shape(); }
DType Aggregator::file_dtype() const { return impl_->dtype(); }

}  // namespace mlarray::training
