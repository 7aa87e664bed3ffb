#include "mlarray/training/loader.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "training/augmenter.hpp"
#include "training/batch.hpp"
#include "training/batch_layout.hpp"
#include "training/epoch_plan.hpp"
#include "training/open_cases.hpp"
#include "training/patch_reader.hpp"
#include "training/read_ahead.hpp"
#include "training/stopwatch.hpp"

namespace mlarray::training {
namespace {

constexpr std::int64_t kMostAttempts = 100;
constexpr std::int64_t kMostBatch = std::int64_t{1} << 24;
constexpr std::int64_t kMostSamples = std::int64_t{1} << 53;
constexpr std::int64_t kMostThreads = 1024;

void check(bool fits, const std::string& what) {
  if (!fits) throw Error(ErrorKind::invalid_value, what);
}

void check_options(const LoaderOptions& o) {
  check(!o.patch.empty() &&
            std::all_of(o.patch.begin(), o.patch.end(), [](std::int64_t n) { return n > 0; }),
        "a patch of shape " + to_string(o.patch) +
            "; give the voxels along each spatial axis, 1 or more");
  const auto at_least = [](std::int64_t value, std::int64_t least, const char* name) {
    check(value >= least, std::string(name) + " is " + std::to_string(value) + "; it is " +
                              std::to_string(least) + " or more");
  };
  at_least(o.batch, 1, "batch");
  at_least(o.samples_per_epoch, 0, "samples_per_epoch");
  at_least(o.threads, 0, "threads");
  at_least(o.prefetch_bytes, 0, "prefetch_bytes");
  at_least(o.open_cases, 1, "open_cases");
  const auto at_most = [](std::int64_t value, std::int64_t most, const char* name) {
    check(value <= most, std::string(name) + " is " + std::to_string(value) +
                             "; it is at most " + std::to_string(most));
  };
  at_most(o.batch, kMostBatch, "batch");
  at_most(o.samples_per_epoch, kMostSamples, "samples_per_epoch");
  at_most(o.threads, kMostThreads, "threads");
  at_least(o.world_size, 1, "world_size");
  check(o.rank >= 0 && o.rank < o.world_size,
        "rank is " + std::to_string(o.rank) + "; with a world_size of " +
            std::to_string(o.world_size) + " it is 0 to " + std::to_string(o.world_size - 1));
  const Normalization& n = o.normalization;
  if (n.from != Normalization::From::constants) return;
  check(!n.channels.empty(),
        "a normalisation by constants without channels; give one for each, or one for all");
  for (std::size_t i = 0; i < n.channels.size(); ++i) {
    check_channel(n.channels[i], "the normalisation of channel " + std::to_string(i));
  }
}

// Of a case, and not of options, which would be wrong of every case.
bool is_unreadable(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::not_found:
    case ErrorKind::busy:
    case ErrorKind::io:
    case ErrorKind::corruption:
    case ErrorKind::unsupported:
      return true;
    default:
      return false;
  }
}

// Which cases fail to open, where samples of others take their place: they have no shape and
// no labels then.
class Forgiving final : public CaseInfo {
 public:
  explicit Forgiving(const OpenCases& cases) : cases_(cases) {}
  std::int64_t count() const override { return cases_.count(); }
  Shape shape(std::int64_t i) const override {
    return tried<Shape>(i, [&] { return cases_.shape(i); });
  }
  std::shared_ptr<const LabelIndex> labels(std::int64_t i) const override {
    return tried<std::shared_ptr<const LabelIndex>>(i, [&] { return cases_.labels(i); });
  }
  std::optional<int> label_channel_axis(std::int64_t i) const override {
    return tried<std::optional<int>>(i, [&] { return cases_.label_channel_axis(i); });
  }
  void warn(const std::string& text) const override { cases_.warn(text); }
  std::string name(std::int64_t i) const override { return cases_.name(i); }

 private:
  template <class T, class Body>
  T tried(std::int64_t i, Body body) const {
    try {
      return body();
    } catch (const Error& error) {
      if (!is_unreadable(error)) throw;
      cases_.skip(i, error.what());
      return {};
    }
  }

