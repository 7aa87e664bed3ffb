// A decoded block as it is cheapest to have: by element, or by byte plane. Internal.
#pragma once

#include <array>
#include <cstddef>

namespace mlarray::codec {

// Elements that are shuffled lie as planes: plane i holds byte i of every element of the block.
// Whoever copies elements out of a block can put the bytes together on the way, and a plane
// that was stored as it is needs no copy before that.
struct BlockView {
  static constexpr int kMostPlanes = 8;

  // Whether planes of so many bytes per element can be told apart; others come as elements.
  static constexpr bool has_planes(int itemsize) {
    return itemsize == 2 || itemsize == 4 || itemsize == 8;
  }

  int planes = 0;  // the bytes of an element; 0: the elements lie one after another
  // Where each plane starts; elements, all in `plane[0]`. Valid until the decoder that gave
  // the view decodes again, and as long as the chunk is.
  std::array<const std::byte*, kMostPlanes> plane{};
};

}  // namespace mlarray::codec
