// How an array is cut, with any parameters.
#include "fuzz.hpp"
#include "mlarray/layout.hpp"

using namespace mlarray;

namespace {

// Small lengths more often than huge ones, and now and then nonsense.
std::int64_t length(fuzz::Choices& choices) {
  switch (choices.number(0, 7)) {
    case 0:
      return static_cast<std::int64_t>(choices.bits(8));
    case 1:
      return choices.number(0, std::int64_t{1} << 33);
    case 2:
    case 3:
      return choices.number(-1, 65535);
    default:
      return choices.number(0, 600);
  }
}

std::vector<std::int64_t> lengths(fuzz::Choices& choices, std::size_t count) {
  std::vector<std::int64_t> out(count);
  for (std::int64_t& value : out) value = length(choices);
  return out;
}

}  // namespace

void fuzz_input(fuzz::Input input) {
  fuzz::Choices choices(input);
  const auto ndim = static_cast<std::size_t>(choices.number(0, 17));
  const Shape shape = lengths(choices, ndim);
  const std::int64_t itemsize = choices.yes() ? choices.number(1, 16) : length(choices);
  LayoutRequest request;
  switch (choices.number(0, 3)) {
    case 0:
      request.patch = AutomaticLayout{};
      break;
    case 1:
      request.patch = length(choices);
      break;
    case 2:
      request.patch = lengths(choices, static_cast<std::size_t>(choices.number(0, 4)));
      break;
    default:
      break;
  }
  if (choices.yes()) {
    request.spatial_axes.resize(ndim);
    for (std::size_t i = 0; i < ndim; ++i) request.spatial_axes[i] = choices.yes();
  }
  const bool sizes_given = choices.number(0, 3) == 0;
  if (sizes_given) {
    request.chunk = lengths(choices, ndim);
    request.block = lengths(choices, ndim);
  }
  Layout layout;
  if (!fuzz::accepts([&] { layout = choose_layout(shape, itemsize, request); })) return;

  fuzz::require(layout.chunk.size() == ndim && layout.block.size() == ndim,
                "one length an axis");
  std::int64_t block_bytes = itemsize;
  std::int64_t chunk_bytes = itemsize;
  for (std::size_t i = 0; i < ndim; ++i) {
    const std::int64_t chunk = layout.chunk[i];
    const std::int64_t block = layout.block[i];
    fuzz::require(block >= 1 && block <= chunk, "1 <= block <= chunk");
    fuzz::require(sizes_given || chunk <= std::max<std::int64_t>(shape[i], 1),
                  "a chosen chunk stays inside the array");
    const std::int64_t padded = (chunk - 1) / block * block + block;
    fuzz::require(padded <= INT32_MAX / chunk_bytes, "a padded chunk fits the format");
    chunk_bytes *= padded;
    block_bytes *= block;
  }
  fuzz::require(chunk_bytes <= 2147483647 - 32, "a padded chunk fits the format");
  fuzz::require(block_bytes <= 536866816, "a block fits the format");
}
