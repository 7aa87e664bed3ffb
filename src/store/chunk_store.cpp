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

void ChunkRef::set_bytes(io::Bytes all) {
  if (all.data.size() < head.data.size() ||
      !std::equal(head.data.begin(), head.data.end(), all.data.begin())) {
    throw Error(ErrorKind::corruption,
                "the chunk at byte " + std::to_string(offset) +
                    " is damaged, or changed while it was read: it begins with other bytes "
                    "than were seen before, or recorded");
  }
  bytes = std::move(all);
}

ChunkStore::ChunkStore(std::shared_ptr<io::ByteSource> source, frame::State state,
                       std::int64_t chunk_count, std::int64_t block_count,
                       std::span<const Record> records)
    : source_(std::move(source)),
      header_len_(state.header.header_len),
      head_bytes_(codec::head_bytes(block_count)),
      anchor_(state.anchor),
      index_(std::move(state.index), checksums_of(state, source_, chunk_count, block_count),
             BlockOffsets::of(records, source_, chunk_count, block_count)) {
  index_.take(state.also_read_at, state.also_read);
}

void ChunkStore::watch() const noexcept {
  if (source_) source_->watch();
}

void ChunkStore::check() const {
  if (source_) frame::check_anchor(*source_, anchor_);
}

// Where it is, before anything of it is looked at.
ChunkRef ChunkStore::place_of(std::int64_t number) const {
  const Replacement* replaced = index_.replacement(number);
  if (replaced != nullptr && replaced->bytes) {
    const MemoryChunk& bytes = replaced->bytes;
    return {.special = codec::Special::none,
            .bytes = {*bytes, bytes},
            .head = {*bytes, bytes},
            .sums = {},
            .length = bytes->size()};
  }
  ChunkRef ref;
  const frame::IndexEntry entry = replaced != nullptr ? replaced->entry : index_.entry(number);
  if (entry.is_special()) {
    ref.special = static_cast<codec::Special>(entry.special());
    return ref;
  }
  ref.special = codec::Special::none;
  ref.sums = replaced != nullptr ? ChunkSums(replaced->sums) : index_.sums(number);
  // A remote source gives its bytes anew each time, and they may have changed meanwhile.
  if (source_->is_remote()) ref.sums.whole = nullptr;
  ref.offset = header_len_ + entry.offset();
  // A chunk that this process appended lies past what was there when the file was opened.
  if (ref.offset + codec::kChunkHeaderBytes > source_->size()) source_->refresh();
  return ref;
}

// So much of the start of a chunk as the source has.
io::Range ChunkStore::head_range(const ChunkRef& ref, std::size_t most) const {
  const std::uint64_t size = source_->size();
  const std::uint64_t left = ref.offset < size ? size - ref.offset : 0;
  return {ref.offset, std::max<std::uint64_t>(std::min<std::uint64_t>(most, left),
                                              codec::kChunkHeaderBytes)};
}

// Where the head is a view, the rest is one, too.
void ChunkStore::look_at_head(ChunkRef& ref, std::int64_t number, io::Bytes head,
                              bool is_view) const {
  const std::string what = "chunk " + std::to_string(number);
  ref.length = static_cast<std::uint64_t>(codec::chunk_length(head.data, what));
  if (ref.length > source_->size() - ref.offset) source_->refresh();
  if (is_view) {
    ref.bytes = source_->get({ref.offset, ref.length});
  } else if (ref.length <= head.data.size()) {
    ref.bytes = {head.data.first(static_cast<std::size_t>(ref.length)), head.owner};
  } else {
    source_->check_inside({ref.offset, ref.length});
  }
  const bool is_enough = head.data.size() >= std::min<std::uint64_t>(ref.length, head_bytes_);
  if (is_enough) {
    ref.head = std::move(head);
  } else if (is_view) {
    ref.head = ref.bytes;
  } else {
    // It ended there when size() was asked for: somebody appends to the file.
    ref.head = source_->get(head_range(ref, head_bytes_));
  }
}

void ChunkStore::load(ChunkRef& ref) const {
  if (ref.is_loaded()) return;
  ref.set_bytes(source_->get({ref.offset, ref.length}));
}

ChunkRef ChunkStore::get(std::int64_t number) const {
  ChunkRef ref = std::move(find(std::span(&number, 1)).front());
  load(ref);
  return ref;
}

