#include "session/tail.hpp"

#include <memory>
#include <string>
#include <utility>

#include "store/block_offsets.hpp"

namespace mlarray::session {
namespace {

void put(std::vector<frame::VlMetalayer>& layers, std::string_view name,
         std::vector<std::byte> chunk) {
  if (chunk.empty()) return;
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(chunk));
  layers.push_back({std::string(name), {*owner, owner}});
}

}  // namespace

Tail build_tail(frame::Header& header, std::vector<std::byte>& header_bytes,
                std::uint64_t position, std::vector<std::byte> index_chunk,
                store::NewTables tables, std::vector<frame::VlMetalayer> layers,
                std::vector<store::Record> records) {
  if (tables.sums_layer.empty()) records.clear();  // nothing would tell that they are stale
  if (tables.has_offsets()) {
    records.push_back({std::string(store::kBlockOffsets), tables.written.offsets});
  }
  std::vector<std::byte> list = store::build_record_layer(
      store::RecordBinding::of(index_chunk, tables.sums_layer), records);
  put(layers, store::kChecksumLayer, std::move(tables.sums_layer));
  put(layers, store::kRecordLayer, std::move(list));
  Tail out;
  out.index_bytes = index_chunk.size();
  out.bytes = frame::build_tail(header, header_bytes, position + tables.pages.size(),
                                std::move(index_chunk), layers);
  out.pages = std::move(tables.pages);
  out.tables = std::move(tables.written);
  out.layers = std::move(layers);
  return out;
}

std::vector<store::Record> records_that_hold(const Snapshot& state) {
  return state.records ? *state.records : std::vector<store::Record>();
}

}  // namespace mlarray::session
