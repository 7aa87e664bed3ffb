// What is checked of a chunk before it is decoded: its header against the array, and the
// checksum of each block against the one recorded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "codec/chunk.hpp"
#include "grid/geometry.hpp"
#include "store/chunk_store.hpp"

namespace mlarray::store {

std::string chunk_name(std::int64_t number);
// What the header of a chunk says of elements of so many bytes.
std::int64_t chunk_typesize(std::int64_t itemsize);

// Of a chunk that has bytes; a default header of one that the index alone describes.
// Errors: corruption, unsupported.
codec::ChunkHeader checked_header(const ChunkRef& ref, const grid::Geometry& geometry,
                                  std::int64_t number);

// The checks of one chunk's blocks: of each the first time that this open file is asked for it,
// or every time. Cheap to make; refers to what it is made of.
class BlockCheck {
 public:
  BlockCheck(const ChunkRef& ref, const codec::ChunkHeader& header,
             const grid::Geometry& geometry, std::int64_t number, bool again = false)
      : ref_(ref), header_(header), geometry_(geometry), number_(number), again_(again) {}

  // Is a sum recorded? Of a chunk without bytes none is needed: the seal covers the index.
  // Errors of this and all others: corruption, io, where the sums lie in a page of the file.
  bool recorded() const { return ref_.sums.of_block(0) != 0; }
  // What check() needs once per chunk.
  std::uint64_t seed() const;
  // Does nothing for a chunk without recorded sums. Of a special chunk, block 0 is the whole.
  // Errors: corruption naming chunk, block, voxels and the way out.
  void check(std::uint64_t seed, std::int32_t block) const;
  void check_all(std::uint64_t seed) const;
  // check() of a block that `stored` begins with, copied out of the chunk. False: it is not the
  // block that was recorded, or does not end there; check() says why. Not for special chunks.
  bool passes(std::uint64_t seed, std::int32_t block, std::span<const std::byte> stored) const;

 private:
  std::size_t place_of(std::int32_t block) const;
  bool found_whole(std::int32_t block) const;
  void keep_found_whole(std::int32_t block) const;

  const ChunkRef& ref_;
  const codec::ChunkHeader& header_;
  const grid::Geometry& geometry_;
  std::int64_t number_;
  bool again_;  // also what was found whole before
};

}  // namespace mlarray::store