  const OpenCases& cases_;
};

std::shared_ptr<const Sampler> bound_to(const std::shared_ptr<const Sampler>& sampler,
                                        const OpenCases& cases, const LoaderOptions& options) {
  if (sampler == nullptr) throw Error(ErrorKind::invalid_value, "a loader without a sampler");
  const Forgiving forgiving(cases);
  const CaseInfo& info =
      options.skip_unreadable ? static_cast<const CaseInfo&>(forgiving) : cases;
  std::shared_ptr<const Sampler> bound = sampler->bound(info);
  return bound != nullptr ? bound : sampler;
}

// The first case that can be opened.
std::shared_ptr<const OpenCase> first_case(const OpenCases& cases,
                                           const LoaderOptions& options) {
  for (std::int64_t i = 0;; ++i) {
    try {
      return cases.open(i);
    } catch (const Error& error) {
      const bool skips = options.skip_unreadable && is_unreadable(error);
      if (!skips || i + 1 == cases.count()) throw;
      cases.skip(i, error.what());
    }
  }
}

EpochPlan plan_of(const Sampler& sampler, const OpenCases& cases,
                  const LoaderOptions& options) {
  EpochPlan plan;
  plan.samples = options.samples_per_epoch;
  if (plan.samples == 0) plan.samples = sampler.length(cases).value_or(cases.count());
  plan.batch = options.batch;
  plan.world_size = options.world_size;
  plan.rank = options.rank;
  plan.drop_last = options.drop_last;
  check(plan.samples >= 1, "an epoch has no samples");
  check(plan.batches() >= 1,
        "an epoch of " + std::to_string(plan.samples) + " samples has no batch of " +
            std::to_string(plan.batch) + " for each of " + std::to_string(plan.world_size) +
            " ranks; ask for more samples_per_epoch, or set drop_last to false");
  return plan;
}

// FNV-1a (Fowler, Noll and Vo), 64 bits: the same on all machines.
class Fingerprint {
 public:
  void add(std::string_view text) {
    for (const char c : text) add_byte(static_cast<unsigned char>(c));
    add_byte(0);
  }
  void add(std::int64_t number) { add(std::to_string(number)); }
  std::uint64_t value() const { return hash_; }

 private:
  void add_byte(unsigned char byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; }
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

std::uint64_t fingerprint(const CaseTable& cases, const LoaderOptions& options,
                          const EpochPlan& plan) {
  Fingerprint print;
  print.add(to_string(options.patch));
  print.add(plan.batch);
  print.add(plan.samples);
  print.add(std::to_string(options.seed));
  print.add(plan.drop_last ? 1 : 0);
  if (options.augment != nullptr) print.add(to_string(options.augment->initial));
  for (std::int64_t i = 0; i < cases.count(); ++i) print.add(cases.name(i));
  return print.value();
}

ReaderScratch& scratch_of_this_thread() {
  static thread_local ReaderScratch scratch;
  return scratch;
}

void add_to(std::atomic<double>& sum, double value) {
  double before = sum.load(std::memory_order_relaxed);
  while (!sum.compare_exchange_weak(before, before + value, std::memory_order_relaxed)) {
  }
}

}  // namespace

class Loader::Impl {
 public:
  Impl(const CaseSource& each, const std::shared_ptr<const Sampler>& given,
       const LoaderOptions& chosen)
      : options(chosen), cases(each, options) {
    const parallel::OperationGuard guard;
    const std::shared_ptr<const OpenCase> first = first_case(cases, options);
    if (options.augment != nullptr) {
      augmenter = std::make_unique<Augmenter>(*first, cases.table().extras(), options);
      layout = augmenter->made();
    } else {
      layout = layout_of(*first, cases.table().extras(), options);
    }
    check_normalization();
    sampler = bound_to(given, cases, options);
    plan = plan_of(*sampler, cases, options);
    print = fingerprint(cases.table(), options, plan);
    threads = options.threads > 0 ? options.threads : parallel::num_threads();
    ahead = std::max<std::int64_t>(
        options.prefetch_bytes / std::max<std::int64_t>(layout.bytes, 1), 1);
    ahead = std::min(ahead, plan.batches());
    const auto kept = static_cast<std::size_t>(std::min<std::int64_t>(ahead + 2, 1024));
    pool = std::make_shared<MemoryPool>(layout.bytes, kept);
    single = with_batch(layout, 1);
    single_pool = std::make_shared<MemoryPool>(single.bytes, static_cast<std::size_t>(threads));
    options.indexes.clear();  // `cases` has them
  }

