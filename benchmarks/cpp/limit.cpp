// How near a patch read is to what the machine can do: the same patches read as a caller reads
// them, their blocks decoded into a buffer that stays in cache, and as many bytes copied.
//
//   mlarray_limit FILE SIDE THREADS ROUNDS
//
// Prints seconds as JSON, {"read": [...], "read, unverified": [...], "decode": [...],
// "copy": [...]}; the four take turns, at another place each round.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "blocks.hpp"
#include "codec/decoder.hpp"
#include "io/byte_source.hpp"
#include "mlarray/array.hpp"
#include "parallel/thread_pool.hpp"
#include "session/snapshot.hpp"

namespace {

using mlarray::Array;
using mlarray::Box;
using mlarray::Shape;
using mlarray::benchmarks::Block;
using mlarray::benchmarks::blocks_of;
namespace session = mlarray::session;
namespace codec = mlarray::codec;
namespace parallel = mlarray::parallel;

void decode(const session::Snapshot& state, const std::vector<Block>& blocks, int threads) {
  const auto size = static_cast<std::size_t>(state.geometry().block_bytes());
  parallel::parallel_for(blocks.size(), threads, [&](std::size_t i, int) {
    static thread_local codec::Decoder decoder;
    static thread_local std::vector<std::byte> scratch;
    scratch.resize(size);
    decoder.decode_block(blocks[i].ref.bytes.data, blocks[i].header, blocks[i].number, scratch,
                         "chunk");
  });
}

void copy_bytes(std::span<std::byte> to, std::span<const std::byte> from, int threads) {
  const auto parts = static_cast<std::size_t>(threads);
  const std::size_t part = to.size() / parts;
  parallel::parallel_for(parts, threads, [&](std::size_t i, int) {
    const std::size_t begin = i * part, end = i + 1 == parts ? to.size() : begin + part;
    std::memcpy(to.data() + begin, from.data() + begin, end - begin);
  });
}

template <typename Call>
double seconds(Call&& call) {
  const auto started = std::chrono::steady_clock::now();
  std::forward<Call>(call)();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

void measure(const std::string& path, std::int64_t side, int threads, int rounds) {
  const Array verified = Array::open(path, {.threads = threads, .verify = true});
  const Array unverified = Array::open(path, {.threads = threads, .verify = false});
  std::shared_ptr<mlarray::io::ByteSource> source = mlarray::io::open_mapped(path);
  mlarray::frame::State found = mlarray::frame::read_state(*source);
  const session::Snapshot state = session::snapshot_of(std::move(found), source);

  const Shape shape = verified.shape();
  std::vector<std::byte> patch(
      static_cast<std::size_t>(verified.dtype().itemsize()) *
      static_cast<std::size_t>(mlarray::element_count(Shape(shape.size(), side))));
  std::vector<std::byte> other(patch.size());
  std::map<std::string, std::vector<double>> times;
  std::mt19937_64 random(7);
  for (int round = -2; round < rounds; ++round) {  // two to warm up
    Box box;
    for (const std::int64_t length : shape) {
      std::uniform_int_distribution<std::int64_t> places(0, length - side);
      box.start.push_back(places(random));
      box.stop.push_back(box.start.back() + side);
    }
    const std::vector<Block> blocks = blocks_of(state, box);
    const std::map<std::string, double> took = {
        {"read", seconds([&] { verified.read(box, std::span(patch)); })},
        {"read, unverified", seconds([&] { unverified.read(box, std::span(patch)); })},
        {"decode", seconds([&] { decode(state, blocks, threads); })},
        {"copy", seconds([&] { copy_bytes(other, patch, threads); })},
    };
    for (const auto& [name, value] : took) {
      if (round >= 0) times[name].push_back(value);
    }
  }
  const char* before = "{";
  for (const char* name : {"read", "read, unverified", "decode", "copy"}) {
    std::printf("%s\"%s\": [", before, name);
    for (std::size_t i = 0; i < times[name].size(); ++i) {
      std::printf("%s%.9f", i == 0 ? "" : ", ", times[name][i]);
    }
    std::printf("]");
    before = ", ";
  }
  std::printf("}\n");
}

}  // namespace

int main(int count, char** arguments) try {
  if (count != 5) {
    std::fprintf(stderr, "usage: mlarray_limit FILE SIDE THREADS ROUNDS\n");
    return 2;
  }
  measure(arguments[1], std::stoll(arguments[2]), std::stoi(arguments[3]),
          std::stoi(arguments[4]));
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "mlarray_limit: %s\n", error.what());
  return 1;
}
