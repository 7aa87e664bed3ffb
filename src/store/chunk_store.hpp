// The chunks of one state of an array: their index, and where their bytes are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "codec/chunk.hpp"
#include "frame/frame.hpp"
#include "io/byte_source.hpp"
#include "io/coalesce.hpp"
#include "store/chunk_index.hpp"

namespace mlarray::store {

// One chunk. Either special, or the bytes of a Blosc2 chunk and the sums that are recorded of
// its blocks. Valid as long as the store is.
struct ChunkRef {
  codec::Special special = codec::Special::zeros;
  io::Bytes bytes;  // all of them, or none: they are to be read yet, in part or by load()
  // The start of the chunk as far as codec::head_bytes(): the same bytes, or a copy, since to
  // look there first where the file is mapped is slow.
  io::Bytes head;
  ChunkSums sums;
  std::uint64_t offset = kInMemory;  // in the source
  std::uint64_t length = 0;          // as its head says, inside the source
  static constexpr std::uint64_t kInMemory = ~std::uint64_t{0};

  bool is_loaded() const { return special != codec::Special::none || !bytes.data.empty(); }
  // Takes all bytes of a chunk of which only the head was there. They begin with it, or what
  // was checked there is not what is decoded. Errors: corruption.
  void set_bytes(io::Bytes all);
};

// A value, cheap to copy. Thread safe as long as nobody calls replace(), which is for a copy
// that nobody else has yet.
class ChunkStore {
 public:
  // All chunks special (zeros), in memory.
  explicit ChunkStore(std::int64_t chunk_count) : index_(chunk_count) {}
  // The chunks of a state that was read from `source`, of so many blocks each, and the records
  // that hold of it.
  ChunkStore(std::shared_ptr<io::ByteSource> source, frame::State state,
             std::int64_t chunk_count, std::int64_t block_count,
             std::span<const Record> records = {});

  // The chunks with their heads, which one call reads where the source is remote; loaded where
  // that costs nothing, as where they are mapped already.
  // Errors: corruption (a chunk that leaves the file), io.
  std::vector<ChunkRef> find(std::span<const std::int64_t> numbers) const;
  // One that is loaded. Errors: as find().
  ChunkRef get(std::int64_t number) const;
  // Reads all bytes of a chunk that find() left where they are. Errors: as find().
  void load(ChunkRef& ref) const;

  // Ranges of the source that will be used: see io::ByteSource. Nothing in memory.
  bool is_remote() const noexcept { return source_ && source_->is_remote(); }
  bool has_views() const noexcept { return !source_ || source_->has_views(); }
  bool are_cached(std::span<const std::uint64_t> offsets) const;
  void prefetch(std::span<const io::Range> ranges) const;
  io::Gathered read_together(std::span<const io::Range> ranges) const;
  // All of one chunk.
  void prefetch(const ChunkRef& ref) const;
  bool prefers_copies() const noexcept;
  bool copy(io::Range range, std::span<std::byte> to) const noexcept;

  // `sums` has one entry per block, or none. `chunk`: its bytes, or at least the first of them,
  // of which the head is kept; none if there are no sums.
  void replace(std::int64_t number, frame::IndexEntry entry,
               std::span<const std::uint32_t> sums, std::span<const std::byte> chunk);
  // Without sums: these bytes were never in a file.
  void replace(std::int64_t number, MemoryChunk chunk);

  const ChunkIndex& index() const { return index_; }
  // Where the chunks of a file are. Precondition: made from one.
  io::ByteSource& source() const { return *source_; }
  const std::shared_ptr<io::ByteSource>& shared_source() const { return source_; }
  // What io::checked() needs: all use of a chunk's bytes, and of the metalayers of the same
  // state, is wrapped in it, since a file can be cut short or overwritten while it is open.
  // Errors: corruption, io.
  void watch() const noexcept;
  void check() const;
  const frame::Anchor& anchor() const { return anchor_; }
  // Whether the file has sums of every chunk, which the seal covers. Precondition: as for
  // source().
  bool is_covered_by_seal() const;
  // Stored bytes of all chunks, reading every chunk's header.
  std::int64_t stored_bytes() const;

 private:
  ChunkRef place_of(std::int64_t number) const;
  void look_at_head(ChunkRef& ref, std::int64_t number, io::Bytes head, bool is_view) const;
  void request_heads(std::span<const ChunkRef> refs) const;
  std::vector<io::Range> pages_to_read(std::span<const std::int64_t> numbers,
                                       std::span<const ChunkRef> refs) const;
  bool has_recorded_head(std::int64_t number, std::span<const io::Range> pages) const;
  io::Bytes recorded_head(const ChunkRef& ref, std::int64_t number) const;
  io::Range head_range(const ChunkRef& ref, std::size_t most) const;

  std::shared_ptr<io::ByteSource> source_;
  std::uint64_t header_len_ = 0;  // what the offsets of the index count from
  std::size_t head_bytes_ = codec::kChunkHeaderBytes;  // of one chunk
  frame::Anchor anchor_;
  ChunkIndex index_;
};

}  // namespace mlarray::store
