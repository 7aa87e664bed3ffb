#include "pipeline/encode_chunks.hpp"

#include <algorithm>
#include <memory>

#include "codec/checksum.hpp"
#include "codec/encoder.hpp"
#include "parallel/thread_pool.hpp"
#include "pipeline/in_order.hpp"

namespace mlarray::pipeline {
namespace {

// What one call may hold of chunks that are read or encoded, if one chunk does not pass it.
constexpr std::int64_t kMostHeld = std::int64_t{256} << 20;

}  // namespace

void encode_chunks(std::span<const std::int64_t> numbers, const grid::Geometry& geometry,
                   const CodecParams& codec, int threads, const FillChunk& fill,
                   const TakeChunk& take) {
  struct Worker {
    std::vector<std::byte> chunk;
    std::unique_ptr<codec::Encoder> encoder;
  };
  // Settled once: the process-wide number may change meanwhile. A worker holds its chunk and
  // what it makes of it.
  const std::int64_t held = std::max<std::int64_t>(geometry.chunk_bytes(), 1);
  const auto affordable =
      static_cast<std::size_t>(std::max<std::int64_t>(kMostHeld / (2 * held), 1));
  const int used = parallel::worker_count(std::min(numbers.size(), affordable), threads);
  std::vector<Worker> workers(static_cast<std::size_t>(used));
  // More than one each, so that threads do not wait for each other where chunks take unequal
  // times.
  const auto least = static_cast<std::size_t>(used);
  InOrder in_order(take, std::clamp(2 * affordable, least, 4 * least));
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

}  // namespace mlarray::pipeline
