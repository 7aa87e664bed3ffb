// Pickles as data.
#include "encoding/pickle.hpp"
#include "fuzz.hpp"

using namespace mlarray;

void fuzz_input(fuzz::Input input) {
  // Small budgets, so that they are reached.
  const encoding::DecodeLimits limits{
      .max_depth = 64, .max_items = 100'000, .max_bytes = 1 << 20};
  Value value;
  if (!fuzz::accepts([&] { value = encoding::decode_pickle(input, limits); })) return;
  std::string json;
  if (!fuzz::accepts([&] { json = to_json(value); })) return;
  std::string written;
  if (!fuzz::accepts([&] { written = encoding::encode_pickle(value); })) return;
  const auto bytes = std::as_bytes(std::span(written));
  const Value again = encoding::decode_pickle(bytes);
  // NaN is unlike itself, so the bytes are compared and not the values.
  fuzz::require(encoding::encode_pickle(again) == written, "written once is written always");
  fuzz::require(to_json(again) == json, "nothing is lost");
}
