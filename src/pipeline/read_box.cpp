#include "pipeline/read_box.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "codec/decoder.hpp"
#include "grid/strided.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "pipeline/block_copies.hpp"
#include "store/block_check.hpp"

namespace mlarray::pipeline {
namespace {

// What a thread keeps between blocks and between calls. Blocks are tens of kilobytes, so this
// stays small and in cache; a rare giant buffer is given back after use.
class Worker {
 public:
  static Worker& mine() {
    static thread_local Worker worker;
    return worker;
  }
  std::span<std::byte> scratch(std::size_t size) {
    if (scratch_.size() < size) scratch_.resize(size);
    return std::span(scratch_).first(size);
  }
  void trim() {
    constexpr std::size_t kKeep = std::size_t{4} << 20;
    if (scratch_.size() > kKeep) std::vector<std::byte>().swap(scratch_);
    decoder.trim(kKeep);
    copies.trim(kKeep);
  }
  codec::Decoder decoder;
  BlockCopies copies;

 private:
  std::vector<std::byte> scratch_;
};

// One of the boxes that are read, and the chunks it meets.
struct Target {
  const Box* box = nullptr;
  const ArrayView* out = nullptr;
  Box cells;               // the chunks, in the chunk grid
  std::int64_t first = 0;  // its first chunk, in the list of the chunks of all boxes
  std::int64_t stop = 0;
};

struct ChunkTask {
  const ArrayView* out = nullptr;
  std::int64_t number = 0;
  store::ChunkRef ref;
  codec::ChunkHeader header;
  Box box;     // the voxels wanted of this chunk, counted from the chunk's corner
  Shape base;  // where that box starts in the caller's box
  Box blocks;  // the blocks that box touches
  Shape block_grid;
  std::size_t first_unit = 0;
  std::size_t block_count = 0;
  std::size_t units = 0;  // batches of blocks, or 1 for the chunk as a whole
  bool whole = false;
  bool verify = false;
  std::uint64_t seed = 0;  // of the checksums

