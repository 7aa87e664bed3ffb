// The loader: options, and a loader that can be closed. python/mlarray/training/loader.py has
// the class. What waits does so without the GIL and looks for signals now and then.
#include "mlarray/training/loader.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "gil.hpp"
#include "mlarray/error.hpp"
#include "ndarray.hpp"
#include "training.hpp"
#include "value.hpp"
#include "words.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

using training::Batch;
using training::Case;
using training::Loader;
using training::LoaderOptions;
using training::Normalization;
using training::Padding;
using training::VoxelType;

constexpr std::chrono::milliseconds kBetweenSignals{50};

constexpr Word<VoxelType> kVoxelTypes[] = {
    {"stored", VoxelType::stored},     {"uint8", VoxelType::uint8},
    {"int16", VoxelType::int16},       {"int32", VoxelType::int32},
    {"int64", VoxelType::int64},       {"float16", VoxelType::float16},
    {"bfloat16", VoxelType::bfloat16}, {"float32", VoxelType::float32},
    {"float64", VoxelType::float64}};
constexpr Word<Padding> kPaddings[] = {
    {"constant", Padding::constant}, {"edge", Padding::edge}, {"reflect", Padding::reflect}};
constexpr Word<Normalization::From> kNormalizations[] = {
    {"none", Normalization::From::none},
    {"constants", Normalization::From::constants},
    {"stats", Normalization::From::stats},
    {"patch", Normalization::From::patch},
    {"foreground", Normalization::From::foreground}};

using Channel = Normalization::Channel;

void init_channel(Channel* self, double mean, double std, std::optional<double> low,
                  std::optional<double> high) {
  new (self) Channel{mean, std, low, high};
}

Channel channel_of_voxels(nb::handle voxels, const std::string& dtype) {
  const DType parsed = DType::parse(dtype);
  const PinnedBuffer pinned(voxels, PinnedBuffer::Use::read, parsed.itemsize());
  const WithoutGil nogil;
  return training::channel_of(pinned.const_view(), parsed);
}

void apply_channel(const Channel& self, nb::handle voxels, const std::string& dtype,
                   nb::handle out) {
  const DType parsed = DType::parse(dtype);
  const PinnedBuffer from(voxels, PinnedBuffer::Use::read, parsed.itemsize());
  const PinnedBuffer to(out, PinnedBuffer::Use::write, sizeof(float));
  const WithoutGil nogil;
  training::normalize(from.const_view(), parsed, self, span_of<float>(to.view()));
}

std::string text_of(const nb::bytes& text) { return {text.c_str(), text.size()}; }

// Of name as bytes, images, labels, pairs of a name and files, and the .pkl of nnU-Net or "".
Case case_from_python(nb::handle item) {
  using Paths = std::vector<std::filesystem::path>;
  const auto parts = nb::cast<nb::tuple>(item);
  Case made;
  made.name = text_of(nb::cast<nb::bytes>(parts[0]));
  made.image = nb::cast<Paths>(parts[1]);
  made.label = nb::cast<Paths>(parts[2]);
  for (const nb::handle extra : nb::cast<nb::tuple>(parts[3])) {
    const auto pair = nb::cast<nb::tuple>(extra);
    made.extra.emplace_back(nb::cast<std::string>(pair[0]), nb::cast<Paths>(pair[1]));
  }
  made.class_locations = nb::cast<std::filesystem::path>(parts[4]);
  return made;
}

nb::tuple case_to_python(const Case& from) {
  nb::list extra;
  for (const auto& [name, files] : from.extra) extra.append(nb::make_tuple(name, files));
  return nb::make_tuple(text_to_python(from.name), from.image, from.label, nb::tuple(extra),
                        text_to_python(from.class_locations.string()));
}

