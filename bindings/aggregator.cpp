// The Aggregator. python/mlarray/training/_aggregator.py is its class.
#include "mlarray/training/aggregator.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "mlarray/error.hpp"
#include "ndarray.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

using training::Aggregator;
using training::AggregatorOptions;
using training::Blend;
using training::Output;
using Corners = std::pair<Shape, Shape>;

Blend blend_from_text(const std::string& text) {
  if (text == "gaussian") return Blend::gaussian;
  if (text == "constant") return Blend::constant;
  throw Error(ErrorKind::invalid_value,
              "blend='" + text + "' is not one of 'gaussian' and 'constant'");
}

Output output_from_text(const std::string& text) {
  if (text == "argmax") return Output::argmax;
  if (text == "softmax") return Output::softmax;
  if (text == "logits") return Output::logits;
  throw Error(ErrorKind::invalid_value,
              "output='" + text + "' is not one of 'argmax', 'softmax' and 'logits'");
}

// Its destruction removes a file, which must not wait for the GIL.
class HeldAggregator {
 public:
  explicit HeldAggregator(std::unique_ptr<Aggregator> held) : held_(std::move(held)) {}
  HeldAggregator(const HeldAggregator&) = delete;
  HeldAggregator& operator=(const HeldAggregator&) = delete;
  ~HeldAggregator() { discard(); }

  Aggregator& get() const {
    if (held_) return *held_;
    throw Error(ErrorKind::invalid_use, "this Aggregator was discarded: make another one");
  }
  void discard() {
    if (!held_) return;
    const nb::gil_scoped_release nogil;
    held_.reset();
  }

 private:
  std::unique_ptr<Aggregator> held_;
};

void init(HeldAggregator* self, const std::filesystem::path& path, const Shape& shape,
          const Shape& patch, std::int64_t classes, const std::optional<Shape>& step,
          double overlap, const std::string& blend, const std::string& output, bool half,
          bool half_scores, std::int64_t max_memory, const std::optional<Shape>& original_shape,
          const std::optional<Corners>& crop, const Metadata& image, const SaveOptions& save,
          int threads) {
  AggregatorOptions options;
  options.step = step.value_or(Shape{});
  options.overlap = overlap;
  options.blend = blend_from_text(blend);
  options.output = output_from_text(output);
  options.half = half;
  options.half_scores = half_scores;
  options.max_memory = max_memory;
  options.original_shape = original_shape.value_or(Shape{});
  if (crop) options.crop = Box{crop->first, crop->second};
  options.image = image;
  options.save = save;
  options.threads = threads;
  std::unique_ptr<Aggregator> made;
  {
    const nb::gil_scoped_release nogil;
    made = std::make_unique<Aggregator>(path, shape, patch, classes, options);
  }
  new (self) HeldAggregator(std::move(made));
}

std::vector<Corners> corners_of(const std::vector<Box>& boxes) {
  std::vector<Corners> corners;
  corners.reserve(boxes.size());
  for (const Box& box : boxes) corners.emplace_back(box.start, box.stop);
  return corners;
}

std::vector<Corners> boxes_of(const Shape& shape, const Shape& patch,
                              const std::optional<Shape>& step, double overlap) {
  AggregatorOptions options;
  options.step = step.value_or(Shape{});
  options.overlap = overlap;
  return corners_of(Aggregator::boxes_of(shape, patch, options));
}

template <class Score>
std::span<const Score> scores_of(const PinnedBuffer& pinned) {
  const ConstArrayView view = pinned.const_view();
  if (view.strides != c_strides(view.shape, sizeof(Score))) {
    throw Error(ErrorKind::invalid_value, "scores must lie in C order without gaps");
  }
  return {reinterpret_cast<const Score*>(view.data),
          static_cast<std::size_t>(element_count(view.shape))};
}

void add(const HeldAggregator& self, const Shape& start, const Shape& stop, nb::handle scores,
         bool half) {
  Aggregator& out = self.get();
  const PinnedBuffer pinned(scores, PinnedBuffer::Use::read, half ? 2 : 4);
  const nb::gil_scoped_release nogil;
  if (half) {
    out.add({start, stop}, scores_of<std::uint16_t>(pinned));
  } else {
    out.add({start, stop}, scores_of<float>(pinned));
  }
}

template <auto Member>
auto number(const HeldAggregator& self) {
  return (self.get().*Member)();
}

}  // namespace

void register_aggregator(nb::module_& module) {
  nb::class_<HeldAggregator>(module, "Aggregator", "Predictions blended into a file.")
      .def("__init__", &init, "path"_a, "shape"_a, "patch"_a, "classes"_a, nb::kw_only(),
           "step"_a.none(), "overlap"_a, "blend"_a, "output"_a, "half"_a, "half_scores"_a,
           "max_memory"_a, "original_shape"_a.none(), "crop"_a.none(), "image"_a, "save"_a,
           "threads"_a)
      .def_static("boxes_of", &boxes_of, "shape"_a, "patch"_a, nb::kw_only(), "step"_a.none(),
                  "overlap"_a)
      .def("boxes", [](const HeldAggregator& self) { return corners_of(self.get().boxes()); })
      .def("add", &add, "start"_a, "stop"_a, "scores"_a, "half"_a)
      .def("finish",
           [](const HeldAggregator& self) {
             Aggregator& out = self.get();
             const nb::gil_scoped_release nogil;
             out.finish();
           })
      .def("discard", &HeldAggregator::discard)
      .def_prop_ro("added", &number<&Aggregator::added>)
      .def_prop_ro("memory", &number<&Aggregator::memory>)
      .def_prop_ro("memory_peak", &number<&Aggregator::memory_peak>)
      .def_prop_ro("memory_bound", &number<&Aggregator::memory_bound>)
      .def_prop_ro("file_shape", &number<&Aggregator::file_shape>)
      .def_prop_ro("file_dtype",
                   [](const HeldAggregator& self) { return self.get().file_dtype().text(); });
}

}  // namespace mlarray::bindings
