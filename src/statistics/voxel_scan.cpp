#include "statistics/voxel_scan.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>

#include "base/naming.hpp"
#include "base/zeros.hpp"
#include "grid/strided.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "pipeline/decode_job.hpp"
#include "pipeline/read_box.hpp"
#include "statistics/element_types.hpp"

namespace mlarray::statistics {
namespace {

// Enough for any number of cores, and few enough to keep something of each.
constexpr std::int64_t kMostGroups = 1024;
// What all threads together may take for blocks, and threads in all: what they keep besides is
// bounded by that (statistics.cpp).
constexpr std::int64_t kMostScratch = std::int64_t{64} << 20;
constexpr int kMostThreads = 256;

// Cuts a view into pieces that are short in memory: whole along its narrowest strides.
grid::Geometry pieces_of(const ConstArrayView& view, std::int64_t itemsize) {
  constexpr std::int64_t kElements = std::int64_t{1} << 15;
  std::vector<std::size_t> axes(view.shape.size());
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  std::stable_sort(axes.begin(), axes.end(), [&](std::size_t a, std::size_t b) {
    return std::abs(view.strides[a]) < std::abs(view.strides[b]);
  });
  Shape piece(view.shape.size(), 1);
  std::int64_t room = kElements;
  for (const std::size_t axis : axes) {
    piece[axis] = std::clamp<std::int64_t>(view.shape[axis], 1, room);
    room /= piece[axis];
  }
  return {view.shape, piece, piece, itemsize};
}

std::span<std::byte> first(std::vector<std::byte>& memory, std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(bytes);
  if (memory.size() < size) memory.resize(size);
  return std::span(memory).first(size);
}

template <std::size_t kSize>
void swap_each(std::span<std::byte> bytes) {
  for (std::size_t i = 0; i + kSize <= bytes.size(); i += kSize) {
    std::reverse(bytes.data() + i, bytes.data() + i + kSize);
  }
}

void to_native(const DType& dtype, std::span<std::byte> bytes) {
  if (dtype.big_endian() == (std::endian::native == std::endian::big)) return;
  if (dtype.itemsize() == 2) swap_each<2>(bytes);
  if (dtype.itemsize() == 4) swap_each<4>(bytes);
  if (dtype.itemsize() == 8) swap_each<8>(bytes);
}

// The voxels of any box, compact, in the byte order of the machine.
void read_native(const VoxelSource& source, const Box& box, std::span<std::byte> out) {
  const std::int64_t itemsize = source.dtype.itemsize();
  const Shape shape = box.shape();
  const std::vector<std::int64_t> strides = grid::c_strides(shape, itemsize);
  if (source.state) {
    pipeline::read_box(*source.state->chunks, source.state->geometry(), box,
                       {out.data(), shape, strides}, {.threads = 1, .verify = source.verify});
  } else {
    const std::byte* from = source.view->data;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      from += box.start[i] * source.view->strides[i];
    }
    grid::copy_box(out.data(), strides, from, source.view->strides, shape, itemsize);
  }
  to_native(source.dtype, out);
}

template <class T>
bool is_one_of(T value, const std::vector<std::int64_t>& values) {
  return std::any_of(values.begin(), values.end(), [&](std::int64_t v) {
    if constexpr (std::is_integral_v<T>) {
      return std::cmp_equal(value, v);
    } else {
      const double real = to_double(value);
      // Of great integers the double next to them is not the same.
      return -0x1p63 <= real && real < 0x1p63 && real == static_cast<double>(v) &&
             static_cast<std::int64_t>(real) == v;
    }
  });
}

}  // namespace

// Reads block after block; one per thread.
class VoxelScan::Reader {
 public:
  explicit Reader(const VoxelScan& scan) : scan_(scan), geometry_(scan.geometry_) {}

