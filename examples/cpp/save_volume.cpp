// Save a volume that is in memory: voxels, spacing and what the scanner said.
//   save_volume FILE
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "mlarray/mlarray.hpp"

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: save_volume FILE\n"), 2;

  // 48 slices of 64 x 80 voxels. Axes are in C order: the last one varies fastest.
  const mlarray::Shape shape{48, 64, 80};
  std::vector<std::int16_t> voxels(static_cast<std::size_t>(mlarray::element_count(shape)));
  for (std::size_t i = 0; i < voxels.size(); ++i) {
    voxels[i] = static_cast<std::int16_t>(i % 1000);
  }

  mlarray::Metadata metadata;
  metadata.set_axis_labels({"spatial_z", "spatial_y", "spatial_x"});
  metadata.set_spacing({1.5, 0.8, 0.8});  // mm, in axis order
  mlarray::Map source;
  source.set("Modality", "CT");
  metadata.set("source", "data", source);

  mlarray::SaveOptions options;
  options.layout.patch = 32;                       // made for patches of 32 x 32 x 32
  options.preset = mlarray::preset_from("small");  // or "fast", "balanced"

  mlarray::Array::save_voxels(argv[1], voxels, shape, metadata, options);

  const auto image = mlarray::Array::open(argv[1]);
  std::printf("saved %s of %s\n", mlarray::to_string(image.shape()).c_str(),
              image.dtype().text().c_str());
} catch (const mlarray::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