  ~Impl() {
    leave(read_ahead.exchange(nullptr));
    const parallel::OperationGuard guard;
    pool->close();
    single_pool->close();
  }

  void check_normalization() const {
    const std::size_t given = options.normalization.channels.size();
    const BatchLayout& read = augmenter != nullptr ? augmenter->source() : layout;
    const std::int64_t channels = read.fields.front().channels;
    if (options.normalization.from != Normalization::From::constants) return;
    check(given == 1 || static_cast<std::int64_t>(given) == channels,
          "a normalisation of " + std::to_string(given) + " channels for images with " +
              std::to_string(channels) + "; give one for each, or one for all");
  }

  ReadAhead& threads_of_this_process() {
    ReadAhead* it = read_ahead.load();
    if (it != nullptr && it->generation() == parallel::process_generation()) return *it;
    auto fresh = std::make_unique<ReadAhead>(ReadAhead::Work{
        [this](std::int64_t of_epoch, std::int64_t number) {
          return std::make_shared<Batch::Impl>(layout, pool, of_epoch, plan.number(number));
        },
        [this](Batch::Impl& batch, std::int64_t place, ReaderScratch& scratch) {
          const std::int64_t index = plan.sample(batch.index, place);
          read_sample(batch, layout, place, batch.epoch, index, place, scratch);
        },
        plan.batch, plan.batches(), ahead, threads});
    fresh->go_to(epoch, done);
    read_ahead = fresh.get();
    if (cancelled) fresh->cancel();  // by another thread, which has not seen it
    leave(it);
    return *fresh.release();
  }

  static void leave(ReadAhead* old) {
    if (old == nullptr) return;
    if (old->generation() == parallel::process_generation()) {
      delete old;  // NOLINT(cppcoreguidelines-owning-memory): an atomic has no owner
    } else {
      old->abandon();
    }
  }

  // The sample at an index of an epoch, drawn for a place of a batch, to an item of `into`.
  void read_sample(Batch::Impl& batch, const BatchLayout& into, std::int64_t item,
                   std::int64_t of_epoch, std::int64_t index, std::int64_t in_batch,
                   ReaderScratch& scratch) {
    DrawPlace place{options.seed, of_epoch, index, in_batch, plan.batch, 0};
    for (;; ++place.attempt) {
      Draw draw;
      draw.case_index = -1;
      try {
        if (try_sample(batch, into, item, place, draw, scratch)) break;
        if (place.attempt < kMostAttempts) continue;
        throw Error(ErrorKind::corruption,
                    "the label index does not agree with the labels, though it was made anew");
      } catch (const Error& error) {
        const std::int64_t i = draw.case_index;
        if (i < 0) throw;
        const bool skips = options.skip_unreadable && is_unreadable(error);
        if (!skips || place.attempt >= kMostAttempts) {
          naming_case(cases, i, [&] { throw error; });
        }
        cases.skip(i, error.what());
      }
    }
    add_to(read_seconds, std::exchange(scratch.read_seconds, 0));
    add_to(convert_seconds, std::exchange(scratch.convert_seconds, 0));
    add_to(augment_seconds, std::exchange(scratch.augment_seconds, 0));
    voxels_read.fetch_add(std::exchange(scratch.voxels_read, 0), std::memory_order_relaxed);
    samples_read.fetch_add(1, std::memory_order_relaxed);
  }

