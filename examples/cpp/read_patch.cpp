// Open a file and read one patch of it: only the blocks that the box meets are decoded.
//   read_patch FILE
#include <cstdint>
#include <cstdio>
#include <numeric>

#include "mlarray/mlarray.hpp"

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: read_patch FILE\n"), 2;

  const auto image = mlarray::Array::open(argv[1]);  // maps the file, reads no voxel
  const mlarray::Box box{.start = {8, 16, 24}, .stop = {16, 32, 56}};  // start <= i < stop
  const auto patch = image.read<std::int16_t>(box);  // an error if its voxels are no int16

  std::printf("patch %s, sum %lld\n", mlarray::to_string(box.shape()).c_str(),
              std::accumulate(patch.begin(), patch.end(), 0LL));
} catch (const mlarray::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
