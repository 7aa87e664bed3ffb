// numpy scalars inside a pickle: scalar(dtype('f8', False, True), b'...').
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "base/half.hpp"
#include "base/text.hpp"
#include "encoding/pickle_expand.hpp"

namespace mlarray::encoding {
namespace {

struct ScalarType {
  char kind = 0;
  std::size_t size = 0;  // bytes; for 'U' too
  bool big_endian = false;
};

// dtype('f8', False, True) with the state (3, '<', ...).
std::optional<ScalarType> scalar_type(PickleMachine& machine, NodeId id) {
  const Node& node = machine.node(id);
  if (node.kind != NodeKind::object || machine.class_name(node) != "numpy.dtype" ||
      node.items.empty()) {
    return std::nullopt;
  }
  const Node& name = machine.node(node.items[0]);
  if (name.kind != NodeKind::text || name.text.size() < 2) return std::nullopt;
  ScalarType type;
  type.kind = name.text.front();
  const char* end = name.text.data() + name.text.size();
  const auto parsed = std::from_chars(name.text.data() + 1, end, type.size);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  if (type.kind == 'U') {
    if (type.size > SIZE_MAX / 4) return std::nullopt;
    type.size *= 4;
  }
  for (const NodeId state_id : machine.object(node).states) {
    const Node& state = machine.node(state_id);
    if (state.kind != NodeKind::tuple || state.items.size() < 2) return std::nullopt;
    const Node& order = machine.node(state.items[1]);
    type.big_endian = order.kind == NodeKind::text && order.text == ">";
  }
  return type;
}

std::uint64_t integer_of(std::string_view bytes, bool big_endian) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char byte = bytes[big_endian ? i : bytes.size() - 1 - i];
    value = (value << 8) | static_cast<unsigned char>(byte);
  }
  return value;
}

std::optional<Value> number(const ScalarType& type, std::string_view bytes) {
  if (type.size != 1 && type.size != 2 && type.size != 4 && type.size != 8) return std::nullopt;
  const std::uint64_t bits = integer_of(bytes, type.big_endian);
  if (type.kind == 'b') return type.size == 1 ? std::optional<Value>(bits != 0) : std::nullopt;
  if (type.kind == 'u') {
    if (bits > std::uint64_t{INT64_MAX}) return BigInt{std::to_string(bits)};
    return static_cast<std::int64_t>(bits);
  }
  if (type.kind == 'i') {
    const auto unused = static_cast<unsigned>(64 - 8 * type.size);
    return static_cast<std::int64_t>(bits << unused) >> unused;  // spreads the sign
  }
  switch (type.size) {
    case 2:
      return base::half_to_double(static_cast<std::uint16_t>(bits));
    case 4:
      return double{std::bit_cast<float>(static_cast<std::uint32_t>(bits))};
    case 8:
      return std::bit_cast<double>(bits);
    default:
      return std::nullopt;
  }
}

// UTF-32; zeros at the end are padding.
std::optional<Value> text(const ScalarType& type, std::string_view bytes) {
  std::string out;
  std::size_t used = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 4) {
    const std::uint64_t code = integer_of(bytes.substr(i, 4), type.big_endian);
    if (code > 0x10FFFF) return std::nullopt;
    base::append_code_point(out, static_cast<char32_t>(code));
    if (code != 0) used = out.size();
  }
  out.resize(used);
  return out;
}

}  // namespace

std::optional<std::string> numpy_type_text(PickleMachine& machine, const Node& node) {
  const ObjectParts& parts = machine.object(node);
  if (node.items.empty()) return std::nullopt;
  const Node& name = machine.node(node.items[0]);
  if (name.kind != NodeKind::text || name.text.empty()) return std::nullopt;
  std::string order;
  if (!parts.states.empty()) {
    const Node& state = machine.node(parts.states.front());
    if (state.kind != NodeKind::tuple || state.items.size() < 4) return std::nullopt;
    const Node& first = machine.node(state.items[1]);
    const bool is_structured = machine.node(state.items[3]).kind != NodeKind::none;
    if (first.kind != NodeKind::text || is_structured) return std::nullopt;
    order = first.text;
  }
  return order.append(name.text);
}

std::optional<Value> numpy_scalar(PickleMachine& machine, const Node& node) {
  if (node.items.size() != 2) return std::nullopt;
  const auto type = scalar_type(machine, node.items[0]);
  if (!type) return std::nullopt;
  auto bytes = bytes_of(machine, machine.node(node.items[1]));
  if (!bytes || bytes->size() != type->size) return std::nullopt;
  switch (type->kind) {
    case 'b':
    case 'i':
    case 'u':
    case 'f':
      return number(*type, *bytes);
    case 'U':
      return text(*type, *bytes);
    case 'S': {
      const std::size_t last = bytes->find_last_not_of('\0');
      bytes->resize(last == std::string::npos ? 0 : last + 1);
      return Bytes{std::move(*bytes)};
    }
    default:
      return std::nullopt;
  }
}

}  // namespace mlarray::encoding
