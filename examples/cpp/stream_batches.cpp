// Train from files: batches of patches around the classes, read ahead by the loader's threads.
//   stream_batches FILE
// Makes two images with labels beside FILE first.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "mlarray/mlarray.hpp"

namespace {

namespace training = mlarray::training;

// A ball of the class 1 in a volume that is brighter there.
training::Case make_case(const std::filesystem::path& stem, std::int64_t radius) {
  const mlarray::Shape shape{40, 48, 56};
  std::vector<std::int16_t> image;
  std::vector<std::uint8_t> label;
  for (std::int64_t z = 0; z < shape[0]; ++z) {
    for (std::int64_t y = 0; y < shape[1]; ++y) {
      for (std::int64_t x = 0; x < shape[2]; ++x) {
        const std::int64_t square =
            (z - 20) * (z - 20) + (y - 20) * (y - 20) + (x - 20) * (x - 20);
        const bool inside = square < radius * radius;
        image.push_back(static_cast<std::int16_t>(inside ? 500 + z : z));
        label.push_back(inside ? 1 : 0);
      }
    }
  }
  training::Case one;
  one.image = {stem.string() + "_image.mla"};
  one.label = {stem.string() + "_label.mla"};
  mlarray::Array::save_voxels(one.image[0], image, shape);
  mlarray::Array::save_voxels(one.label[0], label, shape);
  training::build_label_index(one.label[0]);  // else the loader makes it when it meets the case
  return one;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: stream_batches FILE\n"), 2;
  const std::string stem = std::filesystem::path(argv[1]).replace_extension().string();

  training::LoaderOptions options;
  options.patch = {16, 16, 16};
  options.batch = 2;
  options.samples_per_epoch = 8;
  options.normalization.from = training::Normalization::From::constants;
  options.normalization.channels = {{.mean = 100, .std = 200}};
  training::BalancedOptions half;
  half.foreground = 0.5;
  half.forced = training::Forced::last;  // one of the two in each batch
  training::Loader loader({make_case(stem + "_a", 9), make_case(stem + "_b", 15)},
                          training::balanced_sampler(options.patch, half), options);

  for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
    loader.set_epoch(epoch);
    while (const auto batch = loader.next()) {
      // What a training step gets: float32 (2, 1, 16, 16, 16), and labels of the same shape.
      const auto& label = batch->label();
      std::size_t foreground = 0;
      for (const std::uint8_t voxel : label.as<std::uint8_t>()) foreground += voxel > 0 ? 1 : 0;
      const training::Draw& forced = batch->draws()[1];
      std::printf("epoch %d batch %d: image %s %s, foreground %s, drawn class %d\n",
                  static_cast<int>(epoch), static_cast<int>(batch->index()),
                  batch->image().dtype.text().c_str(),
                  mlarray::to_string(batch->image().shape).c_str(),
                  foreground > 0 ? "yes" : "no", static_cast<int>(forced.label.value_or(-1)));
    }
  }

  // Stop anywhere, and go on there with the same batches.
  loader.set_epoch(0);
  loader.next();
  const training::LoaderState state = loader.state();
  const auto expected = loader.next();
  loader.restore(state);
  const auto again = loader.next();
  if (!expected || !again) return std::fprintf(stderr, "an epoch has four batches\n"), 1;
  std::printf("resumed at batch %d: %s\n", static_cast<int>(again->index()),
              again->draws()[0].seed == expected->draws()[0].seed ? "the same" : "another");
} catch (const mlarray::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
