// The index of a file as a chunk whose blocks are encoded one by one, so that the next state
// takes over the stored bytes of those that did not change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace mlarray::codec {

// Of its blocks but the last. c-blosc2 looks up single positions of an index in place, so its
// blocks are small.
inline constexpr std::size_t kIndexBlockBytes = std::size_t{32} << 10;

// Elements of 8 bytes, `bytes` in all, which are at most kMaxChunkBytes. fill() gives the
// content of a block that changed; the stored bytes of the others come from `previous`, a chunk
// that this function made of as many bytes. Where that is something else, all are asked for.
// The stored bytes of a block depend on its content alone.
std::vector<std::byte> encode_index(
    std::size_t bytes, std::span<const std::byte> previous,
    const std::function<bool(std::size_t block)>& changed,
    const std::function<void(std::size_t block, std::span<std::byte> out)>& fill);

}  // namespace mlarray::codec
