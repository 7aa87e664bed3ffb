// Files with records, in memory: what they say, whether it is true, and what other writers make
// of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "codec/bytes.hpp"
#include "codec/checksum.hpp"
#include "codec/encoder.hpp"
#include "frame/big_endian.hpp"
#include "frame/frame.hpp"
#include "session/snapshot.hpp"
#include "store/array_header.hpp"
#include "store/block_offsets.hpp"
#include "store/records.hpp"

namespace mlarray::test {

using RecordBytes = std::vector<std::byte>;

struct RecordedFile {
  std::shared_ptr<io::ByteSource> source;
  frame::State state;
  grid::Geometry geometry;
  std::vector<store::Record> records;

  explicit RecordedFile(const RecordBytes& bytes)
      : source(io::from_memory(bytes, "a.mla")),
        state(frame::read_state(*source)),
        geometry(store::read_array_header(state.header).geometry),
        records(store::records_of(state)) {}

  bool lists(std::string_view name) const {
    return std::any_of(records.begin(), records.end(),
                       [&](const auto& record) { return record.name == name; });
  }
  bool has_layer() const { return state.find(store::kRecordLayer) != nullptr; }
};

// How many chunks have a head in the record of block offsets, and what is wrong with them.
struct Heads {
  std::size_t recorded = 0;
  std::vector<std::string> wrong;
};

inline Heads heads_of(const RecordBytes& bytes) {
  Heads out;
  const RecordedFile file(bytes);
  const auto count = file.geometry.chunk_count();
  const auto offsets =
      store::BlockOffsets::of(file.records, file.source, count, file.geometry.block_count());
  if (!offsets) return out;
  for (std::int64_t i = 0; i < count; ++i) {
    const frame::IndexEntry entry = file.state.index[static_cast<std::size_t>(i)];
    if (entry.is_special()) continue;
    const auto places = offsets->of_chunk(i);
    if (!places) continue;
    ++out.recorded;
    const auto at = static_cast<std::size_t>(file.state.header.header_len + entry.offset());
    const auto head = places->head;
    if (bytes.size() - at < head.size() ||
        !std::equal(head.begin(), head.end(),
                    bytes.begin() + static_cast<std::ptrdiff_t>(at))) {
      out.wrong.push_back("the head of chunk " + std::to_string(i) +
                          " is not that of the file");
    }
  }
  return out;
}

// The file with another tail, behind everything, as a commit.
inline RecordBytes with_tail(RecordBytes bytes, frame::State& state,
                             const std::vector<frame::VlMetalayer>& layers) {
  const auto tail =
      frame::build_tail(state.header, state.header_bytes, bytes.size(), state.index, layers);
  bytes.insert(bytes.end(), tail.begin(), tail.end());
  std::copy(state.header_bytes.begin(), state.header_bytes.end(), bytes.begin());
  return bytes;
}

// Adds a record as a later version of the library would, of which this one knows nothing.
inline RecordBytes with_record(RecordBytes bytes, const std::string& name,
                               const RecordBytes& content) {
  RecordedFile file(bytes);
  bytes.resize(file.state.header.frame_len);
  store::Record record{name, store::PageList::of_items(1, content.size())};
  record.pages.pages[0] = {bytes.size(), store::page_hash(content, 0)};
  bytes.insert(bytes.end(), content.begin(), content.end());
  std::vector<store::Record> records = file.records;
  records.push_back(record);
  std::vector<frame::VlMetalayer> layers;
  for (const frame::VlMetalayer& layer : file.state.vlmeta) {
    if (layer.name != store::kRecordLayer) layers.push_back(layer);
  }
  const auto list = store::build_record_layer(
      store::RecordBinding::of(frame::build_index(file.state.index),
                               file.state.find(store::kChecksumLayer)->chunk.data),
      records);
  layers.push_back({std::string(store::kRecordLayer), {list, nullptr}});
  return with_tail(std::move(bytes), file.state, layers);
}

// The content of such a record; nothing where it is not listed, does not hold or is damaged.
inline std::optional<RecordBytes> content_of_record(const RecordBytes& bytes,
                                                    const std::string& name) {
  const RecordedFile file(bytes);
  for (const store::Record& record : file.records) {
    if (record.name != name) continue;
    const store::Pages pages(record.pages, file.source, "a record");
    if (const auto found = pages.find(0)) return RecordBytes(found->begin(), found->end());
  }
  return std::nullopt;
}

// What version c79b0ee of this library makes of a file: it knows no records, keeps metalayers
// that it does not know, takes the sums of an edited file or of a larger table for none
// recorded, and seals. `chunk`: encoded, in place of this one; empty: it edits only metadata.
inline RecordBytes edited_by_c79b0ee(RecordBytes bytes, std::int64_t number,
                                     const RecordBytes& chunk) {
  RecordedFile file(bytes);
  frame::State& state = file.state;
  bytes.resize(state.header.frame_len);
  const auto blocks = static_cast<std::size_t>(file.geometry.block_count());
  const std::size_t sums = static_cast<std::size_t>(file.geometry.chunk_count()) * blocks * 4;
  RecordBytes table(13 + sums);
  table[0] = std::byte{0xc6};
  frame::store_big(std::span(table), 1, static_cast<std::uint32_t>(table.size() - 5));
  codec::store_i32(table, 5, 1);
  codec::store_i32(table, 9, static_cast<std::int32_t>(blocks));
  const frame::VlMetalayer* old = state.find(store::kChecksumLayer);
  if (old != nullptr && state.seal == Seal::valid &&
      old->chunk.data.size() == codec::kChunkHeaderBytes + table.size()) {
    const auto value = old->chunk.data.subspan(codec::kChunkHeaderBytes);
    std::copy(value.begin(), value.end(), table.begin());
  }
  if (!chunk.empty()) {
    state.index[static_cast<std::size_t>(number)] =
        frame::IndexEntry::at(bytes.size() - state.header.header_len);
    bytes.insert(bytes.end(), chunk.begin(), chunk.end());
    const auto header = codec::parse_chunk(chunk, {.nbytes = file.geometry.chunk_bytes()});
    const auto made = codec::chunk_checksums(chunk, header, number);
    for (std::size_t i = 0; i < blocks; ++i) {
      codec::store_i32(table, 13 + 4 * (static_cast<std::size_t>(number) * blocks + i),
                       static_cast<std::int32_t>(made[i]));
    }
  }
  std::vector<frame::VlMetalayer> layers;
  for (const frame::VlMetalayer& layer : state.vlmeta) {
    if (layer.name != store::kChecksumLayer) layers.push_back(layer);
  }
  const auto stored = codec::store_chunk(table, 1, static_cast<std::int32_t>(table.size()));
  layers.push_back({std::string(store::kChecksumLayer), {stored, nullptr}});
  return with_tail(std::move(bytes), state, layers);
}

}  // namespace mlarray::test