  // Notes what a sampler asks for in one draw: the case, so that an error is about it, and the
  // index, which another thread may replace before the draw is compared with the voxels.
  class Watched final : public CaseInfo {
   public:
    Watched(const OpenCases& cases, std::int64_t& last) : cases_(cases), last_(last) {}
    std::int64_t count() const override { return cases_.count(); }
    Shape shape(std::int64_t i) const override {
      last_ = i;
      return cases_.shape(i);
    }
    std::shared_ptr<const LabelIndex> labels(std::int64_t i) const override {
      last_ = labels_of_ = i;
      return labels_ = cases_.labels(i);
    }
    std::optional<int> label_channel_axis(std::int64_t i) const override {
      last_ = i;
      return cases_.label_channel_axis(i);
    }
    void warn(const std::string& text) const override { cases_.warn(text); }
    std::string name(std::int64_t i) const override { return cases_.name(i); }
    // Null: the case has no labels.
    std::shared_ptr<const LabelIndex> drawn_from(std::int64_t i) const {
      return labels_ != nullptr && labels_of_ == i ? labels_ : cases_.labels(i);
    }

   private:
    const OpenCases& cases_;
    std::int64_t& last_;
    mutable std::int64_t labels_of_ = -1;
    mutable std::shared_ptr<const LabelIndex> labels_;
  };

  // False: the index of labels is stale, and was made anew.
  bool try_sample(Batch::Impl& batch, const BatchLayout& into, std::int64_t item,
                  const DrawPlace& place, Draw& draw, ReaderScratch& scratch) {
    const Stopwatch watch;
    OpenCases::take_open_seconds();  // of others, as when the sampler was bound
    const Watched watched(cases, draw.case_index);
    draw = sampler->draw(watched, place);
    check_draw(draw);
    const std::shared_ptr<const OpenCase> one = cases.open(draw.case_index);
    const double opened = OpenCases::take_open_seconds();
    add_to(draw_seconds, watch.seconds() - opened);
    if (opened > 0) add_to(open_seconds, opened);
    Matrix& affine = batch.affines[static_cast<std::size_t>(item)];
    if (augmenter != nullptr) {
      const Augmenter::Sample sample = augmenter->prepare(draw);
      std::byte* source = scratch.source.get(sample.layout.bytes).data();
      if (!sample.part.box.empty() &&
          !read_part(*one, sample.part, watched, sample.layout, source, 0, scratch)) {
        return false;
      }
      augmenter->apply(sample, source, into, batch.data(), item, scratch);
      affine = augmenter->affine(one->affine, draw, sample);
    } else {
      if (!read_part(*one, draw, watched, into, batch.data(), item, scratch)) return false;
      affine = moved_affine(one->affine, draw.box.start);
    }
    batch.draws[static_cast<std::size_t>(item)] = draw;
    return true;
  }

  // False as try_sample().
  bool read_part(const OpenCase& one, const Draw& draw, const Watched& watched,
                 const BatchLayout& into, std::byte* data, std::int64_t item,
                 ReaderScratch& scratch) {
    reader.read_label(one, draw, into, data, item, scratch);
    if (draw.label) {
      const std::shared_ptr<const LabelIndex> index = watched.drawn_from(draw.case_index);
      if (index != nullptr && !has_label(one, draw, into, data, item, *index, scratch)) {
        cases.rebuild_labels(draw.case_index, index, *draw.label);
        return false;
      }
    }
    reader.read_others(one, draw, into, data, item, scratch);
    return true;
  }

  // That what a sampler answers can be read: samplers are made for a patch of their own, and
  // users write some.
  void check_draw(Draw& draw) const {
    if (draw.case_index < 0 || draw.case_index >= cases.count()) {
      const std::int64_t i = std::exchange(draw.case_index, -1);  // there is no name of it
      throw Error(ErrorKind::out_of_bounds, "the sampler has drawn case " + std::to_string(i) +
                                                " of " + std::to_string(cases.count()));
    }
    const Shape& patch = augmenter != nullptr ? augmenter->initial() : layout.patch;
    const std::size_t axes = patch.size();
    const bool fits = draw.box.start.size() == axes && draw.box.stop.size() == axes;
    if (!fits || draw.box.shape() != patch) {
      throw Error(ErrorKind::invalid_value,
                  "the sampler has drawn a box of shape " + to_string(draw.box.shape()) +
                      ", but " +
                      (augmenter != nullptr ? "augment needs its initial patch, "
                                            : "the loader's patch has ") +
                      to_string(patch) + "; make the sampler for that");
    }
    if (draw.label && draw.center.size() != axes) {
      throw Error(ErrorKind::invalid_value,
                  "the sampler has drawn a voxel " + to_string(draw.center) +
                      " of a class, but the patch has shape " + to_string(patch));
    }
  }

