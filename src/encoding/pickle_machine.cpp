#include "encoding/pickle_machine.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.hpp"
#include "encoding/integers.hpp"
#include "mlarray/error.hpp"

namespace mlarray::encoding {
namespace {

// Names can be joined (getattr), so their length is bounded by itself.
constexpr std::size_t kLongestName = 1024;

// Python 2 names of what protocols 0 to 2 mention.
std::string python3_name(std::string_view module, std::string_view name) {
  if (module == "__builtin__") {
    module = "builtins";
    if (name == "unicode" || name == "basestring") name = "str";
    if (name == "long") name = "int";
  } else if (module == "copy_reg") {
    module = "copyreg";
  }
  return std::string(module).append(1, '.').append(name);
}

}  // namespace

PickleMachine::PickleMachine(std::span<const std::byte> data, const DecodeLimits& limits)
    : reader_(data, "pickle"),
      budget_(limits, "pickle"),
      // NodeId counts the nodes.
      max_entries_(std::min<std::size_t>(limits.max_items, 1u << 31)) {
  nodes_.emplace_back();  // kNone
}

NodeId PickleMachine::run() {
  while (step(reader_.u8())) {
  }
  if (!marks_.empty() || stack_.size() != 1) {
    reader_.fail("STOP with " + std::to_string(stack_.size()) + " values on the stack");
  }
  if (reader_.remaining() > 0) {
    reader_.fail(std::to_string(reader_.remaining()) + " bytes too many");
  }
  return stack_.front();
}

void PickleMachine::require_room(std::size_t used, const char* what) const {
  if (used < max_entries_) return;
  throw Error(ErrorKind::unsupported, "pickle: more than " + std::to_string(max_entries_) +
                                          " " + what + ", which is the limit for metadata");
}

NodeId PickleMachine::add(Node node) {
  budget_.take_item();
  require_room(nodes_.size() - 1, "values");
  budget_.take_bytes(node.text.size());
  nodes_.push_back(std::move(node));
  return static_cast<NodeId>(nodes_.size() - 1);
}

NodeId PickleMachine::add_text(NodeKind kind, std::string text) {
  Node node;
  node.kind = kind;
  node.text = std::move(text);
  return add(std::move(node));
}

NodeId PickleMachine::add_container(NodeKind kind, std::vector<NodeId> items) {
  Node node;
  node.kind = kind;
  node.items = std::move(items);
  return add(std::move(node));
}

void PickleMachine::push(NodeId id) {
  require_room(stack_.size(), "values on the stack");
  stack_.push_back(id);
}

void PickleMachine::push_scalar(NodeKind kind, std::int64_t integer, double real) {
  Node node;
  node.kind = kind;
  node.integer = integer;
  node.real = real;
  push(add(std::move(node)));
}

void PickleMachine::push_integer(const Value& value) {
  if (const auto* big = value.get_if<BigInt>()) {
    push(add_text(NodeKind::big_integer, big->decimal));
  } else {
    push_scalar(NodeKind::integer, *value.get_if<std::int64_t>());
  }
}

void PickleMachine::push_text(std::string_view text) {
  if (!base::is_text(text)) reader_.fail("text that is no UTF-8 ends");
  push(add_text(NodeKind::text, std::string(text)));
}

// Python 2 had one type for text and bytes: ASCII is taken for text.
void PickleMachine::push_old_text(std::string bytes) {
  bool is_ascii = true;
  for (const char byte : bytes) is_ascii = is_ascii && static_cast<unsigned char>(byte) < 0x80;
  push(add_text(is_ascii ? NodeKind::text : NodeKind::bytes, std::move(bytes)));
}

void PickleMachine::push_bytes(std::string_view bytes) {
  push(add_text(NodeKind::bytes, std::string(bytes)));
}

void PickleMachine::push_global(std::string_view module, std::string_view name) {
  if (module.size() + name.size() > kLongestName) reader_.fail("too long a class name");
  std::string full = python3_name(module, name);  // a copy: adding a node may move the others
  if (!base::is_text(full)) reader_.fail("a class name that is no UTF-8");
  push(add_text(NodeKind::global, std::move(full)));
}

NodeId PickleMachine::pop() {
  const NodeId id = top();
  stack_.pop_back();
  return id;
}

NodeId PickleMachine::top() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) reader_.fail("an empty stack");
  return stack_.back();
}

