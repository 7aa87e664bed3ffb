// A new file, from its header to its seal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "frame/frame.hpp"
#include "grid/geometry.hpp"
#include "io/file.hpp"
#include "mlarray/array.hpp"
#include "mlarray/metadata.hpp"
#include "pipeline/encode_chunks.hpp"
#include "store/array_header.hpp"
#include "store/tables.hpp"

namespace mlarray::session {

// Without statistics, which are of the voxels before a filter shortened them.
Metadata without_statistics(Metadata metadata);

// Settles layout, codec and metadata before anything is written. Then: begin(), any number of
// add_chunks(), finish(). Not synchronised.
class NewFile {
 public:
  // `has_array`: false if only the metadata counts, and the array is a placeholder.
  // Errors: what choose_layout, params_for and the metadata's check give.
  NewFile(const Shape& shape, const DType& dtype, const Metadata& metadata,
          const SaveOptions& options, bool has_array = true);

  const store::ArrayHeader& array() const { return array_; }
  const grid::Geometry& geometry() const { return array_.geometry; }
  std::vector<std::byte> metadata_layer() const { return metadata_layer_; }
  // Other metalayers to carry along.
  void carry(std::vector<frame::VlMetalayer> layers) { carried_ = std::move(layers); }
  // Records of the voxels that will be added.
  void carry_record(std::string_view name, std::vector<std::byte> bytes) {
    records_.emplace_back(name, std::move(bytes));
  }
  // Metadata that could not be read, to be written as it was.
  void keep_metadata_layer(std::vector<std::byte> chunk) { metadata_layer_ = std::move(chunk); }

  void begin(io::AtomicFile& out);
  void add_chunks(io::AtomicFile& out, int threads, const pipeline::FillChunk& fill);
  // The same for some of the chunks, in ascending order; the others are zeros.
  void add_chunks(io::AtomicFile& out, std::span<const std::int64_t> numbers, int threads,
                  const pipeline::FillChunk& fill);
  // Chunks of which nobody knows whether they are right get no checksums. Before finish().
  void leave_unverified(std::int64_t number) { tables_.forget(number); }
  void finish(io::AtomicFile& out);
  // After finish(): reads the file back, and compares its chunks with what `fill` gives and its
  // metalayers with those that were to be written, `metadata` (if given) in its meaning, too.
  // Chunks that were not added must be zeros.
  // Errors: corruption naming what differs; io; what `fill` throws.
  void read_back(const io::AtomicFile& out, int threads, const pipeline::FillChunk& fill,
                 const std::optional<Metadata>& metadata) const;

 private:
  bool store_metadata_;
  Access access_;  // for reading back
  store::ArrayHeader array_;
  std::vector<std::byte> metadata_layer_;
  std::vector<frame::VlMetalayer> carried_;
  std::vector<std::pair<std::string, std::vector<std::byte>>> records_;
  frame::Header header_;
  std::vector<std::byte> header_bytes_;
  std::vector<frame::IndexEntry> index_;
  std::vector<std::int64_t> added_;  // numbers of the chunks
  store::TableMaker tables_;
  std::vector<frame::VlMetalayer> layers_;  // as finish() wrote them
};

}  // namespace mlarray::session
