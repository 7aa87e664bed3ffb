// The write path: chunks are gathered and compressed on all threads, and handed over in order,
// by one thread at a time, without a lock: the others go on encoding until four chunks a
// thread, or 256 MiB of them, wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "grid/geometry.hpp"
#include "mlarray/options.hpp"

namespace mlarray::pipeline {

struct EncodedChunk {
  std::int64_t number = 0;
  std::vector<std::byte> bytes;          // empty: all zeros
  std::vector<std::uint32_t> checksums;  // one per block; empty: all zeros
};

// Fills one padded chunk, block by block. Called on any thread; the buffer's content is
// undefined at first.
using FillChunk = std::function<void(std::int64_t number, std::span<std::byte> chunk)>;
// Takes the chunks one at a time, in the order of `numbers`.
using TakeChunk = std::function<void(EncodedChunk&& chunk)>;

void encode_chunks(std::span<const std::int64_t> numbers, const grid::Geometry& geometry,
                   const CodecParams& codec, int threads, const FillChunk& fill,
                   const TakeChunk& take);

}  // namespace mlarray::pipeline
