#include "encoding/msgpack.hpp"

#include <bit>
#include <cstdint>
#include <limits>

#include "base/byte_reader.hpp"
#include "base/text.hpp"
#include "encoding/budget.hpp"
#include "encoding/integers.hpp"
#include "encoding/map_builder.hpp"
#include "encoding/value_path.hpp"
#include "mlarray/error.hpp"

namespace mlarray::encoding {
namespace {

constexpr const char* kFormat = "msgpack";
constexpr int kTimestamp = -1;

// Type codes; on disk: do not change.
enum Code : std::uint8_t {
  kFixMap = 0x80,
  kFixArray = 0x90,
  kFixStr = 0xa0,
  kNil = 0xc0,
  kNeverUsed = 0xc1,
  kFalse = 0xc2,
  kTrue = 0xc3,
  kBin8 = 0xc4,
  kBin16 = 0xc5,
  kBin32 = 0xc6,
  kExt8 = 0xc7,
  kExt16 = 0xc8,
  kExt32 = 0xc9,
  kFloat32 = 0xca,
  kFloat64 = 0xcb,
  kUint8 = 0xcc,
  kUint16 = 0xcd,
  kUint32 = 0xce,
  kUint64 = 0xcf,
  kInt8 = 0xd0,
  kInt16 = 0xd1,
  kInt32 = 0xd2,
  kInt64 = 0xd3,
  kFixExt1 = 0xd4,
  kFixExt2 = 0xd5,
  kFixExt4 = 0xd6,
  kFixExt8 = 0xd7,
  kFixExt16 = 0xd8,
  kStr8 = 0xd9,
  kStr16 = 0xda,
  kStr32 = 0xdb,
  kArray16 = 0xdc,
  kArray32 = 0xdd,
  kMap16 = 0xde,
  kMap32 = 0xdf,
  kNegativeFixInt = 0xe0,
};

class Decoder {
 public:
  Decoder(std::span<const std::byte> data, const DecodeLimits& limits)
      : reader_(data, kFormat), budget_(limits, kFormat) {}

  Value run() {
    Value value = read(0);
    if (reader_.remaining() > 0) {
      reader_.fail(std::to_string(reader_.remaining()) + " bytes too many");
    }
    return value;
  }

 private:
  Value read(std::size_t depth) {
    budget_.take_item();
    const std::uint8_t code = reader_.u8();
    if (code < kFixMap) return std::int64_t{code};
    if (code < kFixArray) return map(code & 0x0Fu, depth);
    if (code < kFixStr) return array(code & 0x0Fu, depth);
    if (code < kNil) return text(code & 0x1Fu);
    if (code >= kNegativeFixInt) return std::int64_t{static_cast<std::int8_t>(code)};
    switch (code) {
      case kNil:
        return {};
      case kFalse:
        return false;
      case kTrue:
        return true;
      case kBin8:
        return bytes(reader_.big_endian(1));
      case kBin16:
        return bytes(reader_.big_endian(2));
      case kBin32:
        return bytes(reader_.big_endian(4));
      case kExt8:
        return extension(reader_.big_endian(1));
      case kExt16:
        return extension(reader_.big_endian(2));
      case kExt32:
        return extension(reader_.big_endian(4));
      case kFloat32:
        return double{std::bit_cast<float>(static_cast<std::uint32_t>(reader_.big_endian(4)))};
      case kFloat64:
        return std::bit_cast<double>(reader_.big_endian(8));
      case kUint8:
        return unsigned_integer(reader_.big_endian(1));
      case kUint16:
        return unsigned_integer(reader_.big_endian(2));
      case kUint32:
        return unsigned_integer(reader_.big_endian(4));
      case kUint64:
        return unsigned_integer(reader_.big_endian(8));
      case kInt8:
        return std::int64_t{static_cast<std::int8_t>(reader_.big_endian(1))};
      case kInt16:
        return std::int64_t{static_cast<std::int16_t>(reader_.big_endian(2))};
      case kInt32:
        return std::int64_t{static_cast<std::int32_t>(reader_.big_endian(4))};
      case kInt64:
        return static_cast<std::int64_t>(reader_.big_endian(8));
      case kFixExt1:
        return extension(1);
      case kFixExt2:
        return extension(2);
      case kFixExt4:
        return extension(4);
      case kFixExt8:
        return extension(8);
      case kFixExt16:
        return extension(16);
      case kStr8:
        return text(reader_.big_endian(1));
      case kStr16:
        return text(reader_.big_endian(2));
      case kStr32:
        return text(reader_.big_endian(4));
      case kArray16:
        return array(reader_.big_endian(2), depth);
      case kArray32:
        return marked_or_not(array(reader_.big_endian(4), depth));
      case kMap16:
        return map(reader_.big_endian(2), depth);
      case kMap32:
        return map(reader_.big_endian(4), depth);
      default:
        reader_.fail("the reserved code 0xc1");
    }
  }