std::vector<NodeId> PickleMachine::pop_to_mark() {
  if (marks_.empty()) reader_.fail("no mark");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<NodeId> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

void PickleMachine::remember(std::uint64_t key) {
  const NodeId id = top();
  require_room(memo_.size(), "memo entries");
  memo_[key] = id;
}

void PickleMachine::recall(std::uint64_t key) {
  const auto found = memo_.find(key);
  if (found == memo_.end()) reader_.fail("memo entry " + std::to_string(key) + " is not there");
  push(found->second);
}

std::uint64_t PickleMachine::memo_key(std::string_view digits) const {
  std::uint64_t key = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), key);
  if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
    reader_.fail(base::quote(digits) + " is no memo entry");
  }
  return key;
}

void PickleMachine::append(NodeId target, const std::vector<NodeId>& items) {
  Node& node = nodes_[target];
  const bool is_object = node.kind == NodeKind::object;
  if (!is_object && node.kind != NodeKind::list && node.kind != NodeKind::set) {
    reader_.fail("an item for something that is no list or set");
  }
  auto& all = is_object ? objects_[place(node)].list_items : node.items;
  all.insert(all.end(), items.begin(), items.end());
}

void PickleMachine::set_items(NodeId target, const std::vector<NodeId>& items) {
  Node& node = nodes_[target];
  const bool is_object = node.kind == NodeKind::object;
  if (!is_object && node.kind != NodeKind::dict) {
    reader_.fail("an entry for something that is no dict");
  }
  if (items.size() % 2 != 0) reader_.fail("a key without a value");
  auto& all = is_object ? objects_[place(node)].dict_items : node.items;
  all.insert(all.end(), items.begin(), items.end());
}

void PickleMachine::build() {
  const NodeId state = pop();
  const Node& target = nodes_[top()];
  if (target.kind != NodeKind::object) reader_.fail("a state for something that is no object");
  objects_[place(target)].states.push_back(state);
}

// Nothing is called: what the callable would make is described by a node.
void PickleMachine::call(NodeId callable, std::vector<NodeId> arguments) {
  require_class(callable);
  const std::string& name = nodes_[callable].text;
  const auto kind_of = [&](std::size_t i) { return nodes_[arguments[i]].kind; };
  if (name == "builtins.getattr" && arguments.size() == 2 && kind_of(0) == NodeKind::global &&
      kind_of(1) == NodeKind::text) {  // a nested class, before protocol 4
    return push_global(nodes_[arguments[0]].text, nodes_[arguments[1]].text);
  }
  if (name == "copyreg._reconstructor" && arguments.size() == 3 &&
      kind_of(0) == NodeKind::global && kind_of(1) == NodeKind::global) {
    const bool is_plain = nodes_[arguments[1]].text == "builtins.object";
    if (is_plain) return make(arguments[0], MadeBy::bare, {});
    return make(arguments[0], MadeBy::reconstructor, {arguments[2]}, arguments[1]);
  }
  if (name == "copyreg.__newobj__" && !arguments.empty() && kind_of(0) == NodeKind::global) {
    return make(arguments[0], MadeBy::bare, {arguments.begin() + 1, arguments.end()});
  }
  make(callable, MadeBy::call, std::move(arguments));
}

void PickleMachine::make(NodeId class_name, MadeBy made_by, std::vector<NodeId> arguments,
                         NodeId base) {
  require_class(class_name);
  // One tuple can be the arguments of many objects, and each keeps its own copy.
  for (std::size_t i = 0; i < arguments.size(); ++i) budget_.take_item();
  Node node;
  node.kind = NodeKind::object;
  node.made_by = made_by;
  node.integer = static_cast<std::int64_t>(objects_.size());
  node.items = std::move(arguments);
  const NodeId id = add(std::move(node));
  objects_.push_back({class_name, base, {}, {}, {}, {}});
  push(id);
}

std::vector<NodeId> PickleMachine::tuple_items(NodeId id) const {
  if (nodes_[id].kind != NodeKind::tuple) reader_.fail("arguments that are no tuple");
  return nodes_[id].items;
}

void PickleMachine::require_class(NodeId id) const {
  if (nodes_[id].kind == NodeKind::object) {
    throw Error(ErrorKind::unsupported,
                "pickle: an object of class " +
                    base::quote(nodes_[objects_[place(nodes_[id])].class_name].text) +
                    " is called, which cannot be described as data");
  }
  if (nodes_[id].kind != NodeKind::global)
    reader_.fail("an object of something that is no class");
}

}  // namespace mlarray::encoding
