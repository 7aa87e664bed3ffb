// The container: header, index, trailer, metalayers.
#include "frame/frame.hpp"
#include "fuzz.hpp"
#include "io/byte_source.hpp"
#include "unseal.hpp"

using namespace mlarray;

void fuzz_input(fuzz::Input input) {
  const auto source = io::from_memory(fuzz::resealed(input), "<input>");
  frame::State state;
  if (!fuzz::accepts([&] { state = frame::read_state(*source); })) return;

  const frame::Header& header = state.header;
  fuzz::require(header.frame_len <= input.size(), "the frame lies inside the file");
  fuzz::require(state.header_bytes.size() == header.header_len, "the header is whole");
  fuzz::require(static_cast<std::int64_t>(state.index.size()) == header.chunk_count(),
                "the index has one entry for each chunk");
  for (const frame::IndexEntry& entry : state.index) {
    fuzz::require(entry.is_special() || entry.offset() + codec::kChunkHeaderBytes <=
                                            static_cast<std::uint64_t>(header.cbytes),
                  "every chunk starts between header and index");
  }
  for (const frame::VlMetalayer& layer : state.vlmeta) {
    fuzz::require(layer.name.size() <= 31, "names have at most 31 bytes");
  }

  // What was read can be written again, and reads as the same.
  std::vector<std::byte> tail;
  std::vector<std::byte> header_bytes = state.header_bytes;
  frame::Header changed = header;
  const std::uint64_t position = header.header_len + static_cast<std::uint64_t>(header.cbytes);
  if (!fuzz::accepts([&] {
        tail = frame::build_tail(changed, header_bytes, position, state.index, state.vlmeta);
      })) {
    return;
  }
  std::vector<std::byte> file = std::move(header_bytes);
  const io::Bytes chunks = source->get({header.header_len, position - header.header_len});
  file.insert(file.end(), chunks.data.begin(), chunks.data.end());
  file.insert(file.end(), tail.begin(), tail.end());
  const auto again = io::from_memory(std::move(file), "<rebuilt>");
  const frame::State second = frame::read_state(*again);
  fuzz::require(second.seal == Seal::valid, "what we write is sealed");
  fuzz::require(second.index.size() == state.index.size(), "the index survives");
  fuzz::require(second.vlmeta.size() == state.vlmeta.size(), "the metalayers survive");
}
