// Writes and reads a volume with every codec, and catches an error of the library.
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <vector>

#include "mlarray/mlarray.hpp"

int main() {
  if (mlarray::version() != MLARRAY_VERSION) {
    std::printf("headers %s, library %s\n", MLARRAY_VERSION, mlarray::version().data());
    return 1;
  }
  // One call into each header, so that a shared library has to export them.
  mlarray::Metadata metadata;
  metadata.set("spatial", "spacing", mlarray::List{{2.0, 1.0, 1.0}});
  const mlarray::Layout layout = mlarray::choose_layout({20, 30, 40}, 4, {});
  if (metadata == mlarray::Metadata() || mlarray::List() == mlarray::List{{1}} ||
      !(mlarray::Map() == mlarray::Map()) || mlarray::Opaque() == mlarray::Opaque{"a", {}} ||
      mlarray::affine_scale(metadata.affine(3))[0] != 2.0 || layout.chunk.size() != 3 ||
      mlarray::to_json(metadata.get("spatial", "spacing")) != "[2.0,1.0,1.0]" ||
      mlarray::num_threads() < 1) {
    std::printf("a call gives something else\n");
    return 1;
  }

  std::vector<std::int32_t> voxels(20 * 30 * 40);
  std::iota(voxels.begin(), voxels.end(), 0);

  for (const mlarray::Codec codec : mlarray::codecs()) {
    mlarray::SaveOptions options;
    options.codec =
        mlarray::codec_for(mlarray::preset_from("fast"), mlarray::DType::of<std::int32_t>());
    options.codec->codec = codec;
    options.codec->set_filters({mlarray::Filter::shuffle});
    mlarray::Array::save_voxels<std::int32_t>("consumer.mla", voxels, {20, 30, 40}, {},
                                              options);
    const mlarray::Box whole{.start = {0, 0, 0}, .stop = {20, 30, 40}};
    if (mlarray::Array::open("consumer.mla").read<std::int32_t>(whole) != voxels) {
      std::printf("codec %s: other voxels\n", mlarray::to_string(codec).c_str());
      return 1;
    }
  }
  try {
    mlarray::Array::open("no-such-file.mla");
  } catch (const mlarray::Error& error) {
    if (error.kind() != mlarray::ErrorKind::not_found) return 1;
    std::printf("mlarray %s works\n", MLARRAY_VERSION);
    return 0;
  }
  return 1;
}
