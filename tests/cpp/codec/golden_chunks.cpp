#include "golden_chunks.hpp"

#include <cstdint>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "codec/bytes.hpp"

namespace mlarray::codec::test {
namespace {

class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> rest) : rest_(rest) {}
  std::size_t number() {
    const auto value = static_cast<std::size_t>(load_i32(rest_, 0));
    rest_ = rest_.subspan(4);
    return value;
  }
  std::span<const std::byte> bytes(std::size_t size) {
    const auto part = rest_.first(size);
    rest_ = rest_.subspan(size);
    return part;
  }

 private:
  std::span<const std::byte> rest_;
};

std::vector<std::byte> copy(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

std::vector<GoldenChunk> load() {
  std::ifstream file(MLARRAY_CODEC_TEST_DATA "/chunks.bin", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  if (text.substr(0, 8) != "MLACHNK1") throw std::runtime_error("chunks.bin is missing");
  Cursor cursor(as_bytes(text).subspan(8));
  std::vector<std::vector<std::byte>> raws(cursor.number());
  for (auto& raw : raws) raw = copy(cursor.bytes(cursor.number()));
  std::vector<GoldenChunk> chunks(cursor.number());
  for (GoldenChunk& golden : chunks) {
    const auto name = cursor.bytes(cursor.number());
    golden.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
    golden.raw = raws.at(cursor.number());
    golden.chunk = copy(cursor.bytes(cursor.number()));
  }
  return chunks;
}

}  // namespace

const std::vector<GoldenChunk>& golden_chunks() {
  static const std::vector<GoldenChunk> chunks = load();
  return chunks;
}

const GoldenChunk& golden_chunk(std::string_view name) {
  for (const GoldenChunk& golden : golden_chunks()) {
    if (golden.name == name) return golden;
  }
  throw std::runtime_error("no golden chunk named " + std::string(name));
}

}  // namespace mlarray::codec::test
