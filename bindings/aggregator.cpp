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
#include "gil.hpp"
#include "mlarray/error.hpp"
#include "ndarray.hpp"
#include "words.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

using training::Aggregator;
using training::AggregatorOptions;
using training::Blend;
using training::Output;
using Corners = std::pair<Shape, Shape>;

constexpr Word<Blend> kBlends[] = {{"gaussian", Blend::gaussian},
                                   {"constant", Blend::constant}};
constexpr Word<Output> kOutputs[] = {
    {"argmax", Output::argmax}, {"softmax", Output::softmax}, {"logits", Output::logits}};

// Its destruction removes a file, which must not wait for the GIL. All members change with the
// GIL alone. A call that is inside, of another thread, keeps the aggregator until it ends.
class HeldAggregator {
 public:
  explicit HeldAggregator(std::shared_ptr<Aggregator> held) : held_(std::move(held)) {}
  HeldAggregator(const HeldAggregator&) = delete;
  HeldAggregator& operator=(const HeldAggregator&) = delete;
  ~HeldAggregator() { discard(); }

  std::shared_ptr<Aggregator> get() const {
    if (held_) return held_;
    throw Error(ErrorKind::invalid_use, "this Aggregator was discarded: make another one");
  }
  void discard() {
    std::shared_ptr<Aggregator> last = std::exchange(held_, nullptr);
    const WithoutGil nogil;
    last.reset();
  }
  // Calls body(aggregator) without the GIL. Errors: invalid_use while another thread does.
  template <class Body>
  void use(Body body) {
    std::shared_ptr<Aggregator> held = get();
    if (busy_) {
      throw Error(ErrorKind::invalid_use,
                  "another thread is adding to this Aggregator: boxes are added one after the "
                  "other, so let one thread do it");
    }
    const Busy busy(busy_);
    const WithoutGil nogil;
    body(*held);
    held.reset();
  }

 private:
  class Busy {
   public:
    explicit Busy(bool& flag) : flag_(flag) { flag_ = true; }
    ~Busy() { flag_ = false; }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

   private:
    bool& flag_;
  };

  std::shared_ptr<Aggregator> held_;
  bool busy_ = false;
};

void init(HeldAggregator* self, const std::filesystem::path& path, const Shape& shape,
          const Shape& patch, std::int64_t classes, const std::optional<Shape>& step,
          double overlap, nb::handle blend, nb::handle output, bool half, bool half_scores,
          std::int64_t max_memory, const std::optional<Shape>& original_shape,
          const std::optional<Corners>& crop, const Metadata& image, const SaveOptions& save,
          int threads) {
  AggregatorOptions options;
  options.step = step.value_or(Shape{});
  options.overlap = overlap;
  options.blend = from_word(blend, "blend", kBlends);
  options.output = from_word(output, "output", kOutputs);
  options.half = half;
  options.half_scores = half_scores;
  options.max_memory = max_memory;
  options.original_shape = original_shape.value_or(Shape{});
  if (crop) options.crop = Box{crop->first, crop->second};
  options.image = image;
  options.save = save;
  options.threads = threads;
  std::shared_ptr<Aggregator> made;
  {
    const WithoutGil nogil;
    made = std::make_shared<Aggregator>(path, shape, patch, classes, options);
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

void add(HeldAggregator& self, const Shape& start, const Shape& stop, nb::handle scores,
         bool half) {
  const PinnedBuffer pinned(scores, PinnedBuffer::Use::read, half ? 2 : 4);
  self.use([&](Aggregator& out) {
    if (half) {
      out.add({start, stop}, scores_of<std::uint16_t>(pinned));
    } else {
      out.add({start, stop}, scores_of<float>(pinned));
    }
  });
}

template <auto Member>
auto number(const HeldAggregator& self) {
  return (*self.get().*Member)();
}

}  // namespace

void register_aggregator(nb::module_& module) {
  nb::class_<HeldAggregator>(module, "Aggregator", "Predictions blended into a file.")
      .def("__init__", &init, "path"_a, "shape"_a, "patch"_a, "classes"_a, nb::kw_only(),
           "step"_a.none(), "overlap"_a, "blend"_a.none(), "output"_a.none(), "half"_a,
           "half_scores"_a, "max_memory"_a, "original_shape"_a.none(), "crop"_a.none(),
           "image"_a, "save"_a, "threads"_a)
      .def_static("boxes_of", &boxes_of, "shape"_a, "patch"_a, nb::kw_only(), "step"_a.none(),
                  "overlap"_a)
      .def("boxes", [](const HeldAggregator& self) { return corners_of(self.get()->boxes()); })
      .def("add", &add, "start"_a, "stop"_a, "scores"_a, "half"_a)
      .def("finish",
           [](HeldAggregator& self) { self.use([](Aggregator& out) { out.finish(); }); })
      .def("discard", &HeldAggregator::discard)
      .def_prop_ro("added", &number<&Aggregator::added>)
      .def_prop_ro("memory", &number<&Aggregator::memory>)
      .def_prop_ro("memory_peak", &number<&Aggregator::memory_peak>)
      .def_prop_ro("memory_bound", &number<&Aggregator::memory_bound>)
      .def_prop_ro("file_shape", &number<&Aggregator::file_shape>)
      .def_prop_ro("file_dtype",
                   [](const HeldAggregator& self) { return self.get()->file_dtype().text(); });
}

}  // namespace mlarray::bindings
