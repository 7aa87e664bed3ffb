// The stored bytes of a few blocks of one chunk, copied out of the file. Internal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/memory.hpp"
#include "codec/chunk.hpp"
#include "pipeline/block_places.hpp"
#include "pipeline/decode_job.hpp"
#include "store/chunk_store.hpp"

namespace mlarray::pipeline {

// Not synchronised: one per thread.
class BlockCopies {
 public:
  static constexpr std::size_t kMost = 4;  // blocks at a time

  // False: they are to be looked at where they lie, because that is quicker
  // (io::ByteSource::copy()), or because only the chunk as a whole says where they end.
  bool fetch(const store::ChunkStore& store, const DecodeJob& chunk, const BlockPlaces& places,
             std::span<const std::int32_t> blocks);

  // Of the i-th block that was fetched, and maybe more behind them. Until the next fetch().
  std::span<const std::byte> operator[](std::size_t i) const { return stored_[i]; }

  void trim(std::size_t most_bytes) { place_.trim(most_bytes); }

 private:
  base::Scratch<> place_;
  std::array<std::span<const std::byte>, kMost> stored_;
};

}  // namespace mlarray::pipeline
