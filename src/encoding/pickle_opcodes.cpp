// What each opcode of PickleMachine does.
#include <bit>
#include <charconv>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "encoding/integers.hpp"
#include "encoding/pickle_machine.hpp"
#include "encoding/unescape.hpp"
#include "mlarray/error.hpp"

namespace mlarray::encoding {
namespace {

constexpr int kNewestProtocol = 5;

}  // namespace

bool PickleMachine::step(std::uint8_t opcode) {
  switch (opcode) {
    case '.':
      return false;  // STOP
    case 0x80: {     // PROTO
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
      require_room(marks_.size(), "marks");
      marks_.push_back(stack_.size());
      return true;
    case '0':  // POP
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case '1':
      pop_to_mark();
      return true;  // POP_MARK
    case '2':
      push(top());
      return true;  // DUP
    case 'p':
      remember(memo_key(reader_.line()));
      return true;  // PUT
    case 'q':
      remember(reader_.u8());
      return true;  // BINPUT
    case 'r':
      remember(reader_.little_endian(4));
      return true;  // LONG_BINPUT
    case 0x94:
      remember(memo_.size());
      return true;  // MEMOIZE
    case 'g':
      recall(memo_key(reader_.line()));
      return true;  // GET
    case 'h':
      recall(reader_.u8());
      return true;  // BINGET
    case 'j':
      recall(reader_.little_endian(4));
      return true;  // LONG_BINGET
    case 'P':       // PERSID
    case 'Q':       // BINPERSID
      throw Error(ErrorKind::unsupported, "pickle: persistent ids are not read");
    case 0x82:
    case 0x83:
    case 0x84:  // EXT1, EXT2, EXT4
      throw Error(ErrorKind::unsupported, "pickle: registered extensions are not read");
    case 0x97:
    case 0x98:  // NEXT_BUFFER, READONLY_BUFFER
      throw Error(ErrorKind::unsupported, "pickle: out-of-band buffers are not read");
    default:
      step_numbers(opcode);
      return true;
  }
}

void PickleMachine::step_numbers(std::uint8_t opcode) {
  switch (opcode) {
    case 'N':
      return push(kNone);  // NONE
    case 0x88:
      return push_scalar(NodeKind::boolean, 1);  // NEWTRUE
    case 0x89:
      return push_scalar(NodeKind::boolean, 0);  // NEWFALSE
    case 'I': {                                  // INT
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
      return push_scalar(
          NodeKind::integer,
          static_cast<std::int32_t>(static_cast<std::uint32_t>(reader_.little_endian(4))));
    case 'K':
      return push_scalar(NodeKind::integer, reader_.u8());  // BININT1
    case 'M':                                               // BININT2
      return push_scalar(NodeKind::integer,
                         static_cast<std::int64_t>(reader_.little_endian(2)));
    case 0x8a:
    case 0x8b: {  // LONG1, LONG4
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
    default:
      step_text(opcode);
  }
}

void PickleMachine::step_text(std::uint8_t opcode) {
  switch (opcode) {
    case 'V': {  // UNICODE
      auto text = unescape_raw_unicode(reader_.line());
      if (!text) reader_.fail("a bad escape in text");
      return push_text(*text);
    }
    case 0x8c:
      return push_text(reader_.bytes(reader_.u8()));  // SHORT_BINUNICODE
    case 'X':
      return push_text(reader_.bytes(reader_.little_endian(4)));  // BINUNICODE
    case 0x8d:
      return push_text(reader_.bytes(reader_.little_endian(8)));  // BINUNICODE8
    case 'S': {                                                   // STRING
      const std::string_view line = reader_.line();
      if (line.size() < 2 || line.front() != line.back() ||
          (line.front() != '\'' && line.front() != '"')) {
        reader_.fail("a string without quotes");
      }
      auto text = unescape_bytes(line.substr(1, line.size() - 2));
      if (!text) reader_.fail("a bad escape in a string");
      return push_old_text(std::move(*text));
    }
    case 'U':
      return push_old_text(std::string(reader_.bytes(reader_.u8())));  // SHORT_BINSTRING
    case 'T':                                                          // BINSTRING
      return push_old_text(std::string(reader_.bytes(reader_.little_endian(4))));
    case 'C':
      return push_bytes(reader_.bytes(reader_.u8()));  // SHORT_BINBYTES
    case 'B':
      return push_bytes(reader_.bytes(reader_.little_endian(4)));  // BINBYTES
    case 0x8e:
    case 0x96:  // BINBYTES8, BYTEARRAY8
      return push_bytes(reader_.bytes(reader_.little_endian(8)));
    default:
      step_containers(opcode);
  }
}

void PickleMachine::step_containers(std::uint8_t opcode) {
  switch (opcode) {
    case ')':
      return push(add_container(NodeKind::tuple, {}));  // EMPTY_TUPLE
    case ']':
      return push(add_container(NodeKind::list, {}));  // EMPTY_LIST
    case '}':
      return push(add_container(NodeKind::dict, {}));  // EMPTY_DICT
    case 0x8f:
      return push(add_container(NodeKind::set, {}));  // EMPTY_SET
    case 't':
      return push(add_container(NodeKind::tuple, pop_to_mark()));  // TUPLE
    case 'l':
      return push(add_container(NodeKind::list, pop_to_mark()));  // LIST
    case 0x91:
      return push(add_container(NodeKind::frozenset, pop_to_mark()));  // FROZENSET
    case 'd': {                                                        // DICT
      std::vector<NodeId> items = pop_to_mark();
      if (items.size() % 2 != 0) reader_.fail("a dict with a key without a value");
      return push(add_container(NodeKind::dict, std::move(items)));
    }
    case 0x85:
    case 0x86:
    case 0x87: {  // TUPLE1, TUPLE2, TUPLE3
      std::vector<NodeId> items(opcode - 0x84u);
      for (auto item = items.rbegin(); item != items.rend(); ++item) *item = pop();
      return push(add_container(NodeKind::tuple, std::move(items)));
    }
    case 'a': {  // APPEND
      const NodeId item = pop();
      return append(top(), {item});
    }
    case 'e':
    case 0x90: {  // APPENDS, ADDITEMS
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
    default:
      step_objects(opcode);
  }
}

void PickleMachine::step_objects(std::uint8_t opcode) {
  switch (opcode) {
    case 'c':
    case 'i': {  // GLOBAL; INST: a GLOBAL that is called at once
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
      return push_global(nodes_[module].text, nodes_[name].text);
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
    case 'b':
      return build();  // BUILD
    default:
      reader_.fail("the unknown opcode " + std::to_string(opcode) + " ends");
  }
}

}  // namespace mlarray::encoding
