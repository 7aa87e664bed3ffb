#include "pipeline/read_box.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "codec/decoder.hpp"
#include "grid/strided.hpp"
#include "parallel/thread_pool.hpp"
#include "pipeline/block_copies.hpp"
#include "pipeline/read_plan.hpp"

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

// So many bytes of a block hold what is wanted of it.
std::size_t wanted_bytes(const ChunkTask& task, const grid::Geometry& geometry,
                         const Shape& block) {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const std::int64_t length = geometry.block()[i];
    const std::int64_t stop = std::min(length, task.box.stop[i] - block[i] * length);
    last = last * length + stop - 1;
  }
  return static_cast<std::size_t>((last + 1) * geometry.itemsize());
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
  task.job.fill(scratch);
  grid::copy_box(target, out.strides, scratch.data(), strides, shape, geometry.itemsize());
}

void run_whole(const ChunkTask& task, const grid::Geometry& geometry, const ArrayView& out,
               Worker& worker) {
  task.job.verify_all();
  if (task.job.special() != codec::Special::none) {
    return fill_part(task, geometry, out, worker);
  }
  const auto bytes = static_cast<std::size_t>(geometry.chunk_bytes());
  const std::span<std::byte> scratch = worker.scratch(bytes);
  task.job.decode_all(worker.decoder, scratch);
  const std::int64_t count = element_count(task.block_grid);
  for (std::int64_t i = 0; i < count; ++i) {
    const Shape block = task.block_position(i);
    const std::int64_t number = grid::Geometry::ravel(block, geometry.block_grid());
    codec::BlockView view;
    view.plane[0] = scratch.data() + number * geometry.block_bytes();
    copy_block_part(task, geometry, block, view, {}, out);
  }
}

// The blocks `first` to `stop` of the task, at most BlockCopies::kMost.
void run_blocks(const store::ChunkStore& store, const ChunkTask& task,
                const grid::Geometry& geometry, std::size_t first, std::size_t stop,
                const ArrayView& out, Worker& worker) {
  std::array<std::int32_t, BlockCopies::kMost> numbers;
  const std::size_t count = stop - first;
  for (std::size_t i = 0; i < count; ++i) numbers[i] = task.block_number(geometry, first + i);
  const std::span wanted = std::span<const std::int32_t>(numbers).first(count);
  const bool copied =
      task.stored.empty() && worker.copies.fetch(store, task.job, task.places, wanted);
  const DecodeJob* job = &task.job;
  std::optional<DecodeJob> loaded;
  for (std::size_t i = 0; i < count; ++i) {
    const Shape block = grid::Geometry::unravel(numbers[i], geometry.block_grid());
    const std::size_t enough = wanted_bytes(task, geometry, block);
    std::optional<codec::BlockView> view;
    if (!task.stored.empty()) {
      view = job->view_stored(worker.decoder, numbers[i], task.stored[first + i], enough);
    } else if (copied) {
      view = job->view_stored(worker.decoder, numbers[i], worker.copies[i], enough);
    }
    std::span<const std::byte> ahead;
    if (!view) {
      // Where it lies in its chunk, which says what is wrong with it.
      if (!job->ref().is_loaded()) {
        job = &loaded.emplace(task.job);
        loaded->load(store);
      }
      view = job->view_block(worker.decoder, numbers[i], enough);
      if (i + 1 < count) {
        const codec::Place next =
            codec::likely_block_place(job->ref().head.data, job->header(), numbers[i + 1]);
        ahead = job->ref().bytes.data.subspan(next.offset, next.length);
      }
    }
    copy_block_part(task, geometry, block, *view, ahead, out);
  }
}

// Large blocks are decoded by fewer threads, so that the memory for those in work at once is
// bounded, whatever size a file gives them; and a little is decoded in the time that it takes
// to wake one (20 to 100 us).
int threads_for(const std::vector<ChunkTask>& tasks, const grid::Geometry& geometry,
                int wanted) {
  constexpr std::int64_t kMostScratch = std::int64_t{128} << 20;
  const bool whole = std::any_of(tasks.begin(), tasks.end(), [](const ChunkTask& task) {
    return task.job.header().whole_only();
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
  const Verify verify = !options.verify ? Verify::no
                        : options.again ? Verify::always
                                        : Verify::once;
  const std::int64_t most_chunks = most_planned(store, geometry);
  const std::size_t batch = batch_size(geometry, targets, options.threads);
  for (std::int64_t first = 0; first < count; first += most_chunks) {
    std::vector<ChunkTask> tasks =
        plan(store, geometry, targets, first, std::min(first + most_chunks, count), verify);
    const io::Gathered fetched = fetch(store, geometry, tasks);
    std::size_t units = 0;
    for (ChunkTask& task : tasks) {
      task.first_unit = units;
      units += task.whole ? 1 : (task.block_count + batch - 1) / batch;
    }
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
  const DecodeJob job(store.get(number), geometry, number,
                      verify ? Verify::always : Verify::no);
  store.prefetch(job.ref());
  job.verify_all();
  job.decode_all(Worker::mine().decoder, out);
}

}  // namespace mlarray::pipeline
