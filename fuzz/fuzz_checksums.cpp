// The table of checksums.
#include <vector>

#include "fuzz.hpp"
#include "store/checksums.hpp"

using namespace mlarray;

void fuzz_input(fuzz::Input input) {
  fuzz::Choices choices(input);
  const std::int64_t chunks = choices.number(0, std::int64_t{1} << 28);
  const std::int64_t blocks = choices.number(0, std::int64_t{1} << 31);
  const auto table = store::ChecksumTable::parse({choices.rest(), nullptr}, chunks, blocks);
  for (const std::int64_t chunk : {std::int64_t{0}, chunks / 2, chunks - 1}) {
    if (chunk < 0) continue;
    const store::ChunkSums sums = table.of_chunk(chunk);
    fuzz::require(
        sums.bytes.empty() || sums.bytes.size() == 4 * static_cast<std::size_t>(blocks),
        "a chunk has one sum for each block");
    if (!sums.bytes.empty()) sums.of_block(static_cast<std::int32_t>(blocks - 1));
  }
  if (table.of_chunk(0).bytes.empty()) return;
  const std::vector<std::byte> again = store::ChecksumBuilder(chunks, blocks, table).build();
  fuzz::require(
      store::ChecksumTable::parse({again, nullptr}, chunks, blocks).of_chunk(0).of_block(0) ==
          table.of_chunk(0).of_block(0),
      "what was read can be written");
}
