// Bytes in runs, encoded by our LZ4 encoder and decoded by LZ4 and by our decoder.
#include <algorithm>
#include <vector>

#include "codec/lz4_decoder.hpp"
#include "codec/lz_functions.hpp"
#include "codec/run_encoder.hpp"
#include "fuzz.hpp"

using namespace mlarray;

namespace {

constexpr std::size_t kMostBytes = 150000;

// Values and lengths; or, as few inputs have runs of their own, bytes as they are.
std::vector<std::byte> make(fuzz::Choices& choices) {
  std::vector<std::byte> data;
  if (choices.yes()) {
    const fuzz::Input rest = choices.rest();
    data.assign(rest.begin(), rest.end());
    return data;
  }
  while (!choices.rest().empty() && data.size() < kMostBytes) {
    const auto value = static_cast<std::byte>(choices.bits(1));
    auto length = static_cast<std::size_t>(choices.bits(1));
    if (length == 255) length = static_cast<std::size_t>(choices.bits(2));
    // What stands further ahead once more, now and then with another byte.
    if (length < 32 && !data.empty()) {
      const auto back =
          static_cast<std::size_t>(choices.number(1, static_cast<std::int64_t>(data.size())));
      for (std::size_t i = 0; i < 8 * length; ++i) data.push_back(data[data.size() - back]);
      data.push_back(value);
    } else {
      data.insert(data.end(), length, value);
    }
  }
  data.resize(std::min(data.size(), kMostBytes));
  return data;
}

}  // namespace

void fuzz_input(fuzz::Input input) {
  fuzz::Choices choices(input);
  const int level = static_cast<int>(choices.number(1, 9));
  const std::vector<std::byte> data = make(choices);
  codec::RunEncoder encoder(data.size());
  // Vectors of the exact sizes: a byte too far is seen.
  std::vector<std::byte> out(data.size() + data.size() / 255 + 16);
  const std::size_t size = encoder.encode(data, out, level);
  if (size == 0) return;
  fuzz::require(size <= out.size(), "a block is no longer than its room");
  const std::vector<std::byte> block(out.begin(),
                                     out.begin() + static_cast<std::ptrdiff_t>(size));
  std::vector<std::byte> back(data.size());
  const int decoded = LZ4_decompress_safe(
      reinterpret_cast<const char*>(block.data()), reinterpret_cast<char*>(back.data()),
      static_cast<int>(block.size()), static_cast<int>(back.size()));
  fuzz::require(decoded == static_cast<int>(data.size()) && back == data,
                "LZ4 decodes what was encoded");
  std::fill(back.begin(), back.end(), std::byte{0xa5});
  fuzz::require(data.empty() || (codec::decode_lz4(block, data.size(), back) && back == data),
                "our decoder decodes what was encoded");
  std::vector<std::byte> tight(size - 1);
  fuzz::require(encoder.encode(data, tight, level) == 0,
                "a block that does not fit is refused");
}
