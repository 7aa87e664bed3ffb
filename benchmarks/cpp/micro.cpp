// The inner steps one by one, with Google Benchmark: `make micro`. What a change to one of them
// is worth shows here before it shows in a patch.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "codec/decoder.hpp"
#include "codec/encoder.hpp"
#include "grid/geometry.hpp"
#include "grid/strided.hpp"
#include "mlarray/array.hpp"

namespace {

using mlarray::Array;
using mlarray::Preset;
using mlarray::Shape;

// Something like tissue: smooth, with noise in the low bits; as labels, runs.
template <typename T>
std::vector<T> voxels(std::size_t count) {
  std::mt19937 random(1);
  std::normal_distribution<double> noise(0, 10);
  std::vector<T> made(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double smooth = 600 * std::sin(static_cast<double>(i) / 900);
    made[i] = sizeof(T) == 1 ? static_cast<T>(smooth > 300 ? 2
                                              : smooth > 0 ? 1
                                                           : 0)
                             : static_cast<T>(std::round(smooth + noise(random)));
  }
  return made;
}

// One block of 32 KiB, decoded again and again: it stays in cache.
template <typename T>
void decode_block(benchmark::State& state) {
  constexpr std::int32_t kBlock = 32768;
  const auto preset = static_cast<Preset>(state.range(0));
  const std::vector<T> data = voxels<T>(16 * kBlock / sizeof(T));
  mlarray::codec::Encoder encoder(
      mlarray::codec::preset_params(preset, sizeof(T), std::is_floating_point_v<T>), sizeof(T),
      kBlock);
  const std::vector<std::byte> chunk = encoder.encode(std::as_bytes(std::span(data)));
  const mlarray::codec::ChunkHeader header = mlarray::codec::parse_chunk(chunk, {});
  mlarray::codec::Decoder decoder;
  std::vector<std::byte> out(kBlock);
  std::int32_t block = 0;
  for (auto _ : state) {
    decoder.decode_block(chunk, header, block, out, "chunk");
    block = (block + 1) % header.block_count();
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * kBlock);
}
void presets(benchmark::internal::Benchmark* made) {
  made->ArgName("preset")->DenseRange(0, 2);
}
BENCHMARK_TEMPLATE(decode_block, std::int16_t)->Apply(presets);
BENCHMARK_TEMPLATE(decode_block, float)->Apply(presets);
BENCHMARK_TEMPLATE(decode_block, std::uint8_t)->Apply(presets);

// The blocks of a patch into their places, as cut by its edges or whole.
void scatter(benchmark::State& state) {
  const std::int64_t itemsize = state.range(0), side = state.range(1);
  const Shape patch(3, 128), block(3, 32), part(3, side);
  const auto strides = mlarray::grid::c_strides(patch, itemsize);
  const auto from = mlarray::grid::c_strides(block, itemsize);
  std::vector<std::byte> target(static_cast<std::size_t>(128 * 128 * 128 * itemsize));
  const std::vector<std::byte> source(static_cast<std::size_t>(32 * 32 * 32 * itemsize));
  std::int64_t at = 0;
  for (auto _ : state) {
    const Shape place = mlarray::grid::Geometry::unravel(at, Shape(3, 4));
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < 3; ++i) offset += 32 * place[i] * strides[i];
    mlarray::grid::copy_box(target.data() + offset, strides, source.data(), from, part,
                            itemsize);
    at = (at + 1) % 64;
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * side * side * side *
                          itemsize);
}
BENCHMARK(scatter)->ArgNames({"itemsize", "side"})->ArgsProduct({{1, 2, 4}, {32, 17}});

// A file beside the others of the system's temporary folder, gone at the end.
class TemporaryFile {
 public:
  TemporaryFile()
      : path_(std::filesystem::temp_directory_path() /
              ("mlarray-micro-" + std::to_string(std::random_device{}()) + ".mla")) {
    const std::vector<std::int16_t> data = voxels<std::int16_t>(256 * 256 * 256);
    Array::save_voxels(path_,
                       {std::as_bytes(std::span(data)).data(), Shape(3, 256),
                        mlarray::grid::c_strides(Shape(3, 256), 2)},
                       mlarray::DType::parse("<i2"));
  }
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

void open_close(benchmark::State& state) {
  const TemporaryFile file;
  for (auto _ : state) {
    Array image = Array::open(file.path(), {.verify = state.range(0) != 0});
    benchmark::DoNotOptimize(image);
    image.close();
  }
}
BENCHMARK(open_close)->ArgName("verify")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

void open_read_close(benchmark::State& state) {
  const TemporaryFile file;
  std::vector<std::int16_t> patch(64 * 64 * 8);
  for (auto _ : state) {
    Array image = Array::open(file.path(), {.verify = state.range(0) != 0});
    image.read({{90, 90, 90}, {154, 154, 98}}, std::as_writable_bytes(std::span(patch)));
    image.close();
  }
}
BENCHMARK(open_read_close)->ArgName("verify")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

// A chunk written and committed: compression, append, index, trailer, flip.
void write_commit(benchmark::State& state) {
  const TemporaryFile file;
  Array image = Array::open(file.path(), {.mode = mlarray::Mode::read_write});
  const std::vector<std::int16_t> data = voxels<std::int16_t>(32 * 32 * 32);
  std::int64_t at = 0;
  for (auto _ : state) {
    const Shape place = mlarray::grid::Geometry::unravel(at, Shape(3, 8));
    mlarray::Box box;
    for (const std::int64_t i : place) {
      box.start.push_back(32 * i);
      box.stop.push_back(32 * i + 32);
    }
    image.write(box, {std::as_bytes(std::span(data)).data(), Shape(3, 32),
                      mlarray::grid::c_strides(Shape(3, 32), 2)});
    image.flush();
    at = (at + 1) % 512;
  }
}
// Few, because what is replaced stays in the file until it is closed.
BENCHMARK(write_commit)->Iterations(200)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
