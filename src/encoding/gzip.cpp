#include "encoding/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>

#include "mlarray/error.hpp"

namespace mlarray::encoding {
namespace {

constexpr int kGzipWindow = 15 + 16;  // 32 KiB window, gzip wrapper
constexpr std::size_t kStep = 1u << 16;
constexpr std::size_t kLargestFeed = std::numeric_limits<uInt>::max();

[[noreturn]] void fail(const std::string& what, std::size_t position) {
  throw Error(ErrorKind::corruption, "gzip: " + what + " at byte " + std::to_string(position));
}

// zlib takes non-const input that it does not change.
Bytef* input_of(const void* data) {
  return const_cast<Bytef*>(static_cast<const Bytef*>(data));
}

void check_started(int status) {
  if (status == Z_MEM_ERROR) throw std::bad_alloc();
  if (status != Z_OK) throw Error(ErrorKind::unsupported, "gzip: zlib could not start");
}

class Inflater {
 public:
  Inflater() { check_started(inflateInit2(&stream_, kGzipWindow)); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
};

// Inflates the member at `position` and moves it behind that member.
void inflate_member(z_stream& stream, std::span<const std::byte> data, std::size_t& position,
                    std::size_t max_bytes, std::string& out) {
  inflateReset(&stream);
  std::array<char, kStep> buffer;
  for (;;) {
    const std::size_t feed = std::min(data.size() - position, kLargestFeed);
    stream.next_in = input_of(data.data() + position);
    stream.avail_in = static_cast<uInt>(feed);
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    const int status = inflate(&stream, Z_NO_FLUSH);
    position += feed - stream.avail_in;
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
      fail(stream.msg != nullptr ? stream.msg : "damaged data", position);
    }
    const std::size_t made = buffer.size() - stream.avail_out;
    if (made > max_bytes - out.size()) {
      throw Error(ErrorKind::unsupported, "gzip: more than " + std::to_string(max_bytes) +
                                              " bytes after inflation, which is the limit");
    }
    out.append(buffer.data(), made);
    if (status == Z_STREAM_END) return;
    if (made == 0 && position == data.size()) fail("truncated", position);
  }
}

}  // namespace

bool is_gzip(std::span<const std::byte> data) noexcept {
  return data.size() >= 2 && data[0] == std::byte{0x1f} && data[1] == std::byte{0x8b};
}

std::string gunzip(std::span<const std::byte> data, std::size_t max_bytes) {
  Inflater inflater;
  std::string out;
  std::size_t position = 0;
  do {
    inflate_member(inflater.stream(), data, position, max_bytes, out);
    // Zero padding between and after members is legal.
    while (position < data.size() && data[position] == std::byte{0}) ++position;
  } while (position < data.size());
  return out;
}

std::string gzip(std::string_view data, int level) {
  z_stream stream{};
  constexpr int kMemory = 8;
  if (level < 0 || level > 9) {
    throw Error(ErrorKind::invalid_value,
                "gzip: level " + std::to_string(level) + " is outside 0 to 9");
  }
  check_started(
      deflateInit2(&stream, level, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY));
  gz_header header{};
  header.os = 255;  // "unknown": the same bytes on every system
  deflateSetHeader(&stream, &header);
  std::string out;
  try {
    std::array<char, kStep> buffer;
    int status = Z_OK;
    for (std::size_t position = 0; status != Z_STREAM_END;) {
      const std::size_t feed = std::min(data.size() - position, kLargestFeed);
      const bool is_last = position + feed == data.size();
      stream.next_in = input_of(data.data() + position);
      stream.avail_in = static_cast<uInt>(feed);
      stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      status = deflate(&stream, is_last ? Z_FINISH : Z_NO_FLUSH);
      position += feed - stream.avail_in;
      out.append(buffer.data(), buffer.size() - stream.avail_out);
    }
  } catch (...) {
    deflateEnd(&stream);
    throw;
  }
  deflateEnd(&stream);
  return out;
}

}  // namespace mlarray::encoding
