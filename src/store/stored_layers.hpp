// The variable-length metalayers of a file, but checksums and records: kept byte for byte as
// stored until one is replaced. Among them "mlarray", the metadata of the image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "frame/frame.hpp"
#include "mlarray/metadata.hpp"
#include "store/array_header.hpp"

namespace mlarray::store {

inline constexpr std::string_view kMetadataLayer = "mlarray";

// A plain value. Copies share the stored bytes.
class StoredLayers {
 public:
  StoredLayers() = default;
  explicit StoredLayers(std::vector<frame::VlMetalayer> layers);

  const frame::VlMetalayer* find(std::string_view name) const;
  void set(std::string_view name, std::vector<std::byte> chunk);
  const std::vector<frame::VlMetalayer>& all() const { return layers_; }

  // The metadata, empty if the file has none. Errors: corruption, unsupported.
  // `ndim`: the array's number of axes.
  Metadata metadata(std::size_t ndim) const;
  // The value of the layer "mlarray" as it is stored; empty if the file has none.
  std::vector<std::byte> stored_metadata() const;

 private:
  std::vector<frame::VlMetalayer> layers_;
};

struct MetadataLayerOptions {
  std::vector<std::int64_t> patch;  // what the layout was made for
  bool has_array = true;
  MetadataEncoding encoding = MetadataEncoding::current;
  // The value that is replaced, whose encoding is kept where nothing is lost by it.
  std::optional<std::vector<std::byte>> replaces = {};
};
// The layer "mlarray" for an array. Errors: unsupported, naming the field.
std::vector<std::byte> build_metadata_layer(const Metadata& metadata, const ArrayHeader& array,
                                            const MetadataLayerOptions& options);

}  // namespace mlarray::store
