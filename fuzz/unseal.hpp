// Makes a mutated file pass the gate that would refuse nearly all of them.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "codec/checksum.hpp"
#include "codec/chunk.hpp"
#include "frame/big_endian.hpp"
#include "frame/constants.hpp"
#include "fuzz.hpp"

namespace mlarray::fuzz {

// A copy of `file` whose seal, if it has one of ours, is right again.
inline std::vector<std::byte> resealed(Input file) {
  std::vector<std::byte> out(file.begin(), file.end());
  if (out.size() < frame::kHeaderMinBytes) return out;
  const std::span<std::byte> bytes(out);
  const auto header_len = frame::load_big<std::uint32_t>(file, frame::kHeaderLenAt);
  const auto frame_len = frame::load_big<std::uint64_t>(file, frame::kFrameLenAt);
  const auto cbytes = frame::load_big<std::uint64_t>(file, frame::kCbytesAt);
  if (frame_len > file.size() || frame_len < frame::kHeaderMinBytes || header_len > frame_len ||
      cbytes > frame_len - header_len) {
    return out;
  }
  const std::size_t end = frame_len;
  if (std::to_integer<unsigned>(bytes[end - 17]) != frame::kSealType) return out;
  const std::size_t index_at = header_len + static_cast<std::size_t>(cbytes);
  const auto trailer_len =
      frame::load_big<std::uint32_t>(file, end - frame::kTrailerEndBytes + 1);
  if (trailer_len > end - index_at || trailer_len < frame::kTrailerEndBytes) return out;
  const std::size_t trailer_at = end - trailer_len;
  std::size_t index_len = 0;
  if (frame::load_big<std::int64_t>(file, frame::kNbytesAt) > 0) {
    if (trailer_at - index_at < codec::kChunkHeaderBytes) return out;
    if (!accepts([&] {
          index_len = static_cast<std::size_t>(
              codec::chunk_length(file.subspan(index_at, trailer_at - index_at), "index"));
        })) {
      return out;
    }
    if (index_len > trailer_at - index_at) return out;
  }
  const std::array<Input, 3> parts = {file.first(header_len), file.subspan(index_at, index_len),
                                      file.subspan(trailer_at, trailer_len - 16)};
  std::ranges::copy(codec::fingerprint(parts), bytes.subspan(end - 16).begin());
  return out;
}

}  // namespace mlarray::fuzz