  // All voxels of a chunk that holds one value, where no mask tells them apart.
  std::optional<Elements> read_repeated(std::int64_t chunk) {
    if (scan_.voxels_.view || scan_.mask_) return std::nullopt;
    enter(chunk);
    if (!special_) return std::nullopt;
    box_ = geometry_.chunk_box(chunk);
    return Elements{first(scratch_, geometry_.itemsize()), element_count(box_.shape()), &box_};
  }

  // Nothing if none of the block's voxels is selected.
  std::optional<Elements> read(std::int64_t unit) {
    const std::int64_t chunk = unit / geometry_.block_count();
    const std::int64_t block = unit % geometry_.block_count();
    box_ = geometry_.block_box(chunk, block);
    const Box& box = box_;
    if (box.empty()) return std::nullopt;
    const std::int64_t count = element_count(box.shape());
    const std::int64_t selected = scan_.mask_ ? select(*scan_.mask_, box, count) : count;
    if (selected == 0) return std::nullopt;
    if (scan_.voxels_.view) {
      const auto out = first(scratch_, count * geometry_.itemsize());
      read_native(scan_.voxels_, box, out);
      return Elements{selected < count ? pick(out, count) : out, 1, &box_};
    }
    enter(chunk);
    if (special_) return Elements{first(scratch_, geometry_.itemsize()), selected, &box_};
    const auto out = cut(stored(block), box, count);
    to_native(scan_.voxels_.dtype, out);
    return Elements{selected < count ? pick(out, count) : out, 1, &box_};
  }

 private:
  // Marks the voxels of a box that count, and says how many do.
  std::int64_t select(const VoxelSource& mask, const Box& box, std::int64_t count) {
    const DType& dtype = mask.dtype;
    const auto bytes = first(mask_, count * dtype.itemsize());
    base::naming(mask.path, [&] { read_native(mask, box, bytes); });
    if (scan_.mask_values_.empty() && base::all_zero(bytes)) return 0;
    selected_.resize(static_cast<std::size_t>(count));
    return with_type(dtype, [&]<class T>() {
      std::int64_t chosen = 0;
      for (std::size_t i = 0; i < selected_.size(); ++i) {
        T value;
        std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
        const bool counts = scan_.mask_values_.empty() ? to_double(value) != 0
                                                       : is_one_of(value, scan_.mask_values_);
        selected_[i] = counts ? 1 : 0;
        chosen += selected_[i];
      }
      return chosen;
    });
  }

  // Moves the elements that count to the front.
  std::span<std::byte> pick(std::span<std::byte> elements, std::int64_t count) {
    const auto itemsize = static_cast<std::size_t>(geometry_.itemsize());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      std::memmove(elements.data() + kept, elements.data() + i * itemsize, itemsize);
      kept += selected_[i] * itemsize;
    }
    return elements.first(kept);
  }

  void enter(std::int64_t chunk) {
    if (chunk == chunk_) return;
    chunk_ = -1;
    job_ = {scan_.voxels_.state->chunks->get(chunk), geometry_, chunk,
            scan_.voxels_.verify ? pipeline::Verify::once : pipeline::Verify::no};
    special_ = job_.special() != codec::Special::none;
    if (special_) {
      Box corner{geometry_.chunk_box(chunk).start, {}};
      for (const std::int64_t start : corner.start) corner.stop.push_back(start + 1);
      read_native(scan_.voxels_, corner, first(scratch_, geometry_.itemsize()));
    } else if (job_.is_whole()) {
      job_.verify_all();
      job_.decode_all(decoder_, first(whole_, geometry_.chunk_bytes()));
    }
    chunk_ = chunk;
  }

  // A block as it is stored, with its padding.
  std::span<std::byte> stored(std::int64_t block) {
    const std::int64_t bytes = geometry_.block_bytes();
    const auto out = first(scratch_, bytes);
    if (job_.is_whole()) {
      std::memcpy(out.data(), whole_.data() + block * bytes, out.size());
    } else {
      job_.decode_block(decoder_, static_cast<std::int32_t>(block), out);
    }
    return out;
  }

  // Without the padding.
  std::span<std::byte> cut(std::span<std::byte> block, const Box& box, std::int64_t count) {
    const Shape shape = box.shape();
    const std::int64_t itemsize = geometry_.itemsize();
    if (shape == geometry_.block()) return block;
    const auto out = first(compact_, count * itemsize);
    grid::copy_box(out.data(), grid::c_strides(shape, itemsize), block.data(),
                   grid::c_strides(geometry_.block(), itemsize), shape, itemsize);
    return out;
  }

  const VoxelScan& scan_;
  const grid::Geometry& geometry_;
  std::int64_t chunk_ = -1;  // whose facts these are:
  pipeline::DecodeJob job_;
  bool special_ = false;  // its one voxel is in scratch_
  Box box_;               // of what was read last
  codec::Decoder decoder_;
  std::vector<std::byte> scratch_, compact_, whole_, mask_;
  std::vector<std::uint8_t> selected_;
};

