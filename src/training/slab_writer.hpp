// A new file whose voxels come in boxes of any size, which advance along one axis.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "io/file.hpp"
#include "mlarray/options.hpp"
#include "mlarray/types.hpp"
#include "session/new_file.hpp"

namespace mlarray::training {

// Chunks are written when all of their voxels are there. Until then, voxels wait in slabs: all
// chunks at one place of the axis.
class SlabWriter {
 public:
  // `background`: fills a slab, C order, where nothing will be put; without it, zeros.
  using Background = std::function<void(const Box& box, std::span<std::byte> voxels)>;

  SlabWriter(const std::filesystem::path& path, const Shape& shape, const DType& dtype,
             const Metadata& metadata, const SaveOptions& options, std::size_t axis,
             Background background);

  // Makes the slabs that [from, to) of the axis meets.
  void begin(std::int64_t from, std::int64_t to);
  // Voxels of a box in slabs that were begun, C order. From any thread, for other voxels.
  void put(const Box& box, std::span<const std::byte> voxels);
  // Whatever is before `end` along the axis is there. Writes what is whole.
  void advance(std::int64_t end);
  // Writes the rest, and puts the file in place.
  void finish();

  std::int64_t bytes() const { return bytes_; }
  std::int64_t peak() const { return peak_; }
  // Bytes of the slabs that [from, to) meets.
  std::int64_t bytes_between(std::int64_t from, std::int64_t to) const;
  const grid::Geometry& geometry() const { return file_.geometry(); }

 private:
  Box slab_box(std::int64_t slab) const;
  void write(std::int64_t first, std::int64_t end);

  std::filesystem::path path_;
  session::NewFile file_;
  std::optional<io::AtomicFile> out_;
  std::size_t axis_;
  int threads_;
  Background background_;
  std::map<std::int64_t, std::vector<std::byte>> slabs_;
  std::int64_t written_ = 0;  // slabs
  std::int64_t bytes_ = 0;
  std::int64_t peak_ = 0;
};

}  // namespace mlarray::training
