// The record of block offsets: the head of every chunk (its header and where its blocks begin)
// in one place, so that a patch is read in one round: the page of the record that has its
// chunks' heads, which may be in memory already, and then exactly the blocks that it needs.
// Byte level: docs/format.md, section "Block offsets".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "codec/chunk.hpp"
#include "io/byte_source.hpp"
#include "store/pages.hpp"
#include "store/records.hpp"

namespace mlarray::store {

inline constexpr std::string_view kBlockOffsets = "block_offsets";
// It is written where it has at most this part of the file.
inline constexpr std::uint64_t kMostOffsetsPart = 100;

// The first codec::head_bytes() of a chunk, or the whole chunk if it is shorter: what
// checked_header() and codec::likely_block_place() look at, and what the checksums begin with.
// The chunk's length is in it: codec::chunk_length().
struct BlockPlaces {
  std::span<const std::byte> head;
};

// What the record has of each chunk.
std::size_t offsets_item_bytes(std::int64_t block_count);

// Thread safe. Valid as long as the file that it was opened from.
class BlockOffsets {
 public:
  // nullptr if there are none for chunks of this number and kind.
  static std::shared_ptr<const BlockOffsets> of(std::span<const Record> records,
                                                std::shared_ptr<io::ByteSource> source,
                                                std::int64_t chunk_count,
                                                std::int64_t block_count);
  BlockOffsets(PageList list, std::shared_ptr<io::ByteSource> source, std::int64_t block_count);

  // The bytes that of_chunk() will read: to be asked for with those of other chunks. Nothing
  // where there are none, or they are in memory.
  std::optional<io::Range> missing(std::int64_t number) const;
  // The missing pages that have several of these chunks: few heads are read where the chunks
  // are.
  std::vector<io::Range> pages_to_read(std::span<const std::int64_t> numbers) const;
  // Of a chunk that has bytes and is as the file listed it. Reads the page if that is missing.
  // Nothing where the page is not there or not as it was written: the chunk's own head is the
  // way then. The page is verified by its hash, and the blocks by their checksums as always.
  std::optional<BlockPlaces> of_chunk(std::int64_t number) const;

  const Pages& pages() const { return pages_; }

 private:
  std::size_t page_of(std::int64_t number) const;
  std::size_t item_bytes_;
  std::size_t per_page_;
  Pages pages_;
};

}  // namespace mlarray::store