  store::BlockCheck check(const grid::Geometry& geometry) const {
    return {ref, header, geometry, number};
  }
};

// The repeated element of a chunk that holds one value.
std::span<const std::byte> repeated_item(const ChunkTask& task,
                                         const grid::Geometry& geometry) {
  if (task.header.special != codec::Special::value) return {};
  const auto size = static_cast<std::size_t>(geometry.itemsize());
  const std::span<const std::byte> bytes = task.ref.bytes.data;
  if (bytes.size() - codec::kChunkHeaderBytes < size) {
    throw Error(ErrorKind::corruption, store::chunk_name(task.number) + " repeats a value of " +
                                           std::to_string(size) + " bytes but has " +
                                           std::to_string(bytes.size()) + " bytes in all");
  }
  return bytes.subspan(codec::kChunkHeaderBytes, size);
}

codec::Special special_of(const ChunkTask& task) {
  return task.ref.special != codec::Special::none ? task.ref.special : task.header.special;
}

// Where in the chunk's block grid the i-th block of the task stands.
Shape block_position(const ChunkTask& task, std::int64_t i) {
  Shape block = grid::Geometry::unravel(i, task.block_grid);
  for (std::size_t a = 0; a < block.size(); ++a) block[a] += task.blocks.start[a];
  return block;
}

// Copies what is wanted of the block at `block` of the chunk's block grid.
void copy_block_part(const ChunkTask& task, const grid::Geometry& geometry, const Shape& block,
                     codec::BlockView view, std::span<const std::byte> ahead,
                     const ArrayView& out) {
  const std::size_t ndim = geometry.ndim();
  std::array<std::int64_t, kMaxDims> shape;
  std::array<std::int64_t, kMaxDims> strides;  // of the block, in elements
  std::int64_t stride = 1;
  std::int64_t first = 0;  // the first element wanted
  std::byte* target = out.data;
  for (std::size_t i = ndim; i-- > 0;) {
    const std::int64_t corner = block[i] * geometry.block()[i];
    const std::int64_t start = std::max(corner, task.box.start[i]);
    const std::int64_t stop = std::min(corner + geometry.block()[i], task.box.stop[i]);
    shape[i] = stop - start;
    strides[i] = stride;
    first += (start - corner) * stride;
    target += (task.base[i] + start - task.box.start[i]) * out.strides[i];
    stride *= geometry.block()[i];
  }
  const std::span wanted = std::span(shape).first(ndim);
  if (view.planes != 0) {
    const std::span planes = std::span(view.plane).first(static_cast<std::size_t>(view.planes));
    for (const std::byte*& plane : planes) plane += first;
    grid::interleave_box(target, out.strides, planes, std::span(strides).first(ndim), wanted,
                         ahead);
    return;
  }
  const std::int64_t itemsize = geometry.itemsize();
  for (std::size_t i = 0; i < ndim; ++i) strides[i] *= itemsize;
  grid::copy_box(target, out.strides, view.plane[0] + first * itemsize,
                 std::span(strides).first(ndim), wanted, itemsize, ahead);
}

// Repeats the chunk's value over what is wanted of it. Memory is taken for that, never for a
// block of the size that a file claims: the value lies there once for the last axes, as far as
// they are short, and the others copy it again and again.
void fill_part(const ChunkTask& task, const grid::Geometry& geometry, const ArrayView& out,
               Worker& worker) {
  constexpr std::int64_t kEnough = std::int64_t{64} << 10;
  const Shape shape = task.box.shape();
  std::vector<std::int64_t> strides(shape.size(), 0);
  std::int64_t bytes = geometry.itemsize();
  std::byte* target = out.data;
  bool repeated = true;
  for (std::size_t i = shape.size(); i-- > 0;) {
    repeated = repeated && (i + 1 == shape.size() || bytes <= kEnough / shape[i]);
    if (repeated) {
      strides[i] = bytes;
      bytes *= shape[i];
    }
    target += task.base[i] * out.strides[i];
  }
  const std::span<std::byte> scratch = worker.scratch(static_cast<std::size_t>(bytes));
  codec::fill_special(special_of(task), repeated_item(task, geometry), geometry.itemsize(),
                      scratch);
  grid::copy_box(target, out.strides, scratch.data(), strides, shape, geometry.itemsize());
}

void run_whole(const ChunkTask& task, const grid::Geometry& geometry, const ArrayView& out,
               Worker& worker) {
  if (task.verify) task.check(geometry).check_all(task.seed);
  if (special_of(task) != codec::Special::none) return fill_part(task, geometry, out, worker);
  const auto bytes = static_cast<std::size_t>(geometry.chunk_bytes());
  const std::span<std::byte> scratch = worker.scratch(bytes);
  worker.decoder.decode_chunk(task.ref.bytes.data, task.header, scratch,
                              store::chunk_name(task.number));
  const std::int64_t count = element_count(task.block_grid);
  for (std::int64_t i = 0; i < count; ++i) {
    const Shape block = block_position(task, i);
    const std::int64_t number = grid::Geometry::ravel(block, geometry.block_grid());
    codec::BlockView view;
    view.plane[0] = scratch.data() + number * geometry.block_bytes();
    copy_block_part(task, geometry, block, view, {}, out);
  }
}

// Number, in the chunk, of the i-th block of the task.
std::int32_t block_number(const ChunkTask& task, const grid::Geometry& geometry,
                          std::size_t i) {
  const Shape block = block_position(task, static_cast<std::int64_t>(i));
  return static_cast<std::int32_t>(grid::Geometry::ravel(block, geometry.block_grid()));
}

// A block where it lies, which says what is wrong with it.
codec::BlockView view_in_chunk(const ChunkTask& task, const grid::Geometry& geometry,
                               std::int32_t block, Worker& worker) {
  // Right before the decoder reads the same bytes.
  if (task.verify) task.check(geometry).check(task.seed, block);
  return worker.decoder.view_block(task.ref.bytes.data, task.header, block,
                                   store::chunk_name(task.number));
}

// A block of which a copy is at hand. Nothing: look at it where it lies.
std::optional<codec::BlockView> view_copy(const ChunkTask& task, const grid::Geometry& geometry,
                                          std::int32_t block, std::span<const std::byte> stored,
                                          Worker& worker) {
  if (task.verify && !task.check(geometry).passes(task.seed, block, stored)) {
    return std::nullopt;
  }
  return worker.decoder.view_stored(stored, task.header, block);
}

// The blocks `first` to `stop` of the task, at most BlockCopies::kMost.
void run_blocks(const store::ChunkStore& store, const ChunkTask& task,
                const grid::Geometry& geometry, std::size_t first, std::size_t stop,
                const ArrayView& out, Worker& worker) {
  std::array<std::int32_t, BlockCopies::kMost> numbers;
  const std::size_t count = stop - first;
  for (std::size_t i = 0; i < count; ++i) numbers[i] = block_number(task, geometry, first + i);
  const std::span wanted = std::span<const std::int32_t>(numbers).first(count);
  const bool copied = worker.copies.fetch(store, task.ref, task.header, wanted);
  for (std::size_t i = 0; i < count; ++i) {
    std::optional<codec::BlockView> view;
    if (copied) view = view_copy(task, geometry, numbers[i], worker.copies[i], worker);
    std::span<const std::byte> ahead;
    if (!view) {
      view = view_in_chunk(task, geometry, numbers[i], worker);
      if (i + 1 < count) {
        const codec::Place next =
            codec::likely_block_place(task.ref.head.data, task.header, numbers[i + 1]);
        ahead = task.ref.bytes.data.subspan(next.offset, next.length);
      }
    }
    const Shape block = grid::Geometry::unravel(numbers[i], geometry.block_grid());
    copy_block_part(task, geometry, block, *view, ahead, out);
  }
}

// The chunks `first` to `stop` of those that the boxes meet, box by box, each in C order.
std::vector<ChunkTask> plan(const store::ChunkStore& store, const grid::Geometry& geometry,
                            std::span<const Target> targets, std::int64_t first,
                            std::int64_t stop, std::size_t batch, bool verify) {
  std::vector<ChunkTask> tasks(static_cast<std::size_t>(stop - first));
  std::vector<std::int64_t> numbers;
  const auto* target =
      std::upper_bound(targets.data(), targets.data() + targets.size(), first,
                       [](std::int64_t chunk, const Target& one) { return chunk < one.stop; });
  for (std::int64_t i = first; i < stop; ++i) {
    if (i == target->stop) ++target;
    const Box& box = *target->box;
    ChunkTask& task = tasks[static_cast<std::size_t>(i - first)];
    task.out = target->out;
    Shape position = grid::Geometry::unravel(i - target->first, target->cells.shape());
    for (std::size_t a = 0; a < position.size(); ++a) {
      position[a] += target->cells.start[a];
      const std::int64_t corner = position[a] * geometry.chunk()[a];
      const std::int64_t start = std::max(box.start[a], corner);
      const std::int64_t end = std::min(box.stop[a], corner + geometry.chunk()[a]);
      task.box.start.push_back(start - corner);
      task.box.stop.push_back(end - corner);
      task.base.push_back(start - box.start[a]);
    }
    task.number = grid::Geometry::ravel(position, geometry.chunk_grid());
    task.blocks = grid::Geometry::cells(task.box, geometry.block());
    task.block_grid = task.blocks.shape();
    numbers.push_back(task.number);
  }
  std::vector<store::ChunkRef> refs = store.get(numbers);
  std::size_t units = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    ChunkTask& task = tasks[i];
    task.ref = std::move(refs[i]);
    task.header = store::checked_header(task.ref, geometry, task.number);
    task.whole = special_of(task) != codec::Special::none || task.header.whole_only();
    task.verify = verify;
    if (verify) task.seed = task.check(geometry).seed();
    task.first_unit = units;
    task.block_count = static_cast<std::size_t>(element_count(task.block_grid));
    task.units = task.whole ? 1 : (task.block_count + batch - 1) / batch;
    units += task.units;
  }
  return tasks;
}

// Asks for the stored bytes of all wanted blocks at once, where they are not in memory: a disk
// delivers what it knows of several times as fast as one page fault after another.
void request_blocks(const store::ChunkStore& store, const grid::Geometry& geometry,
                    const std::vector<ChunkTask>& tasks) {
  constexpr std::size_t kSamples = 8;
  constexpr std::size_t kMostRanges = 4096;  // at a time: a file may have blocks of one voxel
  const auto range = [&](const ChunkTask& task, std::size_t i) -> io::Range {
    if (task.whole) return {task.ref.offset, task.ref.bytes.data.size()};
    const codec::Place place = codec::likely_block_place(task.ref.head.data, task.header,
                                                         block_number(task, geometry, i));
    return {task.ref.offset + place.offset, place.length};
  };
  const auto in_file = [](const ChunkTask& task) {
    return task.ref.offset != store::ChunkRef::kInMemory && !task.ref.bytes.data.empty();
  };
  std::vector<std::uint64_t> samples;
  const ChunkTask* last = nullptr;
  for (std::size_t s = 0; s < kSamples; ++s) {
    const ChunkTask& task = tasks[s * (tasks.size() - 1) / (kSamples - 1)];
    const std::size_t block = task.whole ? 0 : task.block_count / 2;
    if (&task == last) continue;
    last = &task;
    if (in_file(task)) samples.push_back(range(task, block).offset);
  }
  if (store.are_cached(samples)) return;
  std::vector<io::Range> ranges;
  for (const ChunkTask& task : tasks) {
    if (!in_file(task)) continue;
    const std::size_t count = task.whole ? 1 : task.block_count;
    for (std::size_t i = 0; i < count; ++i) {
      ranges.push_back(range(task, i));
      if (ranges.size() < kMostRanges) continue;
      store.prefetch(ranges);
      ranges.clear();
    }
  }
  store.prefetch(ranges);
}

// Large blocks are decoded by fewer threads, so that the memory for those in work at once is
// bounded, whatever size a file gives them; and a little is decoded in the time that it takes
// to wake one (20 to 100 us).
int threads_for(const std::vector<ChunkTask>& tasks, const grid::Geometry& geometry,
                int wanted) {
  constexpr std::int64_t kMostScratch = std::int64_t{128} << 20;
  const bool whole = std::any_of(tasks.begin(), tasks.end(), [](const ChunkTask& task) {
    return task.header.whole_only();
  });
  const std::int64_t unit = whole ? geometry.chunk_bytes() : geometry.block_bytes();
  const std::int64_t most =
      std::max<std::int64_t>(kMostScratch / std::max<std::int64_t>(unit, 1), 1);
  constexpr std::int64_t kWorthAThread = std::int64_t{256} << 10;
  std::int64_t decoded = 0;
  for (const ChunkTask& task : tasks) {
    decoded += static_cast<std::int64_t>(task.block_count) * geometry.block_bytes();
  }
  const std::int64_t useful = std::max<std::int64_t>(decoded / kWorthAThread, 1);
  return static_cast<int>(
      std::min<std::int64_t>({wanted > 0 ? wanted : parallel::num_threads(), most, useful}));
}

// Blocks that one thread takes at a time. Neighbours share cache lines of the target, and the
// stored bytes of the next can be requested early; more would leave threads without work.
std::size_t batch_size(const grid::Geometry& geometry, std::span<const Target> targets,
                       int threads) {
  constexpr std::int64_t kMost = BlockCopies::kMost;
  constexpr std::int64_t kPerThread = 8;
  const std::int64_t wanted = threads > 0 ? threads : parallel::num_threads();
  std::int64_t blocks = 0;
  for (const Target& target : targets) {
    blocks += element_count(grid::Geometry::cells(*target.box, geometry.block()).shape());
    if (blocks >= kMost * wanted * kPerThread) break;
  }
  return static_cast<std::size_t>(
      std::clamp<std::int64_t>(blocks / (wanted * kPerThread), 1, kMost));
}

}  // namespace

