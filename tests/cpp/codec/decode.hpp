// A chunk's bytes, as our decoder gives them.
#pragma once

#include <cstddef>
#include <vector>

#include "codec/chunk_format.hpp"
#include "codec/decoder.hpp"

namespace mlarray::codec::test {

inline std::vector<std::byte> decode(const std::vector<std::byte>& chunk) {
  const ChunkHeader header = parse_chunk(chunk, {});
  std::vector<std::byte> out(static_cast<std::size_t>(header.nbytes));
  Decoder().decode_chunk(chunk, header, out, "chunk");
  return out;
}

}  // namespace mlarray::codec::test
