// Chunks made by python-blosc2 (data/make_chunks.py) with what they decode to.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mlarray::codec::test {

struct GoldenChunk {
  std::string name;
  std::vector<std::byte> chunk;
  std::vector<std::byte> raw;
};

const std::vector<GoldenChunk>& golden_chunks();
// Fails the test when there is no such chunk.
const GoldenChunk& golden_chunk(std::string_view name);

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace mlarray::codec::test
