#include "training/slab_writer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/naming.hpp"
#include "grid/gather.hpp"
#include "session/publish.hpp"
#include "session/registry.hpp"
#include "training/rows.hpp"

namespace mlarray::training {

SlabWriter::SlabWriter(const std::filesystem::path& path, const Shape& shape,
                       const DType& dtype, const Metadata& metadata, const SaveOptions& options,
                       std::size_t axis, Background background)
    : path_(path),
      file_(base::naming(path.string(),
                         [&] { return session::NewFile(shape, dtype, metadata, options); })),
      axis_(axis),
      threads_(options.threads),
      background_(std::move(background)) {
  session::begin_file(out_, path, options.level);
  file_.begin(*out_);
}

Box SlabWriter::slab_box(std::int64_t slab) const {
  Box box = Box::whole(geometry().shape());
  const std::int64_t length = geometry().chunk()[axis_];
  box.start[axis_] = slab * length;
  box.stop[axis_] = std::min(box.stop[axis_], (slab + 1) * length);
  return box;
}

std::int64_t SlabWriter::bytes_between(std::int64_t from, std::int64_t to) const {
  if (from >= to) return 0;
  const std::int64_t length = geometry().chunk()[axis_];
  std::int64_t bytes = 0;
  for (std::int64_t slab = from / length; slab * length < to; ++slab) {
    bytes += element_count(slab_box(slab).shape()) * geometry().itemsize();
  }
  return bytes;
}

void SlabWriter::begin(std::int64_t from, std::int64_t to) {
  if (from >= to) return;
  const std::int64_t length = geometry().chunk()[axis_];
  for (std::int64_t slab = from / length; slab * length < to; ++slab) {
    if (slabs_.contains(slab)) continue;
    const Box box = slab_box(slab);
    std::vector<std::byte> voxels(
        static_cast<std::size_t>(element_count(box.shape()) * geometry().itemsize()));
    if (background_) background_(box, voxels);
    bytes_ += std::ssize(voxels);
    peak_ = std::max(peak_, bytes_);
    slabs_.emplace(slab, std::move(voxels));
  }
}

void SlabWriter::put(const Box& box, std::span<const std::byte> voxels) {
  const std::int64_t length = geometry().chunk()[axis_];
  const std::int64_t itemsize = geometry().itemsize();
  for (std::int64_t slab = box.start[axis_] / length; slab * length < box.stop[axis_]; ++slab) {
    const Box to = slab_box(slab);
    const Box part = grid::intersect(to, box);
    std::byte* const out = slabs_.at(slab).data();
    const auto bytes =
        static_cast<std::size_t>((part.stop.back() - part.start.back()) * itemsize);
    for_rows(part, [&](const Shape& at) {
      std::memcpy(out + offset_in(to, at) * itemsize,
                  voxels.data() + offset_in(box, at) * itemsize, bytes);
    });
  }
}

void SlabWriter::advance(std::int64_t end) {
  const std::int64_t length = geometry().chunk()[axis_];
  const std::int64_t all = geometry().shape()[axis_];
  const std::int64_t whole = end >= all ? (all + length - 1) / length : end / length;
  if (!background_) {
    write(written_, whole);
    return;
  }
  for (std::int64_t slab = written_; slab < whole; ++slab) {  // not many in memory at once
    begin(slab * length, slab * length + 1);
    write(slab, slab + 1);
  }
}

void SlabWriter::write(std::int64_t first, std::int64_t end) {
  if (end <= first) return;
  const Shape& grid = geometry().chunk_grid();
  Box chunks{Shape(grid.size(), 0), grid};
  std::vector<std::int64_t> numbers;
  for (std::int64_t slab = first; slab < end; ++slab) {
    if (!slabs_.contains(slab)) continue;  // zeros
    chunks.start[axis_] = slab;
    chunks.stop[axis_] = slab + 1;
    for_rows(chunks, [&](const Shape& row) {
      for (Shape at = row; at.back() < chunks.stop.back(); ++at.back()) {
        numbers.push_back(grid::Geometry::ravel(at, grid));
      }
    });
  }
  std::ranges::sort(numbers);
  file_.add_chunks(*out_, numbers, threads_, [&](std::int64_t number, std::span<std::byte> to) {
    const Box part = geometry().chunk_box(number);
    const std::int64_t slab = part.start[axis_] / geometry().chunk()[axis_];
    const Box box = slab_box(slab);
    const std::vector<std::byte>& voxels = slabs_.at(slab);
    if (!grid::fills_padding(geometry(), part)) std::fill(to.begin(), to.end(), std::byte{0});
    grid::gather(geometry(), number, part,
                 {voxels.data(), box.shape(), c_strides(box.shape(), geometry().itemsize())},
                 box.start, to);
  });
  while (!slabs_.empty() && slabs_.begin()->first < end) {
    bytes_ -= std::ssize(slabs_.begin()->second);
    slabs_.erase(slabs_.begin());
  }
  written_ = end;
}

void SlabWriter::finish() {
  advance(geometry().shape()[axis_]);
  file_.finish(*out_);
  session::publish_and_close(*out_, path_);
  out_.reset();
}

}  // namespace mlarray::training
