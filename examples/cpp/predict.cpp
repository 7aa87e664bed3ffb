// Predict an image by overlapping patches, and write labels with its geometry.
//   predict FILE
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "mlarray/mlarray.hpp"

namespace {

// In place of a network: scores of two classes, dark and bright.
std::vector<float> predict(const std::vector<std::int16_t>& patch) {
  std::vector<float> scores(2 * patch.size(), 0.0f);
  for (std::size_t i = 0; i < patch.size(); ++i) {
    scores[patch.size() + i] = static_cast<float>(patch[i]) - 500.0f;
  }
  return scores;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: predict FILE\n"), 2;

  const auto image = mlarray::Array::open(argv[1]);
  const std::filesystem::path path =
      std::filesystem::path(argv[1]).parent_path() / "labels.mla";

  mlarray::training::AggregatorOptions options;
  options.image = image.metadata();
  mlarray::training::Aggregator out(path, image.shape(), {32, 32, 32}, 2, options);
  for (const mlarray::Box& box : out.boxes()) {
    // A box leaves an image that is shorter than the patch.
    out.add(box, predict(image.read_padded<std::int16_t>(box)));
  }
  out.finish();

  const auto labels = mlarray::Array::open(path);
  std::int64_t bright = 0;
  for (const auto label : labels.read<std::uint8_t>(mlarray::Box::whole(labels.shape()))) {
    bright += label;
  }
  std::printf("%zu boxes, %lld bright voxels of %s\n", out.boxes().size(),
              static_cast<long long>(bright), mlarray::to_string(labels.shape()).c_str());
} catch (const mlarray::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
