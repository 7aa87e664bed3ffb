// Loader: batches of patches, read and decoded by threads straight to their place in the batch.
//
//   const auto cases = std::vector<Case>{{"a", {"a.mla"}, {"a_seg.mla"}}};
//   LoaderOptions options;
//   options.patch = {128, 128, 128};
//   options.batch = 2;
//   options.samples_per_epoch = 500;
//   Loader loader(cases, balanced_sampler(options.patch), options);
//   while (const auto batch = loader.next()) train(batch->image(), batch->label());
//   loader.set_epoch(1);
//
// Batches come in order and are the same for any number of threads and of ranks. Threads read
// ahead until `prefetch_bytes` of batches wait. Thread safety: one thread at a time calls
// next(), wait(), set_epoch(), state() or restore(); any may call the others. After a fork, the
// child's loader goes on where the parent's stood, with threads of its own.
//
// Memory: waiting batches, those that the caller holds, a slab or box per thread, some 30 bytes
// and the paths of each case, 32 MiB of label indexes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mlarray/augment/pipeline.hpp"
#include "mlarray/export.hpp"
#include "mlarray/training/case.hpp"
#include "mlarray/training/normalize.hpp"
#include "mlarray/training/sampler.hpp"

namespace mlarray::training {

// What the voxels of an image become in a batch.
enum class VoxelType {
  stored,
  uint8,
  int16,
  int32,
  int64,
  float16,
  bfloat16,
  float32,
  float64
};

// What stands where a box leaves the image. The label's is always constant.
enum class Padding { constant, edge, reflect };  // reflect: as numpy's, without the edge twice

struct LoaderOptions {
  Shape patch;  // voxels along the spatial axes
  std::int64_t batch = 2;
  // 0: as many as the sampler has by nature, else one for each case.
  std::int64_t samples_per_epoch = 0;
  std::uint64_t seed = 0;

  // Batch b of an epoch goes to rank b % world_size. Every rank gets the same number of
  // batches.
  int rank = 0;
  int world_size = 1;
  // What does not fill a batch of every rank: dropped, or filled up from the epoch's start,
  // each place by a sample that has the same place in its batch.
  bool drop_last = true;

  VoxelType image_type = VoxelType::float32;
  VoxelType label_type = VoxelType::stored;
  Normalization normalization = {};
  Padding padding = Padding::constant;
  double image_fill = 0;      // of Padding::constant, before normalisation
  double label_fill = 0;      // nnU-Net: -1
  bool mask_padding = false;  // adds "inside": 1 where the patch is in the image, else 0

  // What is done to each sample: the sampler draws boxes of its `initial`, of which only
  // augment::support() is read, and `patch` is what it makes. What it draws follows from
  // Draw::seed: augment::draw(*augment, draw.seed, channels). A pipeline with an axis less
  // makes slices, with a patch of 1 along the other. Padding is of the box that was drawn;
  // outside of that, the pipeline's. Images are float32 or rounded to another type of floats,
  // labels int16: "label", and of further scales "label_1", "label_2" ... Not with extra files,
  // mask_padding, or a normalisation by the voxels of a patch.
  std::shared_ptr<const augment::Pipeline> augment = {};
  // For who augments elsewhere, as on a GPU: what is drawn is not applied. Batches are initial
  // patches of float32 and int16, of which the support is read; around it 0 and -1.
  // augment::placement() of what was drawn says where the voxels of the patch lie.
  bool augment_raw = false;

  int threads = 0;                                        // 0: the process-wide number
  std::int64_t prefetch_bytes = std::int64_t{256} << 20;  // at least one batch is read ahead
  int open_cases = 128;                                   // kept open, with all their files
  std::optional<bool> verify = {};                        // as OpenOptions
  std::filesystem::path index_cache = {};                 // label_index_of()
  LabelIndexOptions index = {};
  // Indexes that the caller has: one for each case, or null: label_index_of().
  std::vector<std::shared_ptr<const LabelIndex>> indexes = {};

