// One draw read into its place in a batch. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/memory.hpp"
#include "mlarray/augment/pipeline.hpp"
#include "mlarray/training/loader.hpp"
#include "training/batch.hpp"
#include "training/batch_layout.hpp"
#include "training/open_cases.hpp"
#include "training/padding.hpp"

namespace mlarray::training {

// Memory that a thread keeps from one sample to the next, and what it has counted since they
// were taken.
struct ReaderScratch {
  base::Scratch<> raw;
  base::Scratch<> padded;
  std::vector<std::uint8_t> mask;
  base::Scratch<> source;  // of augmentation
  augment::Workspace workspace;
  double read_seconds = 0;
  double convert_seconds = 0;
  double augment_seconds = 0;
  std::int64_t voxels_read = 0;
};

// Immutable; called from any thread, each with a scratch of its own.
class PatchReader {
 public:
  explicit PatchReader(const LoaderOptions& options);

  // Sample `item` of a batch at `data`. Errors: invalid_value and invalid_type for a case that
  // does not fit the layout, or voxels that do not fit their type; those of Array::read.
  void read_label(const OpenCase& one, const Draw& draw, const BatchLayout& layout,
                  std::byte* data, std::int64_t item, ReaderScratch& scratch) const;
  // Whether the draw's centre has its class. After read_label().
  static bool has_label(const Draw& draw, const BatchLayout& layout, const std::byte* data,
                        std::int64_t item, std::span<const LabelClass> classes);
  // All but the label. After read_label().
  void read_others(const OpenCase& one, const Draw& draw, const BatchLayout& layout,
                   std::byte* data, std::int64_t item, ReaderScratch& scratch) const;

 private:
  struct Job;
  void read_group(const Job& job, const FileGroup& group) const;
  void read_file(const Job& job, const OpenFile& file, std::int64_t channel) const;
  void read_inside(const Job& job, const OpenFile& file, std::int64_t channel,
                   const Box& inside) const;
  void read_mapped(const Job& job, const OpenFile& file, std::int64_t channel,
                   const Box& inside) const;
  void convert_part(const Job& job, const OpenFile& file, std::int64_t channel, const Box& part,
                    const Box* fill_around) const;
  static std::pair<Box, ArrayView> view_of_part(const Job& job, const OpenFile& file,
                                                std::int64_t channel, const Box& inside);
  void mark_inside(const Job& job, const Box& inside) const;
  Scaling scaling(const OpenFile& file, std::int64_t channel, const std::byte* voxels,
                  std::int64_t count, const std::uint8_t* mask) const;
  void put_fill(const Job& job, const OpenFile& file, const Scaling* scaling,
                std::int64_t channel, const Box& inside) const;
  bool scales(const Job& job) const;

  Normalization normalization_;
  Padding padding_;
  double image_fill_;
  double label_fill_;
};

}  // namespace mlarray::training
