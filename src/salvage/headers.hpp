// The headers that a damaged file may have had.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "grid/geometry.hpp"
#include "mlarray/options.hpp"
#include "salvage/scan.hpp"
#include "store/b2nd.hpp"

namespace mlarray::salvaging {

// Where it was found: in its place, there with one byte mended, made anew, or in another file.
enum class HeaderOrigin { file, mended, rebuilt, like };

// Its lengths differ from commit to commit and are those
// of none.
struct HeaderGuess {
  std::vector<std::byte> bytes;
  grid::Geometry geometry;
  DType dtype;
  CodecParams codec;
  HeaderOrigin origin = HeaderOrigin::file;
};

// Empty if these bytes are no header of an array.
std::optional<HeaderGuess> guess_of(const DamagedFile& file, std::span<const std::byte> bytes,
                                    HeaderOrigin origin);
// A header as this library writes it, with the codec that `start`, the begin of the file, still
// has. Errors: unsupported.
std::vector<std::byte> header_for(const DamagedFile& file, std::span<const std::byte> start,
                                  const store::B2nd& b2nd);
// From shape, layout and type, which are looked for by what they look like.
std::optional<HeaderGuess> rebuilt_header(const DamagedFile& file,
                                          std::span<const std::byte> start);
// With one bit of the first `length` bytes flipped back, if there is only one by which sizes
// and layout agree with each other, as they do in every header. None of more than 4 KiB.
std::optional<HeaderGuess> header_that_agrees(const DamagedFile& file,
                                              std::span<const std::byte> start,
                                              std::size_t length);
// The first text of a header that is an element type.
std::optional<DType> dtype_in(std::span<const std::byte> start);

// A header with the lengths of one commit.
std::vector<std::byte> with_lengths(std::span<const std::byte> header, std::uint64_t index_at,
                                    std::uint64_t end, bool has_layers);
bool same_but_lengths(std::span<const std::byte> a, std::span<const std::byte> b);

}  // namespace mlarray::salvaging