void init_options(LoaderOptions* self, const Shape& patch, std::int64_t batch,
                  std::int64_t samples_per_epoch, std::uint64_t seed, int rank, int world_size,
                  bool drop_last, nb::handle image_type, nb::handle label_type,
                  nb::handle normalization, const std::vector<Channel>& channels, bool clip,
                  nb::handle padding, double image_fill, double label_fill, bool mask_padding,
                  int threads, std::int64_t prefetch_bytes, int open_cases,
                  std::optional<bool> verify, const std::filesystem::path& index_cache,
                  std::int64_t index_positions, std::optional<std::int64_t> background,
                  const std::vector<std::vector<std::int64_t>>& joined, bool skip_unreadable,
                  nb::handle pipeline, bool augment_raw) {
  LoaderOptions options;
  options.patch = patch;
  options.batch = batch;
  options.samples_per_epoch = samples_per_epoch;
  options.seed = seed;
  options.rank = rank;
  options.world_size = world_size;
  options.drop_last = drop_last;
  options.image_type = from_word(image_type, "image_dtype", kVoxelTypes);
  options.label_type = from_word(label_type, "label_dtype", kVoxelTypes);
  options.normalization.from = from_word(normalization, "normalize", kNormalizations);
  options.normalization.channels = channels;
  options.normalization.clip = clip;
  options.padding = from_word(padding, "padding", kPaddings);
  options.image_fill = image_fill;
  options.label_fill = label_fill;
  options.mask_padding = mask_padding;
  options.threads = threads;
  options.prefetch_bytes = prefetch_bytes;
  options.open_cases = open_cases;
  options.verify = verify;
  options.index_cache = index_cache;
  options.index.positions = index_positions;
  options.index.background = background;
  options.index.joined = joined;
  options.index.threads = threads;
  options.skip_unreadable = skip_unreadable;
  if (!pipeline.is_none()) {
    options.augment = std::make_shared<const augment::Pipeline>(
        augment::pipeline_from(value_from_python(pipeline, "augment")));
  }
  options.augment_raw = augment_raw;
  new (self) LoaderOptions(std::move(options));
}

