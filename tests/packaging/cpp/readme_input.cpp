// The file that the README's C++ program opens: 160 x 256 x 256 float32, in the current folder.
#include <span>

#include "mlarray/mlarray.hpp"

int main() {
  auto image = mlarray::Array::create("ct.mla", {160, 256, 256}, mlarray::DType::parse("<f4"));
  const float voxel = 7;  // the first one of the patch
  image.write({.start = {40, 64, 96}, .stop = {41, 65, 97}},
              {std::as_bytes(std::span(&voxel, 1)).data(), {1, 1, 1}, {4, 4, 4}});
  image.close();
}