  // A case that cannot be read is an error of next() that names it; or, with `skip_unreadable`,
  // another sample is drawn for its place, skipped() has the error, and one warning names the
  // case. What is wrong with options, or with cases that do not fit together, is an error all
  // the same: only not_found, busy, io, corruption and unsupported are skipped.
  bool skip_unreadable = false;
  // Called by next() and sample(), in their thread.
  std::function<void(const std::string&)> warn = {};
};

// One batch. Copies share its memory, which goes back to the loader when the last one goes,
// also after the loader's end: fields, draws and spans are valid until then.
class MLARRAY_EXPORT Batch {
 public:
  struct Field {
    std::string name;  // "image", "label", "label_1", "inside", and those of Case::extra
    DType dtype;       // bfloat16 as uint16, with `bfloat16` set
    bool bfloat16 = false;
    Shape shape;                 // (B, channels, spatial axes)
    std::span<std::byte> bytes;  // in C order, native byte order, aligned to 64 bytes; writable
    // The same as numbers. Errors: invalid_type where the field's elements are no Ts.
    template <Element T>
    std::span<T> as() const {
      if (!dtype.is<T>()) fail_elements(DType::of<T>());
      return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
    }

   private:
    [[noreturn]] void fail_elements(const DType& wanted) const;
  };
  std::span<const Field> fields() const;
  const Field* find(std::string_view name) const;  // null: no such field
  const Field& image() const;
  const Field& label() const;           // Errors: invalid_use without labels
  std::span<const Draw> draws() const;  // one for each sample
  std::int64_t epoch() const;
  std::int64_t index() const;  // of the batch in the epoch, of all ranks
  // From voxel of the patch to position, as the image's affine says. Of sample `i`; with what
  // augmentation has turned, scaled and flipped.
  Matrix affine(std::size_t i) const;

  class Impl;

 private:
  friend class Loader;
  explicit Batch(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

// Where a loader stands: what next() will return next. The rest follows from its options.
struct LoaderState {
  std::int64_t epoch = 0;
  std::int64_t batches_done = 0;  // of this rank
  int world_size = 1;             // in the middle of an epoch it must be the same
  // Of the cases' names and of all options that decide draws, except the sampler.
  std::uint64_t fingerprint = 0;
};

struct SkippedCase {
  std::int64_t case_index = 0;
  std::string error;
};

// Seconds that threads have spent, summed over them, since the loader was made.
struct LoaderTimes {
  double draw = 0;               // samplers
  double open = 0;               // cases, and indexes of their labels
  double read = 0, convert = 0;  // read: disk, checksums, decoding
  double augment = 0;
  double waited = 0;   // of the consumer, in next()
  double blocked = 0;  // of threads, because enough was read ahead
  std::int64_t samples = 0;
  std::int64_t voxels_read = 0;
};

class MLARRAY_EXPORT Loader {
 public:
  // Opens nothing but the first case, and what the sampler asks for (Sampler::bound()). Errors:
  // invalid_value for options that do not fit together; not_found, corruption ... of the first
  // case.
  Loader(const std::vector<Case>& cases, const std::shared_ptr<const Sampler>& sampler,
         const LoaderOptions& options);
  // The same of cases that come one by one, of which the paths are kept. What `next` throws is
  // passed on.
  static Loader of_each(const CaseSource& next, const std::shared_ptr<const Sampler>& sampler,
                        const LoaderOptions& options);
  ~Loader();  // stops the threads within one sample's time
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  // The next batch; nothing at the end of the epoch, until set_epoch(). Errors: those of the
  // case, which they name: the batch counts as not handed out, and another call reads it again;
  // invalid_use after cancel().
  std::optional<Batch> next();
  // Waits until next() has an answer, an error among them, but no longer than that: whether it
  // has. For who must look at something else meanwhile, as at signals.
  bool wait(std::chrono::milliseconds longest);
  std::int64_t batches() const;  // of this rank in an epoch
  // Goes to the start of an epoch. What was read ahead of another is dropped.
  void set_epoch(std::int64_t epoch);
  LoaderState state() const;               // also with batches read ahead: they are not counted
  void restore(const LoaderState& state);  // Errors: invalid_value: of another loader
  // Ends a next() that waits, and all threads. Any thread may call it.
  void cancel() noexcept;

  // One sample on the caller's thread, for who has workers of his own: a batch of one. Any
  // thread may call it. Errors: out_of_bounds; those of the case.
  Batch sample(std::int64_t epoch, std::int64_t index) const;
  std::int64_t samples() const;  // in an epoch, of all ranks

  std::int64_t case_count() const;
  Case case_at(std::int64_t i) const;  // Errors: out_of_bounds
  std::vector<SkippedCase> skipped() const;
  LoaderTimes times() const;

  class Impl;

 private:
  explicit Loader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mlarray::training