VoxelScan::VoxelScan(const VoxelSource& voxels, const std::optional<VoxelSource>& mask,
                     std::vector<std::int64_t> mask_values, int threads)
    : voxels_(voxels), mask_(mask), mask_values_(std::move(mask_values)) {
  geometry_ = voxels.state ? voxels.state->geometry()
                           : pieces_of(*voxels.view, voxels.dtype.itemsize());
  if (mask_) {
    if (mask_->shape() != voxels.shape()) {
      throw Error(ErrorKind::invalid_value,
                  "the mask has the shape " + to_string(mask_->shape()) + ", the array " +
                      to_string(voxels.shape()) + "; give a mask of the array's shape");
    }
    with_type(mask_->dtype, []<class T>() {});
  }
  units_ = geometry_.chunk_count() * geometry_.block_count();
  groups_ = static_cast<std::size_t>(std::min(units_, kMostGroups));
  const std::int64_t fit =
      kMostScratch / std::max<std::int64_t>(3 * geometry_.block_bytes(), 1);
  threads_ = std::clamp(static_cast<int>(std::min<std::int64_t>(fit, kMostThreads)), 1,
                        parallel::worker_count(groups_, threads));
}

std::int64_t VoxelScan::first_unit(std::size_t group) const {
  const auto g = static_cast<std::int64_t>(group);
  const auto count = static_cast<std::int64_t>(groups_);
  return g * (units_ / count) + std::min(g, units_ % count);
}

void VoxelScan::run(const Body& body) const {
  std::vector<std::unique_ptr<Reader>> readers(static_cast<std::size_t>(threads_));
  parallel::parallel_for(groups_, threads_, [&](std::size_t group, int worker) {
    auto& reader = readers[static_cast<std::size_t>(worker)];
    if (!reader) reader = std::make_unique<Reader>(*this);
    const std::int64_t stop = group + 1 == groups_ ? units_ : first_unit(group + 1);
    const std::int64_t blocks = geometry_.block_count();
    for (std::int64_t unit = first_unit(group); unit < stop;) {
      if (unit % blocks == 0 && unit + blocks <= stop) {
        if (const auto elements = reader->read_repeated(unit / blocks)) {
          body(worker, group, *elements);
          unit += blocks;
          continue;
        }
      }
      if (const auto elements = reader->read(unit)) body(worker, group, *elements);
      ++unit;
    }
  });
}

void VoxelScan::sample(const Body& body) const {
  constexpr std::int64_t kBytes = std::int64_t{4} << 20;
  if (units_ == 0) return;
  const std::int64_t wanted = std::clamp<std::int64_t>(
      kBytes / std::max<std::int64_t>(geometry_.block_bytes(), 1), 4, 64);
  const std::int64_t step = std::max<std::int64_t>(units_ / wanted, 1);
  Reader reader(*this);
  for (std::int64_t unit = step / 2; unit < units_; unit += step) {
    if (const auto elements = reader.read(unit)) body(0, 0, *elements);
  }
}

}  // namespace mlarray::statistics