  // Of an augmented sample, the voxel may lie outside of what is read.
  bool has_label(const OpenCase& one, const Draw& draw, const BatchLayout& into,
                 const std::byte* data, std::int64_t item, const LabelIndex& index,
                 ReaderScratch& scratch) const {
    bool read = true;
    Draw voxel = draw;
    for (std::size_t a = 0; a < draw.center.size(); ++a) {
      const std::int64_t at = draw.center[a];
      read = read && at >= draw.box.start[a] && at < draw.box.stop[a];
      voxel.box.start[a] = at;
      voxel.box.stop[a] = at + 1;
    }
    if (read || augmenter == nullptr) {
      return PatchReader::has_label(draw, into, data, item, index.classes());
    }
    BatchLayout voxel_layout = augmenter->source();
    voxel_layout.patch = Shape(voxel_layout.patch.size(), 1);
    voxel_layout.voxels = 1;
    voxel_layout = with_batch(std::move(voxel_layout), 1);
    std::vector<std::byte> labels(static_cast<std::size_t>(voxel_layout.bytes));
    reader.read_label(one, voxel, voxel_layout, labels.data(), 0, scratch);
    return PatchReader::has_label(voxel, voxel_layout, labels.data(), 0, index.classes());
  }

  void tell_warnings() const {
    std::vector<std::string> texts;
    {
      const parallel::OperationGuard guard;
      texts = cases.take_warnings();
    }
    if (!options.warn) return;
    for (const std::string& text : texts) options.warn(text);
  }

  LoaderOptions options;
  OpenCases cases;
  std::shared_ptr<const Sampler> sampler;
  PatchReader reader{options};
  std::unique_ptr<const Augmenter> augmenter;
  BatchLayout layout;
  BatchLayout single;
  EpochPlan plan;
  std::uint64_t print = 0;
  int threads = 1;
  std::int64_t ahead = 1;
  std::shared_ptr<MemoryPool> pool;
  std::shared_ptr<MemoryPool> single_pool;

  // Where next() stands: of the thread that calls it, inside an OperationGuard.
  std::int64_t epoch = 0;
  std::int64_t done = 0;
  std::shared_ptr<Batch::Impl> held;  // read, and not handed out yet
  std::atomic<bool> cancelled = false;
  std::atomic<ReadAhead*> read_ahead = nullptr;  // owned

