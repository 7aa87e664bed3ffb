#include "frame/metalayers.hpp"

#include <cstdint>
#include <limits>

#include "base/byte_reader.hpp"
#include "frame/big_endian.hpp"
#include "mlarray/error.hpp"

namespace mlarray::frame {
namespace {

constexpr unsigned kArrayOf3 = 0x93;
constexpr unsigned kUint16 = 0xcd;
constexpr unsigned kMap16 = 0xde;
constexpr unsigned kFixStr = 0xa0;
constexpr unsigned kInt32 = 0xd2;
constexpr unsigned kArray16 = 0xdc;
constexpr unsigned kBin32 = 0xc6;
constexpr std::size_t kMaxName = 31;

}  // namespace

std::vector<NamedSpan> parse_metalayers(std::span<const std::byte> data, std::size_t offset,
                                        std::string_view where) {
  const std::string name_of_list = "the list of metalayers in the " + std::string(where);
  base::ByteReader list(data, name_of_list);
  list.seek(offset);
  list.expect(kArrayOf3, "list");
  list.expect(kUint16, "size");
  list.number<std::uint16_t>();  // size of the name map: implied by what follows
  list.expect(kMap16, "map of names");
  const auto count = list.number<std::uint16_t>();
  std::vector<NamedSpan> layers;
  std::size_t total = 0;
  for (unsigned i = 0; i < count; ++i) {
    const unsigned head = list.u8();
    if ((head & 0xe0) != kFixStr) list.fail("a name that is no short string");
    const std::string_view name = list.bytes(head & 0x1f);
    list.expect(kInt32, "offset");
    const auto position = list.number<std::int32_t>();
    if (position < 0) list.fail("a negative offset");
    base::ByteReader content(data, name_of_list);
    content.seek(static_cast<std::size_t>(position));
    content.expect(kBin32, "content");
    const auto length = content.number<std::uint32_t>();
    NamedSpan layer;
    layer.name = name;
    layer.content = std::as_bytes(std::span(content.bytes(length)));
    // Contents that share bytes would let a small file hold any amount of them.
    total += layer.content.size();
    if (total > data.size()) {
      list.fail("contents of " + std::to_string(total) + " bytes in " +
                std::to_string(data.size()));
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

void append_metalayers(std::vector<std::byte>& out, std::span<const NamedSpan> layers,
                       Place place) {
  const auto put = [&out](unsigned byte) { out.push_back(static_cast<std::byte>(byte)); };
  put(kArrayOf3);
  const std::size_t map_begin = out.size();
  put(kUint16);
  append_big<std::uint16_t>(out, 0);  // filled in below
  put(kMap16);
  append_big(out, static_cast<std::uint16_t>(layers.size()));
  std::vector<std::size_t> offset_places;
  for (const NamedSpan& layer : layers) {
    if (layer.name.size() > kMaxName) {
      throw Error(ErrorKind::unsupported, "the metalayer name '" + layer.name + "' has " +
                                              std::to_string(layer.name.size()) +
                                              " bytes; the format allows 31");
    }
    put(kFixStr | static_cast<unsigned>(layer.name.size()));
    for (const char c : layer.name) out.push_back(static_cast<std::byte>(c));
    put(kInt32);
    offset_places.push_back(out.size());
    append_big<std::int32_t>(out, 0);
  }
  const std::size_t map_size = out.size() - map_begin + (place == Place::header ? 1 : 0);
  store_big(std::span(out), map_begin + 1, static_cast<std::uint16_t>(map_size));
  put(kArray16);
  append_big(out, static_cast<std::uint16_t>(layers.size()));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::size_t limit = std::numeric_limits<std::int32_t>::max();
    if (out.size() > limit || layers[i].content.size() > limit - out.size()) {
      throw Error(ErrorKind::unsupported,
                  "the metalayer '" + layers[i].name + "' of " +
                      std::to_string(layers[i].content.size()) +
                      " bytes passes the format's limit of 2147483647 bytes for all metadata");
    }
    store_big(std::span(out), offset_places[i], static_cast<std::int32_t>(out.size()));
    put(kBin32);
    append_big(out, static_cast<std::uint32_t>(layers[i].content.size()));
    out.insert(out.end(), layers[i].content.begin(), layers[i].content.end());
  }
}

}  // namespace mlarray::frame
