#include "codec/hash.hpp"

#include <string>

#include "mlarray/error.hpp"

namespace mlarray::codec {
namespace {

struct Kernels {
  std::array<const HashKernel*, 3> list{};
  std::size_t count = 0;

  Kernels() {
#ifdef MLARRAY_HASH_X86
    // AVX-512 of the kind that XXH3 uses; both include a system that saves the registers.
    if (__builtin_cpu_supports("avx512f") != 0) list[count++] = &kAvx512Hash;
    if (__builtin_cpu_supports("avx2") != 0) list[count++] = &kAvx2Hash;
#endif
    list[count++] = &kBaselineHash;
  }
};

const Kernels& kernels() {
  static const Kernels found;
  return found;
}

}  // namespace

std::span<const HashKernel* const> hash_kernels() {
  return std::span(kernels().list).first(kernels().count);
}

std::uint64_t hash64(std::span<const std::byte> bytes, std::uint64_t seed) {
  return kernels().list[0]->hash64(bytes.data(), bytes.size(), seed);
}

std::array<std::byte, 16> hash128(std::span<const std::span<const std::byte>> parts) {
  constexpr std::size_t kMaxParts = 8;
  std::array<HashPart, kMaxParts> plain{};
  if (parts.size() > kMaxParts) {
    throw Error(ErrorKind::invalid_use,
                "a fingerprint of " + std::to_string(parts.size()) + " parts");
  }
  for (std::size_t i = 0; i < parts.size(); ++i) plain[i] = {parts[i].data(), parts[i].size()};
  std::array<std::uint64_t, 2> words{};
  kernels().list[0]->hash128(plain.data(), parts.size(), words.data());
  std::array<std::byte, 16> out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::byte>(words[i / 8] >> (8 * (7 - i % 8)));
  }
  return out;
}

}  // namespace mlarray::codec
