// Create an image that need not fit into memory, and fill it chunk by chunk.
//   create_and_fill FILE
#include <algorithm>
#include <cstdio>
#include <span>
#include <vector>

#include "mlarray/mlarray.hpp"

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: create_and_fill FILE\n"), 2;

  mlarray::SaveOptions options;
  options.layout.chunk = mlarray::Shape{16, 32, 32};
  options.layout.block = mlarray::Shape{8, 16, 16};
  const mlarray::Shape shape{40, 64, 64};
  auto image =
      mlarray::Array::create(argv[1], shape, mlarray::DType::parse("<f4"), {}, options);

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
        const mlarray::Shape size = box.shape();
        voxels.assign(static_cast<std::size_t>(mlarray::element_count(size)),
                      static_cast<float>(chunks));
        constexpr std::int64_t kItem = sizeof(float);
        image.write(box, {std::as_bytes(std::span(voxels)).data(),
                          size,
                          {size[1] * size[2] * kItem, size[2] * kItem, kItem}});
      }
    }
  }
  image.close();  // commits; an error of the disk is thrown here and not lost in a destructor

  const auto again = mlarray::Array::open(argv[1]);
  float last = 0;
  again.read({.start = {39, 63, 63}, .stop = {40, 64, 64}},
             std::as_writable_bytes(std::span(&last, 1)));
  std::printf("%d chunks, last voxel %g\n", chunks, static_cast<double>(last));
} catch (const mlarray::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
