// From the nodes of a pickle to a Value: sharing is copied out, and known classes become data.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>

#include "encoding/budget.hpp"
#include "encoding/pickle_machine.hpp"
#include "mlarray/value.hpp"

namespace mlarray::encoding {

class PickleExpander {
 public:
  PickleExpander(PickleMachine& machine, const DecodeLimits& limits)
      : machine_(machine), budget_(limits, "pickle") {}

  // Errors: corruption for a container inside itself; unsupported past the limits.
  Value expand(NodeId id) { return expand(id, 0); }

 private:
  Value expand(NodeId id, std::size_t depth);
  Value expand_node(const Node& node, std::size_t depth);
  Value sequence(const std::vector<NodeId>& items, bool is_tuple, std::size_t depth);
  Value dict(std::initializer_list<const std::vector<NodeId>*> parts, std::size_t depth);

  Value expand_object(const Node& node, std::size_t depth);
  // What an object becomes where it is more than an Opaque; nullopt where it is not.
  std::optional<Value> from_call(const Node& node, std::size_t depth);
  std::optional<Value> from_builtin(const Node& node, std::string_view name, std::size_t depth);
  std::optional<Value> from_bare(const Node& node, std::size_t depth);
  Value mapping(const Node& node, std::size_t depth);
  Value charged(Value value);
  Value opaque(const Node& node, std::size_t depth);

  PickleMachine& machine_;
  Budget budget_;
};

// The bytes that a node stands for, also where protocols 0 to 2 spell them as a call.
std::optional<std::string> bytes_of(PickleMachine& machine, const Node& node);

// numpy's scalar(dtype, bytes) as bool, int, float, text or bytes; nullopt for other types
// (dates, complex, longdouble) and for what does not fit together.
std::optional<Value> numpy_scalar(PickleMachine& machine, const Node& node);

// numpy.dtype('f8', False, True) with its state as NumPy's type string, "<f8"; nullopt for
// structured types.
std::optional<std::string> numpy_type_text(PickleMachine& machine, const Node& node);

}  // namespace mlarray::encoding
