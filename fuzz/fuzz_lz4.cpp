// One LZ4 block, by our decoder and by LZ4's own. Input: the decoded size and how much may be
// written behind it (3 bytes), the block.
#include <algorithm>
#include <vector>

#include "codec/lz4_decoder.hpp"
#include "codec/lz_functions.hpp"
#include "fuzz.hpp"

using namespace mlarray;

namespace {

// Whether a sequence copies from where it writes: LZ4's decoder lets that pass, and leaves what
// was there.
bool has_offset_of_zero(fuzz::Input in) {
  std::size_t at = 0;
  const auto skip_length = [&](std::size_t length) {
    for (std::size_t more = length == 15 ? 255 : 0; more == 255 && at < in.size(); ++at) {
      more = std::to_integer<std::size_t>(in[at]);
      length += more;
    }
    return length;
  };
  while (at < in.size()) {
    const auto token = std::to_integer<std::size_t>(in[at++]);
    at += skip_length(token >> 4);
    if (at + 2 > in.size()) return false;
    if (in[at] == std::byte{0} && in[at + 1] == std::byte{0}) return true;
    at += 2;
    skip_length(token & 15);
  }
  return false;
}

}  // namespace

void fuzz_input(fuzz::Input input) {
  fuzz::Choices choices(input);
  const auto size = static_cast<std::size_t>(choices.bits(2));
  const auto slack = static_cast<std::size_t>(choices.number(0, 2 * codec::kLz4Slack));
  const fuzz::Input in = input.subspan(std::min<std::size_t>(input.size(), 3));

  // Of exactly these lengths, so that the sanitizer sees one byte more.
  const std::vector<std::byte> block(in.begin(), in.end());
  std::vector<std::byte> ours(size + slack);
  const bool decoded = codec::decode_lz4(block, size, ours);

  std::vector<std::byte> theirs(size);
  const int written = LZ4_decompress_safe(
      reinterpret_cast<const char*>(block.data()), reinterpret_cast<char*>(theirs.data()),
      static_cast<int>(block.size()), static_cast<int>(size));
  if (decoded) {
    fuzz::require(written == static_cast<int>(size), "LZ4 decodes what we decode");
    fuzz::require(std::equal(theirs.begin(), theirs.end(), ours.begin()),
                  "LZ4 decodes to the same bytes");
    const std::size_t wanted = size * slack / (2 * codec::kLz4Slack);
    std::vector<std::byte> part(size + slack);
    fuzz::require(codec::decode_lz4(block, size, wanted, part), "a part of what is whole");
    fuzz::require(std::equal(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(wanted),
                             ours.begin()),
                  "a part is the same bytes");
  } else {
    std::vector<std::byte> part(size + slack);
    codec::decode_lz4(block, size, size * slack / (2 * codec::kLz4Slack), part);  // in bounds
    fuzz::require(written != static_cast<int>(size) || size == 0 || has_offset_of_zero(block),
                  "we decode what LZ4 decodes");
  }
}
