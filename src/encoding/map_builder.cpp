#include "encoding/map_builder.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "base/text.hpp"

namespace mlarray::encoding {
namespace {

// Appends text that is the same for two keys exactly if Python calls them equal.
// False for keys that equal no other: NaN, and what Python cannot hash or compares by identity.
struct Identity {
  std::string& out;

  bool operator()(std::monostate) const { return put('n', ""); }
  bool operator()(bool value) const { return put('i', value ? "1" : "0"); }
  bool operator()(std::int64_t value) const { return put('i', std::to_string(value)); }
  bool operator()(const BigInt& value) const { return put('i', value.decimal); }
  bool operator()(double value) const {
    if (std::isnan(value)) return false;
    if (!std::isfinite(value) || value != std::trunc(value)) {
      return put('f', base::float_repr(value));
    }
    std::array<char, 400> digits{};  // the largest double has 309
    const auto done = std::to_chars(digits.data(), digits.data() + digits.size(), value + 0.0,
                                    std::chars_format::fixed, 0);
    return put('i', {digits.data(), static_cast<std::size_t>(done.ptr - digits.data())});
  }
  bool operator()(const std::string& value) const { return put('s', value); }
  bool operator()(const Bytes& value) const { return put('b', value.data); }
  bool operator()(const List& list) const {
    put(list.is_tuple ? 't' : 'l', std::to_string(list.items.size()));
    for (const Value& item : list.items) {
      if (!std::visit(*this, item.storage())) return false;
    }
    return true;
  }
  bool operator()(const Map&) const { return false; }
  bool operator()(const Opaque&) const { return false; }

 private:
  bool put(char kind, std::string_view text) const {
    out += kind;
    out.append(std::to_string(text.size())).append(1, ':').append(text);
    return true;
  }
};

}  // namespace

void MapBuilder::add(Value key, Value value) {
  std::string identity;
  if (std::visit(Identity{identity}, key.storage())) {
    const auto [place, is_new] = places_.try_emplace(std::move(identity), map_.items.size());
    if (!is_new) {
      map_.items[place->second].second = std::move(value);
      return;
    }
  }
  map_.items.emplace_back(std::move(key), std::move(value));
}

}  // namespace mlarray::encoding