  static Value unsigned_integer(std::uint64_t value) {
    if (value <= std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
      return static_cast<std::int64_t>(value);
    }
    return BigInt{std::to_string(value)};
  }

  std::string payload(std::uint64_t size) {
    const std::string_view held = reader_.bytes(size);  // what is there, before what it costs
    budget_.take_bytes(size);
    return std::string(held);
  }

  Value bytes(std::uint64_t size) { return Bytes{payload(size)}; }

  Value text(std::uint64_t size) {
    std::string held = payload(size);
    if (!base::is_text(held)) reader_.fail("text that is no UTF-8 ends");
    return held;
  }

  Value extension(std::uint64_t size) {
    const int type = static_cast<std::int8_t>(reader_.u8());
    if (type != kTimestamp) {
      throw Error(ErrorKind::unsupported, "msgpack: extension type " + std::to_string(type) +
                                              " at byte " + std::to_string(reader_.position()) +
                                              ": only timestamps (-1) are read");
    }
    return Opaque{"msgpack.ext", {Value(type), bytes(size)}};
  }

  // Nothing is reserved by a claimed count: what is there decides.
  Value array(std::uint64_t count, std::size_t depth) {
    enter(count, 1, depth);
    List list;
    for (std::uint64_t i = 0; i < count; ++i) list.items.push_back(read(depth + 1));
    return list;
  }

  static Value marked_or_not(Value value) {
    List& list = *value.get_if<List>();
    if (list.items.size() == 1 && list.items[0] == Value(kTupleMark)) list.items.clear();
    return value;
  }

  Value map(std::uint64_t count, std::size_t depth) {
    enter(count, 2, depth);
    MapBuilder map;
    for (std::uint64_t i = 0; i < count; ++i) {
      Value key = read(depth + 1);
      map.add(std::move(key), read(depth + 1));
    }
    return map.take();
  }

  void enter(std::uint64_t count, std::uint64_t bytes_each, std::size_t depth) {
    budget_.check_depth(depth + 1);
    if (count * bytes_each > reader_.remaining()) {
      reader_.fail("truncated: a container of " + std::to_string(count) + " entries, " +
                   std::to_string(reader_.remaining()) + " bytes left");
    }
  }

  base::ByteReader reader_;
  Budget budget_;
};

class Encoder {
 public:
  std::string take() { return std::move(out_); }

  void write(const Value& value, const ValuePath& path) {
    std::visit([&](const auto& held) { write_held(held, path); }, value.storage());
  }

  void bin_header(std::size_t size, const ValuePath& path) {
    if (size <= 0xFF) {
      header(kBin8, size, 1);
    } else if (size <= 0xFFFF) {
      header(kBin16, size, 2);
    } else {
      header(kBin32, checked(size, path), 4);
    }
  }

 private:
  void write_held(std::monostate, const ValuePath&) { put(kNil); }
  void write_held(bool value, const ValuePath&) { put(value ? kTrue : kFalse); }

  void write_held(std::int64_t value, const ValuePath&) {
    const auto bits = static_cast<std::uint64_t>(value);
    if (value >= 0) {
      if (value < kFixMap) return put(static_cast<std::uint8_t>(value));
      if (value <= 0xFF) return header(kUint8, bits, 1);
      if (value <= 0xFFFF) return header(kUint16, bits, 2);
      if (value <= 0xFFFFFFFF) return header(kUint32, bits, 4);
      return header(kUint64, bits, 8);
    }
    if (value >= -32) return put(static_cast<std::uint8_t>(bits & 0xFF));
    if (value >= std::numeric_limits<std::int8_t>::min()) return header(kInt8, bits, 1);
    if (value >= std::numeric_limits<std::int16_t>::min()) return header(kInt16, bits, 2);
    if (value >= std::numeric_limits<std::int32_t>::min()) return header(kInt32, bits, 4);
    header(kInt64, bits, 8);
  }

