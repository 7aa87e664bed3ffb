// Read a batch of patches, as for training a network; and one that reaches beyond the image.
//   read_batch FILE
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <vector>

#include "mlarray/mlarray.hpp"

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: read_batch FILE\n"), 2;

  const auto image = mlarray::Array::open(argv[1]);
  const mlarray::Shape patch{16, 16, 16};

  // One call for all boxes: their blocks are decoded by all threads, straight into the batch.
  std::vector<mlarray::Box> boxes;
  boxes.reserve(4);
  for (std::int64_t i = 0; i < 4; ++i) {
    boxes.push_back(mlarray::Box::at({8 * i, 12 * i, 16 * i}, patch));
  }
  std::vector<std::int16_t> batch(boxes.size() *
                                  static_cast<std::size_t>(mlarray::element_count(patch)));
  image.read_many(boxes, batch);
  std::printf("batch of %zu patches, sum %lld\n", boxes.size(),
              std::accumulate(batch.begin(), batch.end(), 0LL));

  // Half of this one lies before the first slice.
  const auto border = image.read_padded<std::int16_t>(
      {.start = {-8, 0, 0}, .stop = {8, 16, 16}}, /*fill=*/-1000);
  std::printf("border from %d to %d\n", border.front(), border.back());

  // The same for a batch.
  boxes.front() = mlarray::Box::at({-8, 0, 0}, patch);
  image.read_many_padded(boxes, batch, /*fill=*/-1000);
  std::printf("batch from %d to %d\n", batch.front(), batch.back());
} catch (const mlarray::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
