// Make a mask of an image: with its spacing, origin and source, and packed small in the end.
//   derive_image FILE
// It writes FILE with the ending .mask.mla.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "mlarray/mlarray.hpp"

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: derive_image FILE\n"), 2;

  const auto image = mlarray::Array::open(argv[1]);
  const auto voxels = image.read<std::int16_t>(mlarray::Box::whole(image.shape()));
  std::vector<std::uint8_t> mask(voxels.size());
  for (std::size_t i = 0; i < voxels.size(); ++i) mask[i] = voxels[i] > 500 ? 1 : 0;

  mlarray::Metadata metadata;
  metadata.set_is_seg(true);
  metadata.set("spatial", "coord_system", "LPS");
  metadata.fill_from(image.metadata());  // what is not set here

  const auto path = std::filesystem::path(argv[1]).replace_extension(".mask.mla");
  mlarray::Array::save_voxels(path, mask, image.shape(), metadata);
  // The same image with another compression, in the place of the file. Read back before that.
  const auto packed = mlarray::repack(path, {.preset = mlarray::Preset::small});
  std::printf("packed: %s\n", packed.bytes_after < packed.bytes_before ? "smaller" : "larger");

  const auto again = mlarray::Array::open(path);
  const auto found = mlarray::orientation_of(again.metadata(), 3);
  const auto spacing = again.metadata().spacing().value();
  std::printf("mask of %lld voxels, axes %s, slices of %g mm\n",
              static_cast<long long>(mlarray::element_count(again.shape())),
              found ? found->letters.c_str() : "not known", spacing[0]);
} catch (const mlarray::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
