// One chunk on its way from stored bytes to voxels: header checked, sums verified, decoded.
// What reads, verifies, counts or reads back does it by this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "codec/decoder.hpp"
#include "grid/geometry.hpp"
#include "store/block_check.hpp"
#include "store/chunk_store.hpp"

namespace mlarray::pipeline {

enum class Verify {
  no,
  once,    // a block whose sum was right since the file was opened is not hashed again
  always,  // also what was found right before
};

// Refers to the geometry it is made with. Const members may be called by any number of threads,
// each with a decoder of its own.
class DecodeJob {
 public:
  DecodeJob() = default;
  // A chunk that ChunkStore::find() has found. Errors: corruption, unsupported.
  DecodeJob(store::ChunkRef ref, const grid::Geometry& geometry, std::int64_t number,
            Verify verify);

  std::int64_t number() const { return number_; }
  const store::ChunkRef& ref() const { return ref_; }
  const codec::ChunkHeader& header() const { return header_; }
  // Of one value, whether the index says it or the chunk does; else none.
  codec::Special special() const;
  // Must all of its bytes be there for any of its voxels?
  bool is_whole() const { return special() != codec::Special::none || header_.whole_only(); }

  // Has all bytes from here on. Errors: as ChunkStore::load().
  void load(const store::ChunkStore& store);
  void set_bytes(io::Bytes bytes);  // the same for who has them. Errors: corruption

  // Precondition of the following, but of view_stored(): loaded.
  //
  // The sum of one block, or of all; a special chunk has block 0. Nothing where nothing is to
  // be verified. Errors of these: corruption.
  void verify(std::int32_t block) const;
  void verify_all() const;
  bool has_sums() const { return check().recorded(); }
  // Verified and decoded. Not of a chunk that is_whole(). Of view_block() and view_stored(),
  // the first `wanted` bytes are enough: where a sum has said that there is no damage, what is
  // behind them is mostly not decoded.
  codec::BlockView view_block(codec::Decoder& decoder, std::int32_t block,
                              std::size_t wanted) const;
  void decode_block(codec::Decoder& decoder, std::int32_t block,
                    std::span<std::byte> out) const;
  // view_block() of the stored bytes alone that `stored` begins with. Nothing: they are
  // damaged, or end too early, or only the whole chunk says; view_block() says what it is.
  std::optional<codec::BlockView> view_stored(codec::Decoder& decoder, std::int32_t block,
                                              std::span<const std::byte> stored,
                                              std::size_t wanted) const;
  // All of the chunk, padding included, not verified.
  void decode_all(codec::Decoder& decoder, std::span<std::byte> out) const;
  // The element that a special chunk repeats, over all of `out`.
  void fill(std::span<std::byte> out) const;

 private:
  store::BlockCheck check() const {
    return {ref_, header_, *geometry_, number_, verify_ == Verify::always};
  }
  void find_seed();
  std::size_t enough(std::size_t wanted) const {
    return verify_ != Verify::no && has_sums() ? wanted : codec::Decoder::kAll;
  }

  store::ChunkRef ref_;
  codec::ChunkHeader header_;
  const grid::Geometry* geometry_ = nullptr;
  std::int64_t number_ = 0;
  Verify verify_ = Verify::no;
  std::uint64_t seed_ = 0;  // of the checksums
};

}  // namespace mlarray::pipeline