  void write_held(const BigInt& value, const ValuePath& path) {
    const std::string bytes = twos_complement(value);
    if (bytes.size() != 9 || bytes.back() != '\0') {
      path.fail(ErrorKind::unsupported, "the integer " + base::quote(value.decimal) +
                                            " is outside [-2^63, 2^64 - 1], which is what "
                                            "msgpack holds; store it as text");
    }
    put(kUint64);
    out_.append(bytes.rbegin() + 1, bytes.rend());
  }

  void write_held(double value, const ValuePath&) {
    header(kFloat64, std::bit_cast<std::uint64_t>(value), 8);
  }

  void write_held(const std::string& value, const ValuePath& path) {
    if (!base::is_text(value) || base::has_surrogates(value)) {
      path.fail(ErrorKind::unsupported, "the text " + base::quote(value) +
                                            " holds a lone surrogate or is no UTF-8, which "
                                            "msgpack cannot hold");
    }
    const std::size_t size = value.size();
    if (size < 32) {
      put(static_cast<std::uint8_t>(kFixStr | size));
    } else if (size <= 0xFF) {
      header(kStr8, size, 1);
    } else if (size <= 0xFFFF) {
      header(kStr16, size, 2);
    } else {
      header(kStr32, checked(size, path), 4);
    }
    out_.append(value);
  }

  void write_held(const Bytes& value, const ValuePath& path) {
    bin_header(value.data.size(), path);
    out_.append(value.data);
  }

  void write_held(const List& list, const ValuePath& path) {
    if (list.items.empty()) {
      path.check_depth(DecodeLimits{}.max_depth);
      header(kArray32, 1, 4);
      return write_held(std::string(kTupleMark), path);
    }
    container(list.items.size(), kFixArray, kArray16, kArray32, path);
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      write(list.items[i], ValuePath(path, i));
    }
  }

  void write_held(const Map& map, const ValuePath& path) {
    container(map.items.size(), kFixMap, kMap16, kMap32, path);
    for (const auto& [key, value] : map.items) {
      const ValuePath entry(path, key);
      write(key, entry);
      write(value, entry);
    }
  }

  void write_held(const Opaque& object, const ValuePath& path) {
    path.fail(ErrorKind::unsupported, "an object of class " + base::quote(object.class_name) +
                                          " cannot be stored; replace it by plain data");
  }

  void container(std::size_t count, std::uint8_t small, Code code16, Code code32,
                 const ValuePath& path) {
    path.check_depth(DecodeLimits{}.max_depth);
    if (count < 16) {
      put(static_cast<std::uint8_t>(small | count));
    } else if (count <= 0xFFFF) {
      header(code16, count, 2);
    } else {
      header(code32, checked(count, path), 4);
    }
  }

  static std::size_t checked(std::size_t size, const ValuePath& path) {
    if (size > std::numeric_limits<std::uint32_t>::max()) {
      path.fail(ErrorKind::unsupported,
                std::to_string(size) + " bytes or items: msgpack holds at most 2^32 - 1");
    }
    return size;
  }

  void put(std::uint8_t byte) { out_ += static_cast<char>(byte); }

  void header(std::uint8_t code, std::uint64_t value, unsigned size) {
    put(code);
    for (unsigned shift = size * 8; shift > 0; shift -= 8) {
      put(static_cast<std::uint8_t>((value >> (shift - 8)) & 0xFF));
    }
  }

  std::string out_;
};

}  // namespace

Value decode_msgpack(std::span<const std::byte> data, const DecodeLimits& limits) {
  return Decoder(data, limits).run();
}

std::string encode_msgpack(const Value& value) {
  Encoder encoder;
  encoder.write(value, {});
  return encoder.take();
}

std::span<const std::byte> msgpack_bin_payload(std::span<const std::byte> data) {
  base::ByteReader reader(data, kFormat);
  const std::uint8_t code = reader.u8();
  if (code < kBin8 || code > kBin32) return {};
  const std::uint64_t size = reader.big_endian(std::size_t{1} << (code - kBin8));
  if (size != reader.remaining()) {
    reader.fail("a bin of " + std::to_string(size) + " bytes, but " +
                std::to_string(reader.remaining()) + " follow");
  }
  return data.subspan(reader.position());
}

std::string encode_msgpack_bin(std::span<const std::byte> payload) {
  Encoder encoder;
  encoder.bin_header(payload.size(), {});
  std::string out = encoder.take();
  out.append(reinterpret_cast<const char*>(payload.data()), payload.size());
  return out;
}

}  // namespace mlarray::encoding
