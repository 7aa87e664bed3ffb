// The stack machine of pickle, which builds nodes and nothing else.
//
// Nodes live in one arena and refer to each other by number, because a pickle may mention a
// node many times and change it after it was mentioned. PickleExpander turns them into a Value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/byte_reader.hpp"
#include "encoding/budget.hpp"
#include "encoding/msgpack.hpp"

namespace mlarray::encoding {

using NodeId = std::uint32_t;
inline constexpr NodeId kNone = 0;  // the node of None, which every machine makes first

enum class NodeKind : std::uint8_t {
  none,
  boolean,
  integer,
  big_integer,
  real,
  text,
  bytes,  // scalars
  list,
  tuple,
  set,
  frozenset,
  dict,    // containers, in `items`
  global,  // a name; in `text`: "module.name"
  object,  // what a global would have made
};

// How the pickle asks for an object: a call, or the bare object of a class.
enum class MadeBy : std::uint8_t {
  call,           // REDUCE, INST, OBJ: class(*items)
  bare,           // NEWOBJ: class.__new__(class, *items)
  reconstructor,  // protocols 0 and 1: `base`(*items) of a class
};

struct Node {
  NodeKind kind = NodeKind::none;
  MadeBy made_by = MadeBy::call;
  bool is_open = false;      // while it is being expanded: finds a container inside itself
  std::int64_t integer = 0;  // boolean, integer; for an object: its place in `objects`
  double real = 0;
  std::string text;           // text, bytes, the digits of a big integer, the name of a global
  std::vector<NodeId> items;  // entries (keys and values in turn); the arguments of an object
};

// The rest of an object.
struct ObjectParts {
  NodeId class_name;               // a global
  NodeId base = 0;                 // a global, for MadeBy::reconstructor
  std::vector<NodeId> keywords;    // of NEWOBJ_EX, a dict or nothing
  std::vector<NodeId> states;      // of BUILD
  std::vector<NodeId> list_items;  // of APPEND, APPENDS, ADDITEMS
  std::vector<NodeId> dict_items;  // of SETITEM, SETITEMS: keys and values in turn
};

class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> data, const DecodeLimits& limits);

  // Runs all of the data and returns the node that STOP found.
  // Errors: corruption, unsupported.
  NodeId run();

  Node& node(NodeId id) { return nodes_[id]; }
  const ObjectParts& object(const Node& node) const { return objects_[place(node)]; }
  const std::string& class_name(const Node& object_node) const {
    return nodes_[object(object_node).class_name].text;
  }

 private:
  static std::size_t place(const Node& node) { return static_cast<std::size_t>(node.integer); }

  bool step(std::uint8_t opcode);  // false after STOP
  void step_numbers(std::uint8_t opcode);
  void step_text(std::uint8_t opcode);
  void step_containers(std::uint8_t opcode);
  void step_objects(std::uint8_t opcode);

  void require_room(std::size_t used, const char* what) const;
  NodeId add(Node node);
  NodeId add_text(NodeKind kind, std::string text);
  NodeId add_container(NodeKind kind, std::vector<NodeId> items);
  void push(NodeId id);
  void push_scalar(NodeKind kind, std::int64_t integer, double real = 0);
  void push_integer(const Value& value);
  void push_text(std::string_view text);
  void push_old_text(std::string bytes);
  void push_bytes(std::string_view bytes);
  void push_global(std::string_view module, std::string_view name);

  NodeId pop();
  NodeId top();
  std::vector<NodeId> pop_to_mark();
  void remember(std::uint64_t key);
  void recall(std::uint64_t key);
  std::uint64_t memo_key(std::string_view digits) const;

  void append(NodeId target, const std::vector<NodeId>& items);
  void set_items(NodeId target, const std::vector<NodeId>& items);
  void build();
  void call(NodeId callable, std::vector<NodeId> arguments);
  void make(NodeId class_name, MadeBy made_by, std::vector<NodeId> arguments, NodeId base = 0);
  std::vector<NodeId> tuple_items(NodeId id) const;
  void require_class(NodeId id) const;

  base::ByteReader reader_;
  Budget budget_;
  const std::size_t max_entries_;
  std::vector<Node> nodes_;
  std::vector<ObjectParts> objects_;
  std::vector<NodeId> stack_;
  std::vector<std::size_t> marks_;  // sizes of the stack
  std::unordered_map<std::uint64_t, NodeId> memo_;
};

}  // namespace mlarray::encoding