std::vector<ChunkRef> ChunkStore::find(std::span<const std::int64_t> numbers) const {
  constexpr std::size_t kMostHead = 4096;  // of a chunk of a thousand blocks
  std::vector<ChunkRef> refs;
  refs.reserve(numbers.size());
  for (const std::int64_t number : numbers) refs.push_back(place_of(number));
  if (!source_) return refs;
  request_heads(refs);
  const auto to_read = [](const ChunkRef& ref) { return ref.offset != ChunkRef::kInMemory; };
  const bool copies = source_->prefers_copies() && head_bytes_ <= kMostHead;
  if (source_->has_views() && !copies) {
    for (std::size_t i = 0; i < refs.size(); ++i) {
      if (!to_read(refs[i])) continue;
      look_at_head(refs[i], numbers[i],
                   source_->get({refs[i].offset, codec::kChunkHeaderBytes}), true);
    }
    return refs;
  }
  // By the same call, of a source where every call takes long: pages of our records.
  const std::vector<io::Range> pages = pages_to_read(numbers, refs);
  std::vector<io::Range> ranges(refs.size());
  for (std::size_t i = 0; i < refs.size(); ++i) {
    if (to_read(refs[i]) && !has_recorded_head(numbers[i], pages)) {
      ranges[i] = head_range(refs[i], head_bytes_);
    }
  }
  ranges.insert(ranges.end(), pages.begin(), pages.end());
  const io::Gathered read = io::read_together(*source_, ranges);
  for (std::size_t i = refs.size(); i < ranges.size(); ++i) {
    index_.take(ranges[i].offset, {read.parts[i], read.owner});
  }
  for (std::size_t i = 0; i < refs.size(); ++i) {
    if (!to_read(refs[i])) continue;
    io::Bytes head{read.parts[i], read.owner};
    if (ranges[i].length == 0) head = recorded_head(refs[i], numbers[i]);
    look_at_head(refs[i], numbers[i], std::move(head), false);
  }
  return refs;
}

std::vector<io::Range> ChunkStore::pages_to_read(std::span<const std::int64_t> numbers,
                                                 std::span<const ChunkRef> refs) const {
  if (!source_->is_remote()) return {};
  std::vector<std::int64_t> listed;
  for (std::size_t i = 0; i < refs.size(); ++i) {
    if (refs[i].offset == ChunkRef::kInMemory || index_.replacement(numbers[i])) continue;
    listed.push_back(numbers[i]);
  }
  return index_.pages_to_read(listed);
}

// Now, or when `pages` are read.
bool ChunkStore::has_recorded_head(std::int64_t number,
                                   std::span<const io::Range> pages) const {
  const auto& offsets = index_.offsets();
  if (!offsets || !source_->is_remote() || index_.replacement(number)) return false;
  const auto missing = offsets->missing(number);
  if (!missing) return offsets->of_chunk(number).has_value();
  return std::any_of(pages.begin(), pages.end(),
                     [&](const io::Range& page) { return page.offset == missing->offset; });
}

io::Bytes ChunkStore::recorded_head(const ChunkRef& ref, std::int64_t number) const {
  const auto& offsets = index_.offsets();
  if (!offsets->missing(number)) {
    if (const auto places = offsets->of_chunk(number)) return {places->head, offsets};
  }
  return source_->get(head_range(ref, head_bytes_));  // the page is damaged
}

void ChunkStore::request_heads(std::span<const ChunkRef> refs) const {
  if (refs.size() < 2) return;
  // Where the first and the last are in memory, the rest most likely is, too.
  std::vector<std::uint64_t> ends;
  for (const ChunkRef* ref : {&refs.front(), &refs.back()}) {
    if (ref->offset != ChunkRef::kInMemory) ends.push_back(ref->offset);
  }
  if (are_cached(ends)) return;
  std::vector<io::Range> ranges;
  for (const ChunkRef& ref : refs) {
    if (ref.offset != ChunkRef::kInMemory) {
      ranges.push_back({ref.offset, codec::kChunkHeaderBytes});
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

io::Gathered ChunkStore::read_together(std::span<const io::Range> ranges) const {
  return io::read_together(*source_, ranges);
}

void ChunkStore::prefetch(const ChunkRef& ref) const {
  const io::Range range{ref.offset, ref.length};
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
  constexpr std::int64_t kAtOnce = 4096;
  std::int64_t total = 0;
  for (std::int64_t first = 0; first < index_.size(); first += kAtOnce) {
    std::vector<io::Range> ranges;
    std::vector<std::int64_t> numbers;
    for (std::int64_t i = first; i < std::min(first + kAtOnce, index_.size()); ++i) {
      const ChunkRef ref = place_of(i);
      if (ref.offset == ChunkRef::kInMemory) {
        total += static_cast<std::int64_t>(ref.length);
        continue;
      }
      numbers.push_back(i);
      ranges.push_back({ref.offset, codec::kChunkHeaderBytes});
    }
    if (ranges.empty()) continue;
    const io::Gathered heads = io::read_together(*source_, ranges);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      total += codec::chunk_length(heads.parts[i], "chunk " + std::to_string(numbers[i]));
    }
  }
  return total;
}

}  // namespace mlarray::store
