// Augment a patch: draw what happens to it, read what that needs and no more, make the sample.
//   augment FILE
// FILE is one that save_volume made. A training::Loader does the same with
// LoaderOptions::augment, and a sampler that draws boxes of `pipeline.initial`.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "mlarray/mlarray.hpp"

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: augment FILE\n"), 2;
  namespace augment = mlarray::augment;

  const auto image = mlarray::Array::open(argv[1]);
  const augment::Pipeline pipeline = augment::nnunet({.patch = {16, 24, 24}});
  const mlarray::Shape start{4, 8, 16};  // where the initial patch lies in the image

  augment::Workspace workspace;
  std::vector<float> sample;
  const auto make = [&](std::uint64_t seed) {
    const augment::Drawn drawn = augment::draw(pipeline, seed, 1);
    // In voxels of the initial patch, so shifted to the image.
    mlarray::Box box = augment::support(pipeline, drawn);
    mlarray::Shape shape = box.shape();
    for (std::size_t axis = 0; axis < start.size(); ++axis) {
      box.start[axis] += start[axis];
      box.stop[axis] += start[axis];
    }
    const auto stored = image.read_padded<std::int16_t>(box);
    const std::vector<float> voxels(stored.begin(), stored.end());
    shape.insert(shape.begin(), 1);  // one channel
    sample.resize(static_cast<std::size_t>(mlarray::element_count(pipeline.patch)));
    augment::apply(pipeline, drawn, {.image = mlarray::view_of(voxels, shape)},
                   {.image = sample}, workspace);
  };
  make(7);
  const std::vector<float> first = sample;
  make(8);
  const bool other = sample != first;
  make(7);
  std::printf("%s of %s, another seed: %s, the same seed: %s\n",
              mlarray::to_string(pipeline.patch).c_str(),
              mlarray::to_string(pipeline.initial).c_str(), other ? "other voxels" : "the same",
              sample == first ? "the same" : "other voxels");
} catch (const mlarray::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
