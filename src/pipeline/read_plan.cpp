#include "pipeline/read_plan.hpp"

#include <algorithm>
#include <utility>

#include "codec/decoder.hpp"

namespace mlarray::pipeline {
namespace {

io::Range whole_range(const ChunkTask& task) {
  return {task.job.ref().offset, task.job.ref().length};
}

// Asks for the stored bytes of all wanted blocks at once, where they are not in memory: a disk
// delivers what it knows of several times as fast as one page fault after another.
void request_blocks(const store::ChunkStore& store, const grid::Geometry& geometry,
                    const std::vector<ChunkTask>& tasks) {
  constexpr std::size_t kSamples = 8;
  constexpr std::size_t kMostRanges = 4096;  // at a time: a file may have blocks of one voxel
  const auto range = [&](const ChunkTask& task, std::size_t i) -> io::Range {
    return task.whole ? whole_range(task) : task.block_range(geometry, i);
  };
  const auto in_file = [](const ChunkTask& task) {
    return task.job.ref().offset != store::ChunkRef::kInMemory;
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

// Must the chunk be there as a whole?
bool wants_all(const store::ChunkStore& store, const ChunkTask& task) {
  if (task.job.ref().is_loaded()) return false;
  const codec::ChunkHeader& header = task.job.header();
  return task.whole || !codec::blocks_stand_alone(header) ||
         (store.is_remote() &&
          task.block_count == static_cast<std::size_t>(header.block_count()));
}

}  // namespace

Shape ChunkTask::block_position(std::int64_t i) const {
  Shape block = grid::Geometry::unravel(i, block_grid);
  for (std::size_t a = 0; a < block.size(); ++a) block[a] += blocks.start[a];
  return block;
}

std::int32_t ChunkTask::block_number(const grid::Geometry& geometry, std::size_t i) const {
  const Shape block = block_position(static_cast<std::int64_t>(i));
  return static_cast<std::int32_t>(grid::Geometry::ravel(block, geometry.block_grid()));
}

io::Range ChunkTask::block_range(const grid::Geometry& geometry, std::size_t i) const {
  const codec::Place place =
      places.of(job.ref().head.data, job.header(), block_number(geometry, i));
  return {job.ref().offset + place.offset, place.length};
}

std::int64_t most_planned(const store::ChunkStore& store, const grid::Geometry& geometry) {
  constexpr std::int64_t kMostBytes = std::int64_t{512} << 20;
  constexpr std::int64_t kMostBlocks = std::int64_t{1} << 20;
  const std::int64_t fit = std::clamp<std::int64_t>(
      kMostBytes / std::max<std::int64_t>(geometry.chunk_bytes(), 1), 1, 16384);
  if (!store.is_remote()) return fit;
  return std::clamp<std::int64_t>(
      kMostBlocks / std::max<std::int64_t>(geometry.block_count(), 1), 1, fit);
}

// The chunks `first` to `stop` of those that the boxes meet, box by box, each in C order.
std::vector<ChunkTask> plan(const store::ChunkStore& store, const grid::Geometry& geometry,
                            std::span<const Target> targets, std::int64_t first,
                            std::int64_t stop, Verify verify) {
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
    task.blocks = grid::Geometry::cells(task.box, geometry.block());
    task.block_grid = task.blocks.shape();
    numbers.push_back(grid::Geometry::ravel(position, geometry.chunk_grid()));
  }
  std::vector<store::ChunkRef> refs = store.find(numbers);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    ChunkTask& task = tasks[i];
    task.job = DecodeJob(std::move(refs[i]), geometry, numbers[i], verify);
    task.whole = task.job.is_whole();
    task.block_count = static_cast<std::size_t>(element_count(task.block_grid));
    if (!task.whole && !task.job.ref().is_loaded()) {
      task.places = BlockPlaces(task.job.ref().head.data, task.job.header());
    }
  }
  return tasks;
}

io::Gathered fetch(const store::ChunkStore& store, const grid::Geometry& geometry,
                   std::vector<ChunkTask>& tasks) {
  if (!store.is_remote()) request_blocks(store, geometry, tasks);
  if (store.has_views()) {
    for (ChunkTask& task : tasks) {
      if (wants_all(store, task)) task.job.load(store);
    }
    return {};
  }
  std::vector<io::Range> ranges;
  const auto is_fetched = [&](const ChunkTask& task) {
    return store.is_remote() && !task.job.ref().is_loaded();
  };
  for (const ChunkTask& task : tasks) {
    if (wants_all(store, task)) {
      ranges.push_back(whole_range(task));
    } else if (is_fetched(task)) {
      for (std::size_t i = 0; i < task.block_count; ++i) {
        ranges.push_back(task.block_range(geometry, i));
      }
    }
  }
  if (ranges.empty()) return {};
  io::Gathered got = store.read_together(ranges);
  std::size_t next = 0;
  for (ChunkTask& task : tasks) {
    if (wants_all(store, task)) {
      task.job.set_bytes({got.parts[next++], got.owner});
    } else if (is_fetched(task)) {
      task.stored = std::span(got.parts).subspan(next, task.block_count);
      next += task.block_count;
    }
  }
  return got;
}

}  // namespace mlarray::pipeline
