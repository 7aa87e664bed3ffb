// Batches for training: how many samples a second, and where the time of the threads goes.
//
//   mlarray_batches FOLDER SIDE THREADS SAMPLES [nnunet]
//
// With "nnunet", images are float32, as it preprocesses them, and samples are augmented by its
// default, with labels at up to five resolutions.
//
// Makes four cases in FOLDER, of 256 voxels along each axis, int16 with labels of uint8, unless
// they are there. SIDE 1: slices of 256 x 256 instead of cubes. Prints JSON: besides, what a
// sample takes if the blocks that it meets are decoded and nothing else, on as many threads.
//
//   mlarray_batches FOLDER SIDE THREADS SAMPLES files
//
// The same of the cases 0.mla, 0_seg.mla, 1.mla ... that are in the folder, or 0.b2nd ..., as
// those of benchmarks/train.py.
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "blocks.hpp"
#include "codec/decoder.hpp"
#include "frame/frame.hpp"
#include "io/byte_source.hpp"
#include "mlarray/array.hpp"
#include "mlarray/augment/presets.hpp"
#include "mlarray/training/loader.hpp"
#include "parallel/thread_pool.hpp"
#include "session/snapshot.hpp"

namespace {

namespace training = mlarray::training;
using mlarray::Array;
using mlarray::Shape;

// Smooth shapes with some noise, which compress about as scans do.
template <class T>
training::Case make_case(const std::filesystem::path& folder, int number, bool slices,
                         const std::string& kind) {
  constexpr std::int64_t kSide = 256;
  const std::string name = (slices ? "slices" : "cubes") + kind + std::to_string(number);
  training::Case one;
  one.image = {folder / (name + ".mla")};
  one.label = {folder / (name + "_seg.mla")};
  if (std::filesystem::exists(one.label[0])) return one;
  const auto size = [&](double length) { return std::sin(length + number); };
  std::vector<T> image;
  std::vector<std::uint8_t> label;
  std::mt19937 random(static_cast<unsigned>(number));
  for (std::int64_t z = 0; z < kSide; ++z) {
    for (std::int64_t y = 0; y < kSide; ++y) {
      for (std::int64_t x = 0; x < kSide; ++x) {
        const double value = size(0.05 * static_cast<double>(z)) *
                             size(0.07 * static_cast<double>(y)) *
                             size(0.06 * static_cast<double>(x));
        const double voxel = 600 * value + static_cast<double>(random() % 32);
        image.push_back(static_cast<T>(std::is_integral_v<T> ? voxel : voxel / 300));
        label.push_back(value > 0.7 ? 2 : value > 0.3 ? 1 : 0);
      }
    }
  }
  mlarray::SaveOptions options;
  if (slices) options.layout.patch = Shape{1, 256, 256};
  Array::save_voxels(one.image[0], image, {kSide, kSide, kSide}, {}, options);
  Array::save_voxels(one.label[0], label, {kSide, kSide, kSide}, {}, options);
  training::build_label_index(one.label[0]);
  return one;
}

std::vector<training::Case> cases_in(const std::filesystem::path& folder) {
  std::vector<training::Case> cases;
  for (int i = 0;; ++i) {
    const std::string name = std::to_string(i);
    const bool is_mla = std::filesystem::exists(folder / (name + ".mla"));
    const std::string suffix = is_mla ? ".mla" : ".b2nd";
    training::Case one;
    one.image = {folder / (name + suffix)};
    one.label = {folder / (name + "_seg" + suffix)};
    if (!std::filesystem::exists(one.image[0])) return cases;
    cases.push_back(one);
  }
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Seconds of wall clock that a sample of `draws` takes if its blocks are decoded and nothing
// else: a sample is one thread's, and what it decodes stays in that thread's cache.
double decode_seconds(const std::vector<training::Case>& cases,
                      const std::vector<training::Draw>& draws, int threads) {
  std::vector<std::vector<mlarray::session::Snapshot>> files;
  for (const training::Case& one : cases) {
    files.emplace_back();
    for (const std::filesystem::path& path : {one.image[0], one.label[0]}) {
      std::shared_ptr<mlarray::io::ByteSource> source = mlarray::io::open_mapped(path);
      mlarray::frame::State state = mlarray::frame::read_state(*source);
      files.back().push_back(mlarray::session::snapshot_of(std::move(state), source));
    }
  }
  double best = 0;
  for (int round = 0; round < 2; ++round) {  // in the first, pages are new
    std::vector<std::vector<mlarray::benchmarks::Block>> blocks;
    for (const training::Draw& draw : draws) {
      blocks.emplace_back();
      for (const auto& file : files[static_cast<std::size_t>(draw.case_index)]) {
        mlarray::Box box = draw.box;
        if (box.start.size() < file.geometry().ndim()) {  // channels first, of which it has one
          box.start.insert(box.start.begin(), 0);
          box.stop.insert(box.stop.begin(), 1);
        }
        for (auto& block : mlarray::benchmarks::blocks_of(file, box)) {
          blocks.back().push_back(std::move(block));
        }
      }
    }
    const auto start = std::chrono::steady_clock::now();
    mlarray::parallel::parallel_for(draws.size(), threads, [&](std::size_t i, int) {
      static thread_local mlarray::codec::Decoder decoder;
      for (const mlarray::benchmarks::Block& block : blocks[i]) {
        decoder.view_block(block.ref.bytes.data, block.header, block.number, "chunk");
      }
    });
    best = seconds_since(start) / static_cast<double>(draws.size());
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) try {
  const bool augmented = argc == 6 && std::string(argv[5]) == "nnunet";
  const bool given = argc == 6 && std::string(argv[5]) == "files";
  if (argc != 5 && !augmented && !given) {
    return std::fprintf(stderr,
                        "usage: mlarray_batches FOLDER SIDE THREADS SAMPLES [nnunet|files]\n"),
           2;
  }
  const std::int64_t side = std::atoll(argv[2]);
  const bool slices = side == 1;
  std::filesystem::create_directories(argv[1]);
  std::vector<training::Case> cases;
  if (given) cases = cases_in(argv[1]);
  for (int i = 0; i < 4 && !given; ++i) {
    cases.push_back(augmented ? make_case<float>(argv[1], i, slices, "_float")
                              : make_case<std::int16_t>(argv[1], i, slices, ""));
  }

  training::LoaderOptions options;
  options.patch = slices ? Shape{1, 256, 256} : Shape{side, side, side};
  options.threads = std::atoi(argv[3]);
  options.samples_per_epoch = std::atoll(argv[4]);
  Shape drawn = options.patch;
  training::BalancedOptions balanced;
  if (augmented) {
    mlarray::augment::NnunetOptions preset;
    preset.patch = slices ? Shape{256, 256} : options.patch;
    for (int level = 0; level < 5 && preset.patch[0] >> level >= 8; ++level) {
      preset.scales.emplace_back(preset.patch.size(), std::ldexp(1.0, -level));
    }
    options.augment =
        std::make_shared<const mlarray::augment::Pipeline>(mlarray::augment::nnunet(preset));
    options.label_fill = -1;
    drawn = options.augment->initial;
    if (slices) drawn.insert(drawn.begin(), 1);
    balanced.forced = training::Forced::last;
    balanced.border = training::Border::nnunet;
    for (std::size_t a = 0; a < drawn.size(); ++a) {
      balanced.pad.push_back(drawn[a] - options.patch[a]);
    }
  }
  training::Loader loader(cases, training::balanced_sampler(drawn, balanced), options);
  double seconds = 0;
  std::vector<training::Draw> draws;
  const std::clock_t before = std::clock();
  for (std::int64_t epoch = 0; epoch < 2; ++epoch) {  // in the first, memory is new
    loader.set_epoch(epoch);
    const auto start = std::chrono::steady_clock::now();
    draws.clear();
    while (const auto batch = loader.next()) {
      draws.insert(draws.end(), batch->draws().begin(), batch->draws().end());
    }
    seconds = seconds_since(start);
  }
  const training::LoaderTimes times = loader.times();
  const auto samples = static_cast<double>(times.samples);
  const double cpu = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  const double wanted =
      2 * samples * static_cast<double>(mlarray::element_count(options.patch));
  std::printf(
      "{\"samples a second\": %.1f, \"core milliseconds a sample\": %.2f, "
      "\"voxels read a voxel\": %.2f, \"microseconds a sample\": {\"draw\": %.1f, "
      "\"open\": %.1f, \"read\": %.1f, \"convert\": %.1f, \"augment\": %.1f}, "
      "\"decoding alone, samples a second\": %.1f}\n",
      static_cast<double>(options.samples_per_epoch) / seconds, 1e3 * cpu / samples,
      static_cast<double>(times.voxels_read) / wanted, 1e6 * times.draw / samples,
      1e6 * times.open / samples, 1e6 * times.read / samples, 1e6 * times.convert / samples,
      1e6 * times.augment / samples,
      augmented ? 0 : 1 / decode_seconds(cases, draws, options.threads));
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
