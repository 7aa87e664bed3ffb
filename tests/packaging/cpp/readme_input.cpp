// The file that the README's C++ program opens: 160 x 256 x 256 float32, in the current folder.
#include "mlarray/mlarray.hpp"

int main() {
  auto image = mlarray::Array::create("ct.mla", {160, 256, 256}, mlarray::DType::of<float>());
  const float voxel = 7;  // the first one of the patch
  image.write<float>({.start = {40, 64, 96}, .stop = {41, 65, 97}}, {&voxel, 1});
  image.close();
}
