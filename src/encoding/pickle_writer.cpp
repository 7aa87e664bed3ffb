#include <bit>
#include <cstdint>
#include <limits>

#include "encoding/integers.hpp"
#include "encoding/pickle.hpp"
#include "encoding/value_path.hpp"
#include "mlarray/error.hpp"

namespace mlarray::encoding {
namespace {

// Protocol 4 without a memo and without frames, both of which readers do without.
class PickleWriter {
 public:
  std::string run(const Value& value) {
    out_ = "\x80\x04";
    write(value, ValuePath());
    out_.push_back('.');
    return std::move(out_);
  }

 private:
  void byte(unsigned value) { out_.push_back(static_cast<char>(value)); }
  void little(std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i, value >>= 8) byte(value & 0xff);
  }

  void write(const Value& value, const ValuePath& path) {
    path.check_depth(DecodeLimits{}.max_depth);
    std::visit([&](const auto& held) { write(held, path); }, value.storage());
  }

  void write(std::monostate, const ValuePath&) { byte('N'); }
  void write(bool value, const ValuePath&) { byte(value ? 0x88 : 0x89); }
  void write(std::int64_t value, const ValuePath&) {
    if (value >= 0 && value <= 0xff) {
      byte('K');
      little(static_cast<std::uint64_t>(value), 1);
    } else if (value >= std::numeric_limits<std::int32_t>::min() &&
               value <= std::numeric_limits<std::int32_t>::max()) {
      byte('J');
      little(static_cast<std::uint64_t>(value), 4);
    } else {
      long_integer(std::to_string(value));
    }
  }
  void write(const BigInt& value, const ValuePath&) { long_integer(value.decimal); }
  void long_integer(const std::string& decimal) {
    const std::string bytes = twos_complement(BigInt{decimal});
    if (bytes.size() < 256) {
      byte(0x8a);
      little(bytes.size(), 1);
    } else {
      byte(0x8b);
      little(bytes.size(), 4);
    }
    out_ += bytes;
  }
  void write(double value, const ValuePath&) {
    byte('G');
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (int shift = 56; shift >= 0; shift -= 8) byte((bits >> shift) & 0xff);
  }
  void write(const std::string& text, const ValuePath&) { sized(text, 0x8c, 'X', 0x8d); }
  void write(const Bytes& bytes, const ValuePath&) { sized(bytes.data, 'C', 'B', 0x8e); }
  void sized(const std::string& data, unsigned small, unsigned medium, unsigned large) {
    if (data.size() <= 0xff) {
      byte(small);
      little(data.size(), 1);
    } else if (data.size() <= 0xffffffff) {
      byte(medium);
      little(data.size(), 4);
    } else {
      byte(large);
      little(data.size(), 8);
    }
    out_ += data;
  }
  void write(const List& list, const ValuePath& path) {
    if (!list.is_tuple) byte(']');
    if (list.items.empty()) {
      if (list.is_tuple) byte(')');
      return;
    }
    byte('(');
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      write(list.items[i], ValuePath(path, i));
    }
    byte(list.is_tuple ? 't' : 'e');
  }
  void write(const Map& map, const ValuePath& path) {
    byte('}');
    if (map.items.empty()) return;
    byte('(');
    for (const auto& [key, value] : map.items) {
      write(key, path);
      write(value, ValuePath(path, key));
    }
    byte('u');
  }
  void write(const Opaque& value, const ValuePath& path) {
    path.fail(ErrorKind::unsupported, "an object of the class '" + value.class_name +
                                          "', which can be kept only while the metadata is "
                                          "not edited: replace it by plain data");
  }

  std::string out_;
};

}  // namespace

std::string encode_pickle(const Value& value) { return PickleWriter().run(value); }

}  // namespace mlarray::encoding