void read_box(const store::ChunkStore& store, const grid::Geometry& geometry, const Box& box,
              const ArrayView& out, const ReadOptions& options) {
  read_boxes(store, geometry, std::span(&box, 1), std::span(&out, 1), options);
}

void read_boxes(const store::ChunkStore& store, const grid::Geometry& geometry,
                std::span<const Box> boxes, std::span<const ArrayView> out,
                const ReadOptions& options) {
  std::vector<Target> targets;
  targets.reserve(boxes.size());
  std::int64_t count = 0;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (boxes[i].empty()) continue;
    Target target{&boxes[i], &out[i], grid::Geometry::cells(boxes[i], geometry.chunk()), count,
                  0};
    count += element_count(target.cells.shape());
    target.stop = count;
    targets.push_back(std::move(target));
  }
  // A plan takes some hundred bytes for each chunk, a chunk of one voxel as well; and what is
  // requested from the disk must not push out of memory what was requested first.
  constexpr std::int64_t kMostPlanned = std::int64_t{512} << 20;
  const std::int64_t most_chunks = std::clamp<std::int64_t>(
      kMostPlanned / std::max<std::int64_t>(geometry.chunk_bytes(), 1), 1, 16384);
  const std::size_t batch = batch_size(geometry, targets, options.threads);
  for (std::int64_t first = 0; first < count; first += most_chunks) {
    const std::vector<ChunkTask> tasks =
        plan(store, geometry, targets, first, std::min(first + most_chunks, count), batch,
             options.verify);
    request_blocks(store, geometry, tasks);
    const std::size_t units = tasks.back().first_unit + tasks.back().units;
    const int threads = threads_for(tasks, geometry, options.threads);
    parallel::parallel_for(units, threads, [&](std::size_t unit, int) {
      const auto it = std::upper_bound(
          tasks.begin(), tasks.end(), unit,
          [](std::size_t u, const ChunkTask& task) { return u < task.first_unit; });
      const ChunkTask& task = *(it - 1);
      Worker& worker = Worker::mine();
      if (task.whole) {
        run_whole(task, geometry, *task.out, worker);
      } else {
        const std::size_t at = (unit - task.first_unit) * batch;
        run_blocks(store, task, geometry, at, std::min(at + batch, task.block_count), *task.out,
                   worker);
      }
      worker.trim();
    });
  }
}

void read_chunk(const store::ChunkStore& store, const grid::Geometry& geometry,
                std::int64_t number, std::span<std::byte> out, bool verify) {
  ChunkTask task;
  task.number = number;
  task.ref = store.get(number);
  store.prefetch(task.ref);
  task.header = store::checked_header(task.ref, geometry, number);
  if (verify) {
    const store::BlockCheck check = task.check(geometry);
    check.check_all(check.seed());
  }
  if (const codec::Special special = special_of(task); special != codec::Special::none) {
    codec::fill_special(special, repeated_item(task, geometry), geometry.itemsize(), out);
    return;
  }
  Worker& worker = Worker::mine();
  worker.decoder.decode_chunk(task.ref.bytes.data, task.header, out, store::chunk_name(number));
}

}  // namespace mlarray::pipeline
