#include "metadata/stored.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "encoding/gzip.hpp"
#include "encoding/msgpack.hpp"
#include "encoding/pickle.hpp"
#include "metadata/rules.hpp"
#include "metadata/schema.hpp"
#include "metadata/stored_legacy.hpp"
#include "metadata/tree.hpp"
#include "mlarray/error.hpp"

namespace mlarray::metadata {
namespace {

using encoding::DecodeLimits;

// msgpack writes a map with one of 0x80..0x8f, 0xde, 0xdf.
bool starts_with_map(std::span<const std::byte> value) {
  if (value.empty()) return false;
  const auto first = std::to_integer<unsigned>(value[0]);
  return (first & 0xF0U) == 0x80U || first == 0xDEU || first == 0xDFU;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

Value sizes(const Shape& shape) {
  List list;
  for (const std::int64_t length : shape) list.items.emplace_back(length);
  return list;
}

void store(Metadata& metadata, std::string_view section, std::string_view name, Value value) {
  Tree::store(metadata, *find_field(*find_section(section), name), std::move(value));
}

// The patch size stays where chunks and blocks are still those that it led to.
Value patch_size(const Metadata& metadata, const ArrayFacts& facts) {
  if (!facts.layout.patch.empty()) return sizes(facts.layout.patch);
  const bool same_layout = metadata.get("blosc2", "chunk_size") == sizes(facts.layout.chunk) &&
                           metadata.get("blosc2", "block_size") == sizes(facts.layout.block);
  return same_layout ? metadata.get("blosc2", "patch_size") : Value();
}

// What a writer noted beyond codec and level (filters) stays where those two still hold.
Value cparams(const Metadata& metadata, const CodecParams& codec) {
  const Value& noted = metadata.get("blosc2", "cparams");
  Map params;
  params.set("codec", static_cast<int>(codec.codec));
  params.set("clevel", codec.level);
  const Map* map = noted.get_if<Map>();
  const bool same = map && std::ranges::all_of(params.items, [&](const auto& item) {
                      const Value* value =
                          map->find(*item.first.template get_if<std::string>());
                      return value && *value == item.second;
                    });
  if (same) return noted;
  return params;
}

void store_axis_counts(Metadata& metadata) {
  const List* labels = metadata.get("spatial", "axis_labels").get_if<List>();
  Value spatial;
  Value others;
  const auto count =
      labels ? axes_for(-1, Tree::section(metadata, "spatial")).spatial : std::nullopt;
  if (count) {
    spatial = *count;
    others = static_cast<int>(labels->items.size()) - *count;
  }
  store(metadata, "spatial", "_num_spatial_axes", std::move(spatial));
  store(metadata, "spatial", "_num_non_spatial_axes", std::move(others));
}

// `metadata` with what the library itself knows.
Metadata with_facts(Metadata metadata, const ArrayFacts& facts) {
  store(metadata, "_mlarray_version", "mlarray_version", kMlarrayVersion);
  store(metadata, "_has_array", "has_array", facts.has_array);
  if (facts.has_array) {
    store(metadata, "blosc2", "patch_size", patch_size(metadata, facts));
    store(metadata, "blosc2", "chunk_size", sizes(facts.layout.chunk));
    store(metadata, "blosc2", "block_size", sizes(facts.layout.block));
    store(metadata, "spatial", "shape", sizes(facts.shape));
  } else {
    for (const char* name : {"patch_size", "chunk_size", "block_size"}) {
      store(metadata, "blosc2", name, Value());
    }
    store(metadata, "spatial", "shape", Value());
  }
  if (facts.codec) store(metadata, "blosc2", "cparams", cparams(metadata, *facts.codec));
  store_axis_counts(metadata);
  return metadata;
}

std::size_t count_values(const Value& value) {
  std::size_t count = 1;
  if (const auto* list = value.get_if<List>()) {
    for (const Value& item : list->items) count += count_values(item);
  } else if (const auto* map = value.get_if<Map>()) {
    for (const auto& [key, item] : map->items) count += count_values(key) + count_values(item);
  } else if (const auto* opaque = value.get_if<Opaque>()) {
    for (const Value& item : opaque->state) count += count_values(item);
  }
  return count;
}

// What we write we must be able to read: the decoders' limits hold for the encoders too.
void require_within(const char* what, std::size_t found, std::size_t limit) {
  if (found <= limit) return;
  throw Error(ErrorKind::unsupported,
              "metadata: " + std::to_string(found) + " " + what + ", at most " +
                  std::to_string(limit) +
                  " are supported; keep large tables in the array or in a file of their own");
}

}  // namespace

Value decode_stored_tree(std::span<const std::byte> value) {
  if (starts_with_map(value)) return with_marked_tuples(encoding::decode_msgpack(value));
  const auto payload = encoding::msgpack_bin_payload(value);
  if (payload.data() == nullptr) {
    throw Error(ErrorKind::corruption,
                "metadata: the value of metalayer 'mlarray' is neither a msgpack map nor a "
                "msgpack bin");
  }
  if (!encoding::is_gzip(payload)) {
    throw Error(ErrorKind::corruption,
                "metadata: the msgpack bin of metalayer 'mlarray' is no gzip stream");
  }
  const std::string pickle = encoding::gunzip(payload, DecodeLimits{}.max_bytes);
  return encoding::decode_pickle(bytes_of(pickle));
}

Metadata decode_stored(std::span<const std::byte> value, int ndim) {
  return Tree::read(from_oldest_tree(decode_stored_tree(value)), Leniency::everything, ndim);
}

namespace {

std::string encode_tree(Value tree, bool msgpack) {
  // The reference writes this one field without its map; every version reads both.
  tree.get_if<Map>()->set("_mlarray_version", kMlarrayVersion);
  require_within("values", count_values(tree), DecodeLimits{}.max_items);
  const std::string plain =
      msgpack ? encoding::encode_msgpack(tree) : encoding::encode_pickle(tree);
  require_within("bytes", plain.size(), DecodeLimits{}.max_bytes);
  return msgpack ? plain : encoding::encode_msgpack_bin(bytes_of(encoding::gzip(plain)));
}

}  // namespace

Metadata user_part(Metadata metadata) {
  for (const MetadataField& field : fields()) {
    if (field.read_only) store(metadata, field.section, field.name, Value());
  }
  return metadata;
}

std::string encode_stored(const Metadata& metadata, const ArrayFacts& facts,
                          MetadataEncoding encoding) {
  const Metadata complete = with_facts(metadata, facts);
  const bool legacy = encoding == MetadataEncoding::legacy;
  return encode_tree(legacy ? to_legacy_tree(complete) : complete.to_value(), legacy);
}

std::string encode_edited(const Metadata& metadata, const ArrayFacts& facts,
                          std::span<const std::byte> previous) {
  if (starts_with_map(previous)) {
    try {
      const Value before = decode_stored_tree(previous);
      const Metadata complete = with_facts(metadata, facts);
      const std::string value =
          encode_tree(to_tree_like(*before.get_if<Map>(), complete), true);
      const Metadata after =
          decode_stored(bytes_of(value), static_cast<int>(facts.shape.size()));
      if (user_part(after) == user_part(complete)) return value;
    } catch (const Error& error) {
      // Something that msgpack cannot hold, or nothing that could be read.
      if (error.kind() != ErrorKind::unsupported && error.kind() != ErrorKind::corruption)
        throw;
    }
  }
  return encode_stored(metadata, facts, MetadataEncoding::current);
}

}  // namespace mlarray::metadata
