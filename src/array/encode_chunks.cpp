#include "array/encode_chunks.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>

#include "array/strided.hpp"
#include "codec/checksum.hpp"
#include "codec/encoder.hpp"
#include "parallel/thread_pool.hpp"

namespace mlarray::array {
namespace {

// Puts chunks that are finished in any order back into theirs. A thread that is far ahead of
// the slowest waits, so that no more than `window` chunks are in memory.
class InOrder {
 public:
  InOrder(const TakeChunk& take, std::size_t window) : take_(take), window_(window) {}

  // False: another chunk failed, so that this one will never be taken.
  bool wait_for_room(std::size_t place) {
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [&] { return failed_ || place < next_ + window_; });
    return !failed_;
  }

  void add(std::size_t place, EncodedChunk chunk) {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(place, std::move(chunk));
    while (!waiting_.empty() && waiting_.begin()->first == next_) {
      take_(std::move(waiting_.begin()->second));
      waiting_.erase(waiting_.begin());
      ++next_;
    }
    moved_.notify_all();
  }

  void fail() {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    moved_.notify_all();
  }

 private:
  const TakeChunk& take_;
  const std::size_t window_;
  std::mutex mutex_;
  std::condition_variable moved_;
  std::map<std::size_t, EncodedChunk> waiting_;
  std::size_t next_ = 0;
  bool failed_ = false;
};

}  // namespace

void encode_chunks(std::span<const std::int64_t> numbers, const Geometry& geometry,
                   const CodecParams& codec, int threads, const FillChunk& fill,
                   const TakeChunk& take) {
  struct Worker {
    std::vector<std::byte> chunk;
    std::unique_ptr<codec::Encoder> encoder;
  };
  // Settled once: the process-wide number may change meanwhile.
  const int used = parallel::worker_count(numbers.size(), threads);
  std::vector<Worker> workers(static_cast<std::size_t>(used));
  // Enough that threads do not wait for each other where chunks take unequal times.
  InOrder in_order(take, 4 * static_cast<std::size_t>(used));
  const auto encode = [&](std::size_t i, int id) {
    Worker& worker = workers[static_cast<std::size_t>(id)];
    if (!worker.encoder) {
      worker.chunk.resize(static_cast<std::size_t>(geometry.chunk_bytes()));
      worker.encoder = std::make_unique<codec::Encoder>(
          codec, geometry.itemsize(), static_cast<std::int32_t>(geometry.block_bytes()));
    }
    fill(numbers[i], worker.chunk);
    EncodedChunk out;
    out.number = numbers[i];
    out.bytes = worker.encoder->encode(worker.chunk);
    const codec::ChunkHeader header =
        codec::parse_chunk(out.bytes, {.nbytes = geometry.chunk_bytes()});
    if (header.special == codec::Special::zeros) {
      out.bytes.clear();
    } else {
      out.checksums = codec::chunk_checksums(out.bytes, header, out.number);
    }
    return out;
  };
  parallel::parallel_for(numbers.size(), used, [&](std::size_t i, int id) {
    try {
      if (in_order.wait_for_room(i)) in_order.add(i, encode(i, id));
    } catch (...) {
      in_order.fail();
      throw;
    }
  });
}

void gather(const Geometry& geometry, std::int64_t number, const Box& part,
            const ConstArrayView& voxels, const Shape& origin, std::span<std::byte> chunk) {
  const std::size_t ndim = geometry.ndim();
  const std::vector<std::int64_t> strides = c_strides(geometry.block(), geometry.itemsize());
  const Shape corner = geometry.chunk_box(number).start;
  Box local;
  for (std::size_t i = 0; i < ndim; ++i) {
    local.start.push_back(part.start[i] - corner[i]);
    local.stop.push_back(part.stop[i] - corner[i]);
  }
  const Box blocks = Geometry::cells(local, geometry.block());
  const Shape grid = blocks.shape();
  const std::int64_t count = element_count(grid);
  for (std::int64_t n = 0; n < count; ++n) {
    Shape block = Geometry::unravel(n, grid);
    Shape shape(ndim);
    const std::byte* source = voxels.data;
    std::int64_t inside = 0;
    for (std::size_t i = 0; i < ndim; ++i) {
      block[i] += blocks.start[i];
      const std::int64_t block_corner = block[i] * geometry.block()[i];
      const std::int64_t start = std::max(block_corner, local.start[i]);
      const std::int64_t stop = std::min(block_corner + geometry.block()[i], local.stop[i]);
      shape[i] = stop - start;
      inside += (start - block_corner) * strides[i];
      source += (corner[i] + start - origin[i]) * voxels.strides[i];
    }
    std::byte* target = chunk.data() +
                        Geometry::ravel(block, geometry.block_grid()) * geometry.block_bytes() +
                        inside;
    copy_box(target, strides, source, voxels.strides, shape, geometry.itemsize());
  }
}

bool fills_padding(const Geometry& geometry, const Box& part) {
  return element_count(part.shape()) * geometry.itemsize() == geometry.chunk_bytes();
}

}  // namespace mlarray::array
