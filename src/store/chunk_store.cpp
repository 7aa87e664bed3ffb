#include "store/chunk_store.hpp"

#include <algorithm>
#include <string>

#include "codec/checksum.hpp"
#include "mlarray/error.hpp"

namespace mlarray::store {

namespace {

// Sums of a state that another writer changed say nothing about its chunks.
ChecksumTable checksums_of(const frame::State& state,
                           const std::shared_ptr<io::ByteSource>& source,
                           std::int64_t chunk_count, std::int64_t block_count) {
  const frame::VlMetalayer* layer = state.find(kChecksumLayer);
  if (layer == nullptr || state.seal == Seal::absent) return {};
  return ChecksumTable::parse(layer->chunk, source, chunk_count, block_count);
}

}  // namespace

ChunkStore::ChunkStore(std::shared_ptr<io::ByteSource> source, frame::State state,
                       std::int64_t chunk_count, std::int64_t block_count,
                       std::span<const Record> records)
    : source_(std::move(source)),
      header_len_(state.header.header_len),
      head_bytes_(codec::head_bytes(block_count)),
      anchor_(state.anchor),
      index_(std::move(state.index), checksums_of(state, source_, chunk_count, block_count),
             BlockOffsets::of(records, source_, chunk_count, block_count)) {}

void ChunkStore::watch() const noexcept {
  if (source_) source_->watch();
}

void ChunkStore::check() const {
  if (source_) frame::check_anchor(*source_, anchor_);
}

ChunkRef ChunkStore::get(std::int64_t number) const {
  const Replacement* replaced = index_.replacement(number);
  if (replaced != nullptr && replaced->bytes) {
    const MemoryChunk& bytes = replaced->bytes;
    return {codec::Special::none, {*bytes, bytes}, {*bytes, bytes}, {}};
  }
  ChunkSums sums = replaced != nullptr ? ChunkSums(replaced->sums) : index_.sums(number);
  const frame::IndexEntry entry = replaced != nullptr ? replaced->entry : index_.entry(number);
  if (entry.is_special()) return {static_cast<codec::Special>(entry.special()), {}, {}, {}};
  const std::string what = "chunk " + std::to_string(number);
  const std::uint64_t at = header_len_ + entry.offset();
  // A chunk that this process appended lies past what was mapped when the file was opened.
  if (at + codec::kChunkHeaderBytes > source_->size()) source_->refresh();
  io::Bytes head = head_at(at);
  const auto length = static_cast<std::uint64_t>(codec::chunk_length(head.data, what));
  if (length > source_->size() - at) source_->refresh();
  io::Bytes bytes = source_->get({at, length});
  if (head.data.size() < std::min<std::uint64_t>(length, head_bytes_)) head = bytes;
  return {codec::Special::none, std::move(bytes), std::move(head), std::move(sums), at};
}

io::Bytes ChunkStore::head_at(std::uint64_t offset) const {
  constexpr std::size_t kMostHead = 4096;  // of a chunk of a thousand blocks
  if (source_->prefers_copies() && head_bytes_ <= kMostHead &&
      head_bytes_ <= source_->size() - offset) {
    const auto place = std::make_shared<std::vector<std::byte>>(head_bytes_);
    if (source_->copy({offset, head_bytes_}, *place)) return {*place, place};
  }
  return source_->get({offset, codec::kChunkHeaderBytes});
}

void ChunkStore::request_headers(std::span<const std::int64_t> numbers) const {
  if (!source_ || numbers.size() < 2) return;
  const auto offset = [&](std::int64_t number) {
    const frame::IndexEntry entry = index_.entry(number);
    return entry.is_special() ? ChunkRef::kInMemory : header_len_ + entry.offset();
  };
  // Where the first and the last are in memory, the rest most likely is, too.
  std::vector<std::uint64_t> ends;
  for (const std::int64_t number : {numbers.front(), numbers.back()}) {
    if (offset(number) != ChunkRef::kInMemory) ends.push_back(offset(number));
  }
  if (are_cached(ends)) return;
  std::vector<io::Range> ranges;
  for (const std::int64_t number : numbers) {
    if (const std::uint64_t at = offset(number); at != ChunkRef::kInMemory) {
      ranges.push_back({at, codec::kChunkHeaderBytes});
    }
  }
  prefetch(ranges);
}

bool ChunkStore::are_cached(std::span<const std::uint64_t> offsets) const {
  return !source_ || source_->are_cached(offsets);
}

void ChunkStore::prefetch(std::span<const io::Range> ranges) const {
  if (source_) source_->prefetch(ranges);
}

bool ChunkStore::prefers_copies() const noexcept {
  return source_ && source_->prefers_copies();
}

bool ChunkStore::copy(io::Range range, std::span<std::byte> to) const noexcept {
  return source_ && source_->copy(range, to);
}

std::vector<ChunkRef> ChunkStore::get(std::span<const std::int64_t> numbers) const {
  std::vector<ChunkRef> out;
  out.reserve(numbers.size());
  request_headers(numbers);
  for (const std::int64_t number : numbers) out.push_back(get(number));
  return out;
}

void ChunkStore::prefetch(const ChunkRef& ref) const {
  const io::Range range{ref.offset, ref.bytes.data.size()};
  if (ref.offset != ChunkRef::kInMemory) prefetch(std::span(&range, 1));
}

void ChunkStore::replace(std::int64_t number, frame::IndexEntry entry,
                         std::span<const std::uint32_t> sums,
                         std::span<const std::byte> chunk) {
  const auto head = sums.empty() ? std::span<const std::byte>()
                                 : chunk.first(std::min(chunk.size(), head_bytes_));
  index_.replace(number, {nullptr, entry, stored_sums(sums), {head.begin(), head.end()}});
}

void ChunkStore::replace(std::int64_t number, MemoryChunk chunk) {
  index_.replace(number, {std::move(chunk), {}, {}, {}});
}

bool ChunkStore::is_covered_by_seal() const {
  try {
    for (std::int64_t i = 0; i < index_.size(); ++i) {
      // A chunk has sums of all blocks or of none.
      const bool has_sums = index_.sums(i).of_block(0) != codec::kNoChecksum;
      if (!index_.entry(i).is_special() && !has_sums) return false;
    }
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corruption) throw;
    return false;  // a page of sums is damaged
  }
}

std::int64_t ChunkStore::stored_bytes() const {
  std::int64_t total = 0;
  for (std::int64_t i = 0; i < index_.size(); ++i) {
    const Replacement* replaced = index_.replacement(i);
    if (replaced != nullptr && replaced->bytes) {
      total += static_cast<std::int64_t>(replaced->bytes->size());
    } else if (const frame::IndexEntry entry = index_.entry(i); !entry.is_special()) {
      const std::uint64_t at = header_len_ + entry.offset();
      if (at + codec::kChunkHeaderBytes > source_->size()) source_->refresh();
      const io::Bytes head = source_->get({at, codec::kChunkHeaderBytes});
      total += codec::chunk_length(head.data, "chunk " + std::to_string(i));
    }
  }
  return total;
}

}  // namespace mlarray::store
