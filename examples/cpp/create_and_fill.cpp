// Create an image that need not fit into memory, and fill it chunk by chunk.
//   create_and_fill FILE
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "mlarray/mlarray.hpp"

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: create_and_fill FILE\n"), 2;

  mlarray::SaveOptions options;
  options.layout.chunk = mlarray::Shape{16, 32, 32};
  options.layout.block = mlarray::Shape{8, 16, 16};
  const mlarray::Shape shape{40, 64, 64};
  auto image = mlarray::Array::create(argv[1], shape, mlarray::DType::of<float>(), {}, options);

  // Boxes that are whole chunks are compressed as they are. Others work too, but have to read
  // back the rest of the chunks that they cover in part.
  const mlarray::Shape chunk = image.chunk_shape();
  std::vector<float> voxels;
  int chunks = 0;
  for (std::int64_t z = 0; z < shape[0]; z += chunk[0]) {
    for (std::int64_t y = 0; y < shape[1]; y += chunk[1]) {
      for (std::int64_t x = 0; x < shape[2]; x += chunk[2], ++chunks) {
        const mlarray::Box box{
            .start = {z, y, x},
            .stop = {std::min(z + chunk[0], shape[0]), std::min(y + chunk[1], shape[1]),
                     std::min(x + chunk[2], shape[2])}};
        voxels.assign(static_cast<std::size_t>(mlarray::element_count(box.shape())),
                      static_cast<float>(chunks));
        image.write(box, voxels);
      }
    }
  }
  image.close();  // commits; an error of the disk is thrown here and not lost in a destructor

  const auto again = mlarray::Array::open(argv[1]);
  const auto last = again.read<float>({.start = {39, 63, 63}, .stop = {40, 64, 64}});
  std::printf("%d chunks, last voxel %g\n", chunks, static_cast<double>(last[0]));
} catch (const mlarray::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