// Texts that the loader says while Python must not be called; Python takes them afterwards.
class Warnings {
 public:
  void add(const std::string& text) {
    const std::lock_guard lock(mutex_);
    texts_.push_back(text);
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(texts_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> texts_;
};

class HeldLoader {
 public:
  HeldLoader(const nb::iterable& cases, const HeldSampler& sampler, LoaderOptions options)
      : warnings_(std::make_shared<Warnings>()) {
    options.warn = [warnings = warnings_](const std::string& text) { warnings->add(text); };
    nb::iterator each = nb::iter(cases);
    const training::CaseSource next = [&]() -> std::optional<Case> {
      const nb::gil_scoped_acquire gil;
      if (each == nb::iterator::sentinel()) return std::nullopt;
      std::optional<Case> one = case_from_python(*each);
      ++each;
      return one;
    };
    const WithoutGil nogil;
    loader_ = std::make_shared<Loader>(Loader::of_each(next, sampler.sampler, options));
  }
  ~HeldLoader() { close(); }
  HeldLoader(const HeldLoader&) = delete;
  HeldLoader& operator=(const HeldLoader&) = delete;

  // Errors: closed.
  std::shared_ptr<Loader> get() const {
    if (!loader_) throw Error(ErrorKind::closed, "the loader is closed; make another one");
    return loader_;
  }
  void cancel() const {
    if (loader_) loader_->cancel();
  }
  void close() {
    auto last = std::exchange(loader_, nullptr);
    const WithoutGil nogil;  // its threads end
    last.reset();
  }
  nb::typed<nb::list, nb::str> warnings() const {
    nb::list out;
    for (const std::string& text : warnings_->take()) out.append(text_to_python(text));
    return nb::borrow<nb::typed<nb::list, nb::str>>(out);
  }

  std::optional<Batch> next() const {
    const auto loader = get();
    while (true) {
      {
        const WithoutGil nogil;
        if (loader->wait(kBetweenSignals)) return loader->next();
      }
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
    }
  }

 private:
  std::shared_ptr<Warnings> warnings_;
  std::shared_ptr<Loader> loader_;  // shared with calls that are inside
};

using State = nb::typed<nb::tuple, int, int, int, int>;

State state(const HeldLoader& self) {
  const auto state = self.get()->state();
  return nb::borrow<State>(
      nb::make_tuple(state.epoch, state.batches_done, state.world_size, state.fingerprint));
}

void restore(const HeldLoader& self, std::int64_t epoch, std::int64_t batches_done,
             int world_size, std::uint64_t fingerprint) {
  const auto loader = self.get();
  const WithoutGil nogil;
  loader->restore({epoch, batches_done, world_size, fingerprint});
}

nb::typed<nb::dict, nb::str, nb::any> times(const HeldLoader& self) {
  const training::LoaderTimes times = self.get()->times();
  nb::dict out;
  out["draw"] = times.draw;
  out["open"] = times.open;
  out["read"] = times.read;
  out["convert"] = times.convert;
  out["augment"] = times.augment;
  out["waited"] = times.waited;
  out["blocked"] = times.blocked;
  out["samples"] = times.samples;
  out["voxels_read"] = times.voxels_read;
  return nb::borrow<nb::typed<nb::dict, nb::str, nb::any>>(out);
}

nb::list skipped(const HeldLoader& self) {
  nb::list out;
  for (const training::SkippedCase& each : self.get()->skipped()) {
    out.append(nb::make_tuple(each.case_index, text_to_python(each.error)));
  }
  return out;
}

nb::tuple case_at(const HeldLoader& self, std::int64_t index) {
  return case_to_python(self.get()->case_at(index));
}

}  // namespace

void register_loader(nb::module_& module) {
  nb::class_<Channel>(module, "ChannelNorm", "How one channel is clipped and scaled.")
      .def("__init__", &init_channel, "mean"_a, "std"_a, "low"_a.none(), "high"_a.none())
      .def_static("of", &channel_of_voxels, "voxels"_a, "dtype"_a,
                  "By the mean and standard deviation of these voxels.")
      .def("apply", &apply_channel, "voxels"_a, "dtype"_a, "out"_a,
           "Scaled, into float32 in C order.");

  nb::class_<LoaderOptions>(module, "LoaderOptions", "How batches are made.")
      .def("__init__", &init_options, nb::kw_only(), "patch"_a, "batch"_a,
           "samples_per_epoch"_a, "seed"_a, "rank"_a, "world_size"_a, "drop_last"_a,
           "image_type"_a.none(), "label_type"_a.none(), "normalization"_a.none(), "channels"_a,
           "clip"_a, "padding"_a.none(), "image_fill"_a, "label_fill"_a, "mask_padding"_a,
           "threads"_a, "prefetch_bytes"_a, "open_cases"_a, "verify"_a.none(), "index_cache"_a,
           "index_positions"_a, "background"_a.none(), "joined"_a, "skip_unreadable"_a,
           "augment"_a.none(), "augment_raw"_a);

  nb::class_<HeldLoader>(module, "Loader", "Batches, read ahead by threads.")
      .def(nb::init<const nb::iterable&, const HeldSampler&, LoaderOptions>(), "cases"_a,
           "sampler"_a, "options"_a)
      .def("next", &HeldLoader::next, "The next batch; None at the end of the epoch.")
      .def(
          "sample",
          [](const HeldLoader& self, std::int64_t epoch, std::int64_t index) {
            const auto loader = self.get();
            const WithoutGil nogil;
            return loader->sample(epoch, index);
          },
          "epoch"_a, "index"_a, "One sample, in the caller's thread.")
      .def(
          "set_epoch",
          [](const HeldLoader& self, std::int64_t epoch) {
            const auto loader = self.get();
            const WithoutGil nogil;
            loader->set_epoch(epoch);
          },
          "epoch"_a)
      .def("state", &state, "Epoch, batches done, ranks and fingerprint.")
      .def("restore", &restore, "epoch"_a, "batches_done"_a, "world_size"_a, "fingerprint"_a)
      .def_prop_ro("batches", [](const HeldLoader& self) { return self.get()->batches(); })
      .def_prop_ro("samples", [](const HeldLoader& self) { return self.get()->samples(); })
      .def_prop_ro("cases", [](const HeldLoader& self) { return self.get()->case_count(); })
      .def("case_at", &case_at, "index"_a)
      .def("skipped", &skipped)
      .def("times", &times)
      .def("take_warnings", &HeldLoader::warnings, "Texts since the last call.")
      .def("cancel", &HeldLoader::cancel, "Ends a next() that waits; any thread may call it.")
      .def("close", &HeldLoader::close);
}

}  // namespace mlarray::bindings
