#include "encoding/pickle_machine.hpp"

#include <bit>
#include <charconv>
#include <utility>

#include "base/text.hpp"
#include "encoding/integers.hpp"
#include "encoding/unescape.hpp"
#include "mlarray/error.hpp"

namespace mlarray::encoding {
namespace {

constexpr int kNewestProtocol = 5;
// Names can be joined (getattr), so their length is bounded by itself.
constexpr std::size_t kLongestName = 1024;

// The node of None, which every machine makes first.
constexpr NodeId kNone = 0;

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
    : reader_(data, "pickle"), budget_(limits, "pickle"), max_entries_(limits.max_items) {
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

bool PickleMachine::step(std::uint8_t opcode) {
  switch (opcode) {
    case '.': return false;  // STOP
    case 0x80: {             // PROTO
      const int protocol = reader_.u8();
      if (protocol > kNewestProtocol) {
        throw Error(ErrorKind::unsupported, "pickle: protocol " + std::to_string(protocol) +
                                                ", but protocols 0 to 5 are known");
      }
      return true;
    }
    case 0x95: {  // FRAME: says only how much a reader may fetch at once
      const std::uint64_t size = reader_.little_endian(8);
      if (size > reader_.remaining()) reader_.fail("truncated: a frame longer than the data");
      return true;
    }
    case '(':  // MARK
      if (marks_.size() >= max_entries_) reader_.fail("too many marks");
      marks_.push_back(stack_.size());
      return true;
    case '0':  // POP
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case '1': pop_to_mark(); return true;                                 // POP_MARK
    case '2': push(top()); return true;                                   // DUP
    case 'p': remember(memo_key(reader_.line())); return true;            // PUT
    case 'q': remember(reader_.u8()); return true;                        // BINPUT
    case 'r': remember(reader_.little_endian(4)); return true;            // LONG_BINPUT
    case 0x94: remember(memo_.size()); return true;                       // MEMOIZE
    case 'g': recall(memo_key(reader_.line())); return true;              // GET
    case 'h': recall(reader_.u8()); return true;                          // BINGET
    case 'j': recall(reader_.little_endian(4)); return true;              // LONG_BINGET
    case 'P':                                                             // PERSID
    case 'Q':                                                             // BINPERSID
      throw Error(ErrorKind::unsupported, "pickle: persistent ids are not read");
    case 0x82: case 0x83: case 0x84:                                      // EXT1, EXT2, EXT4
      throw Error(ErrorKind::unsupported, "pickle: registered extensions are not read");
    case 0x97: case 0x98:                                  // NEXT_BUFFER, READONLY_BUFFER
      throw Error(ErrorKind::unsupported, "pickle: out-of-band buffers are not read");
    default: step_numbers(opcode); return true;
  }
}

void PickleMachine::step_numbers(std::uint8_t opcode) {
  switch (opcode) {
    case 'N': return push(kNone);                                   // NONE
    case 0x88: return push_scalar(NodeKind::boolean, 1);            // NEWTRUE
    case 0x89: return push_scalar(NodeKind::boolean, 0);            // NEWFALSE
    case 'I': {                                                     // INT
      const std::string_view digits = reader_.line();
      if (digits == "00" || digits == "01") {
        return push_scalar(NodeKind::boolean, digits == "01" ? 1 : 0);
      }
      return push_integer(integer_from_decimal(digits));
    }
    case 'L': {  // LONG: "12L"
      std::string_view digits = reader_.line();
      if (digits.ends_with('L')) digits.remove_suffix(1);
      return push_integer(integer_from_decimal(digits));
    }
    case 'J':  // BININT
      return push_scalar(NodeKind::integer, static_cast<std::int32_t>(static_cast<std::uint32_t>(
                                                reader_.little_endian(4))));
    case 'K': return push_scalar(NodeKind::integer, reader_.u8());  // BININT1
    case 'M':                                                       // BININT2
      return push_scalar(NodeKind::integer,
                         static_cast<std::int64_t>(reader_.little_endian(2)));
    case 0x8a: case 0x8b: {  // LONG1, LONG4
      const std::string_view bytes =
          reader_.bytes(reader_.little_endian(opcode == 0x8a ? 1 : 4));
      // Making digits takes time that grows with the square of the length.
      budget_.take_bytes(bytes.size() * bytes.size() / 64);
      return push_integer(integer_from_twos_complement(bytes));
    }
    case 'F': {  // FLOAT
      const std::string_view digits = reader_.line();
      double value = 0;
      const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
        reader_.fail(base::quote(digits) + " is no float");
      }
      return push_scalar(NodeKind::real, 0, value);
    }
    case 'G':  // BINFLOAT
      return push_scalar(NodeKind::real, 0, std::bit_cast<double>(reader_.big_endian(8)));
    default: step_text(opcode);
  }
}

void PickleMachine::step_text(std::uint8_t opcode) {
  switch (opcode) {
    case 'V': {  // UNICODE
      auto text = unescape_raw_unicode(reader_.line());
      if (!text) reader_.fail("a bad escape in text");
      return push_text(*text);
    }
    case 0x8c: return push_text(reader_.bytes(reader_.u8()));                  // SHORT_BINUNICODE
    case 'X': return push_text(reader_.bytes(reader_.little_endian(4)));       // BINUNICODE
    case 0x8d: return push_text(reader_.bytes(reader_.little_endian(8)));      // BINUNICODE8
    case 'S': {                                                                // STRING
      const std::string_view line = reader_.line();
      if (line.size() < 2 || line.front() != line.back() ||
          (line.front() != '\'' && line.front() != '"')) {
        reader_.fail("a string without quotes");
      }
      auto text = unescape_bytes(line.substr(1, line.size() - 2));
      if (!text) reader_.fail("a bad escape in a string");
      return push_old_text(std::move(*text));
    }
    case 'U': return push_old_text(std::string(reader_.bytes(reader_.u8())));  // SHORT_BINSTRING
    case 'T':                                                                  // BINSTRING
      return push_old_text(std::string(reader_.bytes(reader_.little_endian(4))));
    case 'C': return push_bytes(reader_.bytes(reader_.u8()));                  // SHORT_BINBYTES
    case 'B': return push_bytes(reader_.bytes(reader_.little_endian(4)));      // BINBYTES
    case 0x8e: case 0x96:                                            // BINBYTES8, BYTEARRAY8
      return push_bytes(reader_.bytes(reader_.little_endian(8)));
    default: step_containers(opcode);
  }
}

void PickleMachine::step_containers(std::uint8_t opcode) {
  switch (opcode) {
    case ')': return push(add_container(NodeKind::tuple, {}));                   // EMPTY_TUPLE
    case ']': return push(add_container(NodeKind::list, {}));                    // EMPTY_LIST
    case '}': return push(add_container(NodeKind::dict, {}));                    // EMPTY_DICT
    case 0x8f: return push(add_container(NodeKind::set, {}));                    // EMPTY_SET
    case 't': return push(add_container(NodeKind::tuple, pop_to_mark()));        // TUPLE
    case 'l': return push(add_container(NodeKind::list, pop_to_mark()));         // LIST
    case 0x91: return push(add_container(NodeKind::frozenset, pop_to_mark()));   // FROZENSET
    case 'd': {                                                                  // DICT
      std::vector<NodeId> items = pop_to_mark();
      if (items.size() % 2 != 0) reader_.fail("a dict with a key without a value");
      return push(add_container(NodeKind::dict, std::move(items)));
    }
    case 0x85: case 0x86: case 0x87: {  // TUPLE1, TUPLE2, TUPLE3
      std::vector<NodeId> items(opcode - 0x84u);
      for (auto item = items.rbegin(); item != items.rend(); ++item) *item = pop();
      return push(add_container(NodeKind::tuple, std::move(items)));
    }
    case 'a': {  // APPEND
      const NodeId item = pop();
      return append(top(), {item});
    }
    case 'e': case 0x90: {  // APPENDS, ADDITEMS
      const std::vector<NodeId> items = pop_to_mark();
      return append(top(), items);
    }
    case 's': {  // SETITEM
      const NodeId value = pop();
      const NodeId key = pop();
      return set_items(top(), {key, value});
    }
    case 'u': {  // SETITEMS
      const std::vector<NodeId> items = pop_to_mark();
      return set_items(top(), items);
    }
    default: step_objects(opcode);
  }
}

void PickleMachine::step_objects(std::uint8_t opcode) {
  switch (opcode) {
    case 'c': case 'i': {  // GLOBAL; INST: a GLOBAL that is called at once
      const std::string_view module = reader_.line();
      const std::string_view name = reader_.line();
      if (opcode == 'c') return push_global(module, name);
      std::vector<NodeId> arguments = pop_to_mark();
      push_global(module, name);
      return call(pop(), std::move(arguments));
    }
    case 0x93: {  // STACK_GLOBAL
      const NodeId name = pop();
      const NodeId module = pop();
      if (nodes_[name].kind != NodeKind::text || nodes_[module].kind != NodeKind::text) {
        reader_.fail("a class whose name is no text");
      }
      return push_global(std::string(nodes_[module].text), std::string(nodes_[name].text));
    }
    case 'R': {  // REDUCE
      const NodeId arguments = pop();
      return call(pop(), tuple_items(arguments));
    }
    case 'o': {  // OBJ
      std::vector<NodeId> arguments = pop_to_mark();
      if (arguments.empty()) reader_.fail("an object without a class");
      const NodeId callable = arguments.front();
      arguments.erase(arguments.begin());
      return call(callable, std::move(arguments));
    }
    case 0x81: {  // NEWOBJ
      const NodeId arguments = pop();
      return make(pop(), MadeBy::bare, tuple_items(arguments));
    }
    case 0x92: {  // NEWOBJ_EX
      const NodeId keywords = pop();
      const NodeId arguments = pop();
      make(pop(), MadeBy::bare, tuple_items(arguments));
      if (nodes_[keywords].kind != NodeKind::dict) reader_.fail("keywords that are no dict");
      if (!nodes_[keywords].items.empty()) {
        objects_[place(nodes_[top()])].keywords.push_back(keywords);
      }
      return;
    }
    case 'b': return build();  // BUILD
    default: reader_.fail("the unknown opcode " + std::to_string(opcode) + " ends");
  }
}

NodeId PickleMachine::add(Node node) {
  budget_.take_item();
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
  if (stack_.size() >= max_entries_) reader_.fail("too many values on the stack");
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
  std::string full = python3_name(module, name);
  if (full.size() > kLongestName || !base::is_text(full)) {
    reader_.fail("a class name of " + std::to_string(full.size()) +
                 " bytes, too long or no UTF-8, ends");
  }
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
  if (memo_.size() >= max_entries_) reader_.fail("too many memo entries");
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
    const std::string owner = nodes_[arguments[0]].text;
    return push_global(owner, std::string(nodes_[arguments[1]].text));
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
  if (nodes_[id].kind != NodeKind::global) reader_.fail("an object of something that is no class");
}

}  // namespace mlarray::encoding
