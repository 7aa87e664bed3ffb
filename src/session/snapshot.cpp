#include "session/snapshot.hpp"

#include <string>
#include <utility>

#include "base/naming.hpp"
#include "mlarray/error.hpp"
#include "store/block_offsets.hpp"

namespace mlarray::session {

Snapshot snapshot_of(frame::State state, std::shared_ptr<io::ByteSource> source) {
  const std::string name = source->name();
  return base::naming(name, [&] {
    Snapshot out;
    out.array =
        std::make_shared<const store::ArrayHeader>(store::read_array_header(state.header));
    const bool has_sums = state.find(store::kChecksumLayer) != nullptr;
    out.seal = state.seal == Seal::absent && has_sums ? Seal::edited : state.seal;
    out.layers = std::make_shared<const store::StoredLayers>(state.vlmeta);
    out.file_bytes = state.header.frame_len;
    std::vector<store::Record> records = store::records_of(state);
    const grid::Geometry& geometry = out.geometry();
    out.chunks = std::make_shared<const store::ChunkStore>(std::move(source), std::move(state),
                                                           geometry.chunk_count(),
                                                           geometry.block_count(), records);
    std::erase_if(records,
                  [](const auto& record) { return record.name == store::kBlockOffsets; });
    if (!records.empty()) {
      out.records = std::make_shared<const std::vector<store::Record>>(std::move(records));
    }
    return out;
  });
}

bool Snapshot::has_array() const {
  try {
    return metadata().has_array().value_or(true);
  } catch (const Error&) {
    return true;
  }
}

}  // namespace mlarray::session
