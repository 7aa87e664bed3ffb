// LabelIndex: where the classes of a label map are, so that a voxel of a class is drawn without
// reading the map. Of every class an exact count, and up to `positions` of its voxels, which
// are a uniform choice that depends on nothing but the map.
//
//   build_label_index("case_seg.mla");                  // stored in the file, as a record
//   const auto index = LabelIndex::of(Array::open("case_seg.mla")).value();
//   const auto voxel = index.draw_label(3, random);     // nothing: no voxel has the label 3
//
// Stored it is a record of the label's .mla (docs/format.md, "Records"): it holds for the
// voxels that it was made of, and an edit of any writer ends it. Immutable; safe from any
// thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "mlarray/array.hpp"
#include "mlarray/export.hpp"
#include "mlarray/random.hpp"

namespace mlarray::training {

struct LabelIndexOptions {
  // Kept of one class, at most; in all at most 2^22, so of more than 419 classes fewer of each.
  std::int64_t positions = 10'000;
  // Not indexed one by one, because draws by class do not ask for it: its count alone is kept.
  std::optional<std::int64_t> background = 0;
  // Joined classes, as the regions of nnU-Net: a draw of `joined[i]` is one of any of its
  // labels.
  std::vector<std::vector<std::int64_t>> joined = {};
  int threads = 0;  // 0: the process-wide number
};

// One class: its label, or those of a joined class.
struct LabelClass {
  std::vector<std::int64_t> labels;
  std::int64_t count = 0;      // voxels, exact
  std::int64_t positions = 0;  // of them kept
};

class MLARRAY_EXPORT LabelIndex {
 public:
  // Reads all of a label map, by chunk and in parallel. Never with all voxels in memory.
  // Errors: invalid_type for elements that are no bool or integers of up to 8 bytes;
  // unsupported for more than 65,536 classes, which is no label map; corruption, io, closed.
  static LabelIndex build(const Array& labels, const LabelIndexOptions& options = {});
  // The one that is stored with the array and holds of what it shows.
  static std::optional<LabelIndex> of(const Array& labels);
  // From positions that others have listed, as nnU-Net's class_locations: of each class, voxels
  // (n, axes) one after the other. Their counts are those of the lists.
  struct Listed {
    std::vector<std::int64_t> labels;
    std::vector<std::int64_t> voxels;
  };
  static LabelIndex from_lists(const Shape& shape, std::span<const Listed> classes);

  // As it is stored, and back. Errors: corruption for bytes that are no index of such a shape.
  std::vector<std::byte> bytes() const;
  static LabelIndex from_bytes(std::span<const std::byte> bytes);

  const Shape& shape() const;
  // Ascending by label, then the joined ones in their order. Those without a voxel are not
  // here.
  std::span<const LabelClass> classes() const;
  // Place in classes() of this label; -1: no voxel has it.
  std::int64_t find(std::int64_t label) const;
  // Voxels of all single classes but the background.
  std::int64_t foreground() const;
  std::optional<std::int64_t> background() const;  // as it was asked for; of lists: nothing
  // Whether it was made from lists: it does not count all voxels of the map.
  bool listed() const;
  // A voxel of classes()[which], all that are kept being equally likely. O(1).
  // Errors: out_of_bounds; invalid_value for a class of which no positions are kept.
  Shape draw(std::size_t which, Random& random) const;
  // The same of a single label; nothing where no voxel has it. Errors: invalid_value.
  std::optional<Shape> draw_label(std::int64_t label, Random& random) const;
  // The kept voxels of it themselves, in C order: 0 ... LabelClass::positions - 1.
  // Errors: out_of_bounds.
  Shape voxel(std::size_t which, std::int64_t position) const;
  // Memory that it takes.
  std::size_t memory() const;

  class Impl;

 private:
  explicit LabelIndex(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

// Builds the index of a .mla file and stores it there, unless it has the same already: true
// where something was written. It stays there until voxels are edited. A file without checksums
// can hold no record. Errors: as LabelIndex::build and Array::open in mode read_write;
// unsupported.
MLARRAY_EXPORT bool build_label_index(const std::filesystem::path& path,
                                      const LabelIndexOptions& options = {},
                                      CommitLevel level = CommitLevel::ordered);
// The same of an array that is open in mode read_write, with a commit of all edits.
// Errors: also invalid_use if voxels are edited meanwhile.
MLARRAY_EXPORT bool build_label_index(Array& labels, const LabelIndexOptions& options = {},
                                      CommitLevel level = CommitLevel::ordered);

// Stores an index that was made elsewhere, as from lists, with its label map: true where
// something was written. It is believed until voxels are edited. Errors: as above;
// invalid_value for an index of another shape.
MLARRAY_EXPORT bool store_label_index(const std::filesystem::path& path,
                                      const LabelIndex& index,
                                      CommitLevel level = CommitLevel::ordered);

// The index of a label map: the stored one; else one of `cache`, a folder, if that has it; else
// it is built, and kept in `cache`. A file in the cache is believed only of the same voxels
// (Array::commit_name()), or, where nothing names them, of the same path, size and time of
// change. `cache` empty: nothing is kept. Errors: as build. A cache that cannot be written is
// no error.
MLARRAY_EXPORT LabelIndex label_index_of(const Array& labels,
                                         const std::filesystem::path& cache = {},
                                         const LabelIndexOptions& options = {});

// What nnU-Net 2 has listed in the .pkl of a preprocessed case, its "class_locations": voxels
// (n, channel and axes of space) of each label, and of each region, which becomes a joined
// class. `shape`: of the label map, with the axis of channels or without. The file is read as
// data, nothing in it is called; with `cache`, a folder, once for all. Errors: not_found, io;
// corruption, unsupported for what is no pickle that can be read; invalid_value for one of
// something else; out_of_bounds for voxels outside of the shape.
MLARRAY_EXPORT LabelIndex nnunet_class_locations(const std::filesystem::path& pkl,
                                                 const Shape& shape,
                                                 const std::filesystem::path& cache = {});

}  // namespace mlarray::training