  std::atomic<double> draw_seconds = 0;
  std::atomic<double> open_seconds = 0;
  std::atomic<double> read_seconds = 0;
  std::atomic<double> convert_seconds = 0;
  std::atomic<double> augment_seconds = 0;
  std::atomic<std::int64_t> samples_read = 0;
  std::atomic<std::int64_t> voxels_read = 0;
};

Loader::Loader(const std::vector<Case>& cases, const std::shared_ptr<const Sampler>& sampler,
               const LoaderOptions& options)
    : Loader(of_each(each_of(cases), sampler, options)) {}

Loader::Loader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Loader Loader::of_each(const CaseSource& next, const std::shared_ptr<const Sampler>& sampler,
                       const LoaderOptions& options) {
  check_options(options);
  return Loader(std::make_unique<Impl>(next, sampler, options));
}

Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;

std::optional<Batch> Loader::next() {
  Impl& it = *impl_;
  try {
    if (it.held == nullptr && !it.cancelled) it.held = it.threads_of_this_process().next();
  } catch (...) {
    it.tell_warnings();
    throw;
  }
  if (it.cancelled) {
    throw Error(ErrorKind::invalid_use, "the loader was cancelled; make another one");
  }
  it.tell_warnings();  // may throw: then the batch is for the next call
  if (it.held == nullptr) return std::nullopt;
  const parallel::OperationGuard guard;
  ++it.done;
  return Batch(std::move(it.held));
}

bool Loader::wait(std::chrono::milliseconds longest) {
  return impl_->cancelled || impl_->held || impl_->threads_of_this_process().wait(longest);
}

std::int64_t Loader::batches() const { return impl_->plan.batches(); }

void Loader::set_epoch(std::int64_t epoch) {
  check(epoch >= 0, "epoch " + std::to_string(epoch) + "; it is 0 or more");
  LoaderState state = this->state();
  state.epoch = epoch;
  state.batches_done = 0;
  restore(state);
}

LoaderState Loader::state() const {
  return {impl_->epoch, impl_->done, impl_->options.world_size, impl_->print};
}

void Loader::restore(const LoaderState& state) {
  Impl& it = *impl_;
  check(state.fingerprint == it.print,
        "the state is of a loader of other cases or options; restore it with the same cases in "
        "the same order, and the same patch, batch, samples_per_epoch, seed, drop_last and "
        "initial patch of augment");
  check(state.batches_done == 0 || state.world_size == it.options.world_size,
        "the state is from the middle of an epoch of " + std::to_string(state.world_size) +
            " ranks, and cannot be restored with " + std::to_string(it.options.world_size) +
            "; an epoch's start can");
  check(state.epoch >= 0 && state.batches_done >= 0 && state.batches_done <= batches(),
        "a state of epoch " + std::to_string(state.epoch) + " after " +
            std::to_string(state.batches_done) + " batches of " + std::to_string(batches()));
  const parallel::OperationGuard guard;
  const bool moves = state.epoch != it.epoch || state.batches_done != it.done;
  it.epoch = state.epoch;
  it.done = state.batches_done;
  const bool held = std::exchange(it.held, nullptr) != nullptr;
  ReadAhead* threads = it.read_ahead.load();
  const bool mine =
      threads != nullptr && threads->generation() == parallel::process_generation();
  if (mine && (moves || held)) threads->go_to(it.epoch, it.done);
}

void Loader::cancel() noexcept {
  impl_->cancelled = true;
  ReadAhead* threads = impl_->read_ahead.load();
  if (threads != nullptr && threads->generation() == parallel::process_generation()) {
    threads->cancel();
  }
}

Batch Loader::sample(std::int64_t epoch, std::int64_t index) const {
  Impl& it = *impl_;
  if (epoch < 0 || index < 0 || index >= it.plan.samples) {
    throw Error(ErrorKind::out_of_bounds, "sample " + std::to_string(index) + " of epoch " +
                                              std::to_string(epoch) + "; an epoch has " +
                                              std::to_string(it.plan.samples));
  }
  std::shared_ptr<Batch::Impl> batch;
  {
    const parallel::OperationGuard guard;
    batch =
        std::make_shared<Batch::Impl>(it.single, it.single_pool, epoch, index / it.plan.batch);
    it.read_sample(*batch, it.single, 0, epoch, index, index % it.plan.batch,
                   scratch_of_this_thread());
  }
  it.tell_warnings();
  return Batch(std::move(batch));
}

std::int64_t Loader::samples() const { return impl_->plan.samples; }

std::int64_t Loader::case_count() const { return impl_->cases.count(); }

Case Loader::case_at(std::int64_t i) const { return impl_->cases.table().at(i); }

std::vector<SkippedCase> Loader::skipped() const {
  const parallel::OperationGuard guard;
  return impl_->cases.skipped();
}

LoaderTimes Loader::times() const {
  const Impl& it = *impl_;
  LoaderTimes times;
  times.draw = it.draw_seconds;
  times.open = it.open_seconds;
  times.read = it.read_seconds;
  times.convert = it.convert_seconds;
  times.augment = it.augment_seconds;
  times.samples = it.samples_read;
  times.voxels_read = it.voxels_read;
  const parallel::OperationGuard guard;
  const ReadAhead* threads = it.read_ahead.load();
  if (threads != nullptr && threads->generation() == parallel::process_generation()) {
    times.waited = threads->waited();
    times.blocked = threads->blocked();
  }
  return times;
}

}  // namespace mlarray::training
