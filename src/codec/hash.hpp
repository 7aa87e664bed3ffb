// XXH3, with the widest vectors that this CPU has. Internal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/hash_kernel.hpp"

namespace mlarray::codec {

// The kernels that this CPU runs, the best one first. All give the same values.
std::span<const HashKernel* const> hash_kernels();

std::uint64_t hash64(std::span<const std::byte> bytes, std::uint64_t seed);
// XXH3-128 (seed 0, canonical: big-endian) of the parts one after another.
std::array<std::byte, 16> hash128(std::span<const std::span<const std::byte>> parts);

}  // namespace mlarray::codec
