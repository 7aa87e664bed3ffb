// msgpack: what is read can be written, and reads as the same.
#include "encoding/msgpack.hpp"
#include "fuzz.hpp"

using namespace mlarray;

void fuzz_input(fuzz::Input input) {
  fuzz::accepts([&] { encoding::msgpack_bin_payload(input); });
  Value value;
  if (!fuzz::accepts([&] { value = encoding::decode_msgpack(input); })) return;
  std::string json;
  if (!fuzz::accepts([&] { json = to_json(value); })) return;
  std::string written;
  if (!fuzz::accepts([&] { written = encoding::encode_msgpack(value); })) return;
  const auto bytes = std::as_bytes(std::span(written));
  const Value again = encoding::decode_msgpack(bytes);
  // NaN is unlike itself, so the bytes are compared and not the values.
  fuzz::require(encoding::encode_msgpack(again) == written, "written once is written always");
  fuzz::require(to_json(again) == json, "nothing is lost");
}
