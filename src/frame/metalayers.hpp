// The list of named byte strings that header and trailer share: a msgpack array of the size
// of its name map, the map from names to offsets, and the array of contents.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mlarray::frame {

struct NamedSpan {
  std::string name;
  std::span<const std::byte> content;  // into the bytes parsed
};

// Parses the list at `offset` of `data` (a whole header or trailer, from whose start the
// offsets count). `where` names it in messages. Errors: corruption.
std::vector<NamedSpan> parse_metalayers(std::span<const std::byte> data, std::size_t offset,
                                        std::string_view where);

// Appends the list to `out`, which starts where offsets count from. The size of the name map
// is counted as c-blosc2 does: in a header with the leading array marker, in a trailer without.
// Errors: unsupported for names over 31 bytes, contents or offsets over 2^31 - 1 bytes.
enum class Place { header, trailer };
void append_metalayers(std::vector<std::byte>& out, std::span<const NamedSpan> layers,
                       Place place);

}  // namespace mlarray::frame
