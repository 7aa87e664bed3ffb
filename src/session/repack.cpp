#include "mlarray/repack.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "mlarray/error.hpp"
#include "mlarray/metadata.hpp"

namespace mlarray {
namespace {

// The patch that the metadata names, if it fits the axes of space.
std::vector<std::int64_t> patch_of(const Metadata& metadata, int ndim) {
  std::vector<std::int64_t> patch;
  const List* lengths = metadata.get("blosc2", "patch_size").get_if<List>();
  if (lengths == nullptr) return {};
  for (const Value& item : lengths->items) {
    const auto* length = item.get_if<std::int64_t>();
    if (length == nullptr || *length < 1) return {};
    patch.push_back(*length);
  }
  const auto axes = std::ranges::count(metadata.spatial_axes(ndim), true);
  return std::ssize(patch) == axes ? patch : std::vector<std::int64_t>{};
}

SaveOptions options_for(const Array& image, const RepackOptions& options) {
  SaveOptions save;
  save.layout = options.layout ? *options.layout : layout_of(image);
  save.codec = options.codec;
  save.preset = options.preset;
  save.threads = options.threads;
  save.level = options.level;
  save.verify = true;
  return save;
}

RepackReport report_of(std::int64_t bytes_before, const Array& image) {
  return {bytes_before, image.file_bytes(), image.chunk_shape(), image.block_shape()};
}

}  // namespace

LayoutRequest layout_of(const Array& image) {
  LayoutRequest layout;
  try {
    auto patch = patch_of(image.metadata(), static_cast<int>(image.shape().size()));
    if (!patch.empty()) {
      layout.patch = std::move(patch);
      return layout;
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::closed || error.kind() == ErrorKind::io) throw;
    // Metadata that cannot be read names no patch.
  }
  layout.patch = AutomaticLayout{};
  layout.chunk = image.chunk_shape();
  layout.block = image.block_shape();
  return layout;
}

RepackReport repack(const std::filesystem::path& path, const RepackOptions& options) {
  if (path.extension() != ".mla") {
    throw Error(ErrorKind::invalid_use,
                "'" + path.string() +
                    "': only .mla files are repacked; a .b2nd may hold what we do not keep: "
                    "open it and save it as .mla, or repack it to another path",
                path.string());
  }
  Array image = Array::open(path, {.mode = Mode::read_write, .level = options.level});
  const std::int64_t before = image.file_bytes();
  image.save(path, options_for(image, options));
  const RepackReport report = report_of(before, image);
  image.close();
  return report;
}

RepackReport repack_to(const std::filesystem::path& path, const std::filesystem::path& target,
                       const RepackOptions& options) {
  const Array image = Array::open(path, {.verify = true});
  SaveOptions save = options_for(image, options);
  save.store_metadata = target.extension() == ".mla";
  image.save(target, save);
  return report_of(image.file_bytes(), Array::open(target));
}

}  // namespace mlarray
