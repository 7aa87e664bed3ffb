// mlarray::augment on NumPy arrays. python/mlarray/training/augment.py makes classes of it.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "gil.hpp"
#include "mlarray/augment/presets.hpp"
#include "mlarray/error.hpp"
#include "ndarray.hpp"
#include "value.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

namespace au = mlarray::augment;

// The box of an array that is the whole initial patch.
ConstArrayView part_of(const ConstArrayView& whole, const au::Pipeline& pipeline,
                       const Box& box, const char* what) {
  Shape wanted = pipeline.initial;
  const bool fits = whole.shape.size() == wanted.size() + 1 &&
                    Shape(whole.shape.begin() + 1, whole.shape.end()) == wanted;
  if (!fits) {
    throw Error(ErrorKind::invalid_value,
                std::string(what) + " has shape " + to_string(whole.shape) +
                    "; channels and the initial patch, " + to_string(wanted) + ", are needed");
  }
  ConstArrayView part = whole;
  for (std::size_t axis = 0; axis < wanted.size(); ++axis) {
    part.data += box.start[axis] * whole.strides[axis + 1];
    part.shape[axis + 1] = box.stop[axis] - box.start[axis];
  }
  return part;
}

class AugmentPipeline {
 public:
  explicit AugmentPipeline(au::Pipeline pipeline) : pipeline_(std::move(pipeline)) {}
  static AugmentPipeline from(nb::handle value) {
    return AugmentPipeline(au::pipeline_from(value_from_python(value, "pipeline")));
  }

  nb::object value() const { return value_to_python(au::to_value(pipeline_)); }
  nb::object draw(std::uint64_t seed, std::int64_t channels) const {
    return value_to_python(au::to_value(au::draw(pipeline_, seed, channels)));
  }
  std::pair<Shape, Shape> support(nb::handle drawn) const {
    const Box box = au::support(pipeline_, drawn_of(drawn));
    return {box.start, box.stop};
  }
  std::vector<double> placement(nb::handle drawn) const {
    const std::array<double, 12> rows = au::placement(pipeline_, drawn_of(drawn));
    return {rows.begin(), rows.end()};
  }
  std::int64_t image_channels(std::int64_t channels) const {
    return au::image_channels(pipeline_, channels);
  }
  std::vector<Shape> label_shapes(std::int64_t channels) const {
    return au::label_shapes(pipeline_, channels);
  }

  // Arrays of the initial patch, C order for what is made; both as the Python side checked
  // them.
  void apply(nb::handle drawn, nb::handle image, nb::handle label, nb::handle out_image,
             const std::vector<nb::object>& out_labels) const {
    const au::Drawn one = drawn_of(drawn);
    const Box box = au::support(pipeline_, one);
    const PinnedBuffer from(image, PinnedBuffer::Use::read, sizeof(float));
    const PinnedBuffer to(out_image, PinnedBuffer::Use::write, sizeof(float));
    au::Source source{part_of(from.const_view(), pipeline_, box, "the image")};
    std::optional<PinnedBuffer> classes;
    std::vector<std::unique_ptr<PinnedBuffer>> made;
    au::Output out{span_of<float>(to.view())};
    if (!label.is_none()) {
      classes.emplace(label, PinnedBuffer::Use::read, sizeof(std::int16_t));
      source.label = part_of(classes->const_view(), pipeline_, box, "the label");
      for (const nb::object& array : out_labels) {
        made.push_back(std::make_unique<PinnedBuffer>(array, PinnedBuffer::Use::write,
                                                      sizeof(std::int16_t)));
        out.labels.push_back(span_of<std::int16_t>(made.back()->view()));
      }
    }
    const WithoutGil without_gil;
    static thread_local au::Workspace workspace;
    au::apply(pipeline_, one, source, out, workspace);
  }

 private:
  static au::Drawn drawn_of(nb::handle drawn) {
    return au::drawn_from(value_from_python(drawn, "drawn"));
  }

  au::Pipeline pipeline_;
};

using Lists = std::vector<std::vector<std::int64_t>>;

AugmentPipeline nnunet(const Shape& patch, const std::optional<Shape>& initial,
                       const std::optional<bool>& planar,
                       const std::optional<double>& max_angle,
                       const std::optional<std::vector<std::int64_t>>& mirror_axes,
                       const std::vector<std::int64_t>& masked_channels,
                       const std::vector<std::int64_t>& previous, const Lists& regions,
                       const std::optional<std::int64_t>& ignore_label,
                       const std::vector<std::vector<double>>& scales, bool validation) {
  au::NnunetOptions options;
  options.patch = patch;
  options.initial = initial.value_or(Shape{});
  options.planar = planar;
  options.max_angle = max_angle;
  options.mirror_axes = mirror_axes;
  options.masked_channels = masked_channels;
  options.previous = previous;
  options.regions = regions;
  options.ignore_label = ignore_label;
  options.scales = scales;
  return AugmentPipeline(validation ? au::nnunet_validation(options) : au::nnunet(options));
}

AugmentPipeline monai_basic(const Shape& patch, double p_flip, double p_rot90,
                            const std::vector<std::int64_t>& rot90_axes, double p_scale,
                            double p_shift) {
  return AugmentPipeline(
      au::monai_basic({patch, p_flip, p_rot90, rot90_axes, p_scale, p_shift}));
}

}  // namespace

void register_augment(nb::module_& module) {
  nb::class_<AugmentPipeline>(module, "AugmentPipeline",
                              "A pipeline of mlarray.training.augment.")
      .def_static("from_value", &AugmentPipeline::from, "value"_a)
      .def("value", &AugmentPipeline::value)
      .def("draw", &AugmentPipeline::draw, "seed"_a, "channels"_a)
      .def("support", &AugmentPipeline::support, "drawn"_a)
      .def("placement", &AugmentPipeline::placement, "drawn"_a)
      .def("image_channels", &AugmentPipeline::image_channels, "channels"_a)
      .def("label_shapes", &AugmentPipeline::label_shapes, "channels"_a)
      .def("apply", &AugmentPipeline::apply, "drawn"_a, "image"_a, "label"_a.none(),
           "out_image"_a, "out_labels"_a);
  module.def("augment_nnunet", &nnunet, "patch"_a, nb::kw_only(), "initial"_a.none(),
             "planar"_a.none(), "max_angle"_a.none(), "mirror_axes"_a.none(),
             "masked_channels"_a, "previous"_a, "regions"_a, "ignore_label"_a.none(),
             "scales"_a, "validation"_a, "nnU-Net's default training, or its validation.");
  module.def("augment_monai_basic", &monai_basic, "patch"_a, nb::kw_only(), "p_flip"_a,
             "p_rot90"_a, "rot90_axes"_a, "p_scale"_a, "p_shift"_a,
             "What MONAI's networks for segmentation are trained with.");
  module.def("augment_instruction_sets", &au::instruction_sets,
             "What this CPU can do, the one in use first.");
  module.def("augment_use_instruction_set", &au::use_instruction_set, "name"_a,
             "For tests and measurements; an empty name: the best.");
}

}  // namespace mlarray::bindings
