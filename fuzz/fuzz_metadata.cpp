// The value of the metalayer with the metadata, bare or as the chunk that holds it.
#include <vector>

#include "codec/encoder.hpp"
#include "fuzz.hpp"
#include "metadata/stored.hpp"

using namespace mlarray;

namespace {

// Reading puts fields in an order of their own, so written, read, and then twice more.
void round_trip(const Metadata& metadata, MetadataEncoding encoding) {
  std::string written;
  if (!fuzz::accepts([&] { written = metadata::encode_stored(metadata, {}, encoding); }))
    return;
  const auto rewritten = [&] {
    const Metadata read = metadata::decode_stored(std::as_bytes(std::span(written)), 3);
    return metadata::encode_stored(read, {}, encoding);
  };
  written = rewritten();
  fuzz::require(rewritten() == written, "written once is written always");
}

}  // namespace

void fuzz_input(fuzz::Input input) {
  if (input.empty()) return;
  std::vector<std::byte> value(input.begin() + 1, input.end());
  if (input[0] != std::byte{0}) {  // it is a chunk
    if (!fuzz::accepts(
            [&] { value = codec::decompress_bytes(input.subspan(1), 1 << 20, {}); })) {
      return;
    }
  }
  fuzz::accepts([&] { to_json(metadata::decode_stored_tree(value)); });
  Metadata metadata;
  if (!fuzz::accepts([&] { metadata = metadata::decode_stored(value, 3); })) return;
  fuzz::accepts([&] { metadata.check(3); });
  fuzz::accepts([&] { metadata.affine(3); });
  round_trip(metadata, MetadataEncoding::current);
  round_trip(metadata, MetadataEncoding::legacy);
  fuzz::accepts([&] { metadata::encode_edited(metadata, {}, value); });
}
