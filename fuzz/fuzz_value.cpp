// Trees of plain data that no file need have held: both encoders and JSON.
#include "encoding/msgpack.hpp"
#include "encoding/pickle.hpp"
#include "fuzz.hpp"

using namespace mlarray;

namespace {

std::string text(fuzz::Choices& choices) {
  return std::string(fuzz::as_text(choices.take(static_cast<std::size_t>(choices.bits(1)))));
}

Value make(fuzz::Choices& choices, int depth) {
  const auto count = static_cast<std::size_t>(depth > 70 ? 0 : choices.number(0, 4));
  switch (choices.number(0, 9)) {
    case 0:
      return {};
    case 1:
      return choices.yes();
    case 2:
      return static_cast<std::int64_t>(choices.bits(8));
    case 3: {
      const std::uint64_t bits = choices.bits(8);
      double real = 0;
      std::memcpy(&real, &bits, sizeof real);
      return real;
    }
    case 4:
      return BigInt{text(choices)};
    case 5:
      return Bytes{text(choices)};
    case 6: {
      Map map;
      for (std::size_t i = 0; i < count; ++i) {
        Value key = choices.yes() ? Value(text(choices)) : make(choices, depth + 1);
        map.items.emplace_back(std::move(key), make(choices, depth + 1));
      }
      return map;
    }
    case 7: {
      Opaque opaque{text(choices), {}};
      for (std::size_t i = 0; i < count; ++i) opaque.state.push_back(make(choices, depth + 1));
      return opaque;
    }
    case 8: {
      List list;
      list.is_tuple = choices.yes();
      for (std::size_t i = 0; i < count; ++i) list.items.push_back(make(choices, depth + 1));
      return list;
    }
    default:
      return text(choices);
  }
}

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

void fuzz_input(fuzz::Input input) {
  fuzz::Choices choices(input);
  const Value value = make(choices, 0);
  fuzz::accepts([&] { to_json(value, 2); });
  // A value may hold two equal keys, what was read cannot: hence twice.
  std::string written;
  if (fuzz::accepts([&] { written = encoding::encode_pickle(value); })) {
    written = encoding::encode_pickle(encoding::decode_pickle(as_bytes(written)));
    const Value again = encoding::decode_pickle(as_bytes(written));
    fuzz::require(encoding::encode_pickle(again) == written, "a pickle holds what was put in");
  }
  if (fuzz::accepts([&] { written = encoding::encode_msgpack(value); })) {
    written = encoding::encode_msgpack(encoding::decode_msgpack(as_bytes(written)));
    const Value again = encoding::decode_msgpack(as_bytes(written));
    fuzz::require(encoding::encode_msgpack(again) == written, "msgpack holds what was put in");
  }
}
