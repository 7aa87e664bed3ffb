// Read and change the metadata of a file: spacing, affine, what the source said.
//   metadata FILE
#include <cstdio>

#include "mlarray/mlarray.hpp"

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: metadata FILE\n"), 2;

  auto image = mlarray::Array::open(argv[1], {.mode = mlarray::Mode::read_write});
  auto metadata = image.metadata();  // a copy; the file changes with set_metadata

  // Fields are checked when they are set: a wrong one is an error that names field and value.
  try {
    metadata.set("spatial", "spacing", "1.5 mm");
  } catch (const mlarray::Error& error) {
    std::printf("refused: %s\n", error.what());
  }
  metadata.set_origin({-30.0, -100.0, -100.0});

  // "source" holds any plain data.
  mlarray::Map source;
  if (const auto* stored = metadata.get("source", "data").get_if<mlarray::Map>()) {
    source = *stored;
  }
  source.set("PatientPosition", "HFS");
  metadata.set("source", "data", source);
  image.set_metadata(metadata);
  image.close();

  const auto again = mlarray::Array::open(argv[1]).metadata();
  std::printf("affine, from index to mm:\n");
  for (const auto& row : again.affine(3)) {
    for (const double value : row) std::printf("%7.1f", value);
    std::printf("\n");
  }
  std::printf("source %s\n", mlarray::to_json(again.get("source", "data")).c_str());
} catch (const mlarray::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
