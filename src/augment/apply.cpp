#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>

#include "augment/checks.hpp"
#include "augment/elastic.hpp"
#include "augment/geometry.hpp"
#include "augment/intensity.hpp"
#include "augment/kernels.hpp"
#include "augment/labels.hpp"
#include "augment/spatial.hpp"
#include "base/views.hpp"
#include "mlarray/augment/pipeline.hpp"

namespace mlarray::augment {
namespace {

// One channel of a view, whose rows are without gaps.
template <class T>
Volume<T> channel_of(const ConstArrayView& view, std::int64_t channel, const Box& box) {
  const std::size_t axes = view.shape.size() - 1;
  Volume<T> volume;
  volume.data = reinterpret_cast<const T*>(view.data + channel * view.strides[0]);
  volume.origin = lift(box.start, 0);
  volume.size = lift(box.shape());
  constexpr std::int64_t kBytes = sizeof(T);
  volume.step_y = view.strides[axes - 1] / kBytes;
  volume.step_z = axes == 3 ? view.strides[1] / kBytes : 0;
  return volume;
}

void check_view(const ConstArrayView& view, const char* what, const Box& box,
                std::int64_t bytes) {
  const Shape wanted = box.shape();
  const bool fits = view.shape.size() == wanted.size() + 1 &&
                    std::equal(wanted.begin(), wanted.end(), view.shape.begin() + 1);
  if (!fits) {
    misfit(std::string(what) + " has shape " + to_string(view.shape) +
           "; channels and the support, " + to_string(wanted) + ", are needed");
  }
  base::check_view(view, bytes);
  if (box.empty()) return;
  constexpr std::int64_t kFurthest = std::numeric_limits<std::int32_t>::max();
  std::int64_t reach = 0;
  for (std::size_t axis = 1; axis < view.shape.size(); ++axis) {
    const std::int64_t stride = view.strides[axis];
    const bool last = axis + 1 == view.shape.size();
    if (last && stride != bytes && view.shape[axis] > 1) {
      misfit(std::string(what) + " has " + std::to_string(stride) +
             " bytes from one voxel of a row to the next; rows without gaps are needed: " +
             std::to_string(bytes) + " bytes");
    }
    if (stride % bytes != 0) {
      misfit(std::string(what) + " has a stride of " + std::to_string(stride) +
             " bytes; whole voxels of " + std::to_string(bytes) + " bytes are needed");
    }
    reach += std::abs(stride / bytes) * view.shape[axis];
  }
  if (reach > kFurthest) {
    misfit(std::string(what) + " reaches over " + std::to_string(reach) +
           " voxels; the limit is " + std::to_string(kFurthest) +
           ": pass a copy of the support");
  }
}

// How voxels come to the patch: what one sample's channels have in common.
class Mover {
 public:
  Mover(const Pipeline& pipeline, const Drawn& drawn)
      : patch_(lift(pipeline.patch)), interpolation_(pipeline.spatial.interpolation) {
    outside_ = {lift(pipeline.initial), pipeline.spatial.padding,
                static_cast<float>(pipeline.spatial.image_fill)};
    copies_ = copies(drawn);
    copy_ = copy_of(pipeline, drawn);
    if (copies_) return;
    warp_ = warp_of(pipeline, drawn);
    if (drawn.elastic) warp_.field = &field_.emplace(pipeline, drawn);
  }
  Mover(const Mover&) = delete;
  Mover& operator=(const Mover&) = delete;

  void image(const Volume<float>& source, float* out, Workspace::Impl& work) const {
    if (copies_) {
      copy_image(source, outside_, copy_, patch_, out);
    } else {
      warp_image(source, outside_, warp_, patch_, interpolation_, out, work);
    }
  }
  void labels(const Volume<std::int16_t>& source, std::int16_t* out,
              Workspace::Impl& work) const {
    if (copies_) {
      copy_labels(source, outside_, copy_, patch_, out);
    } else {
      warp_labels(source, warp_, patch_, out, work);
    }
  }

 private:
  Size patch_;
  Interpolation interpolation_;
  Outside outside_;
  bool copies_ = true;
  Copy copy_;
  Warp warp_;
  std::optional<Field> field_;
};

bool as_it_is(const std::vector<double>& factors) {
  return std::all_of(factors.begin(), factors.end(), [](double f) { return f == 1; });
}

void finish_labels(const Pipeline& pipeline, const Drawn& drawn, const Mover& mover,
                   const Source& source, const Box& box, std::int64_t image_count,
                   const Output& out, Workspace::Impl& work) {
  const Labels& labels = pipeline.labels;
  const Size patch = lift(pipeline.patch);
  const std::int64_t count = volume(patch);
  const std::int64_t channels = source.label.shape[0];
  const std::vector<Shape> shapes = label_shapes(pipeline, channels);
  const std::int64_t made = shapes[0][0];
  const auto at = [](std::span<std::int16_t> all, std::int64_t channel, std::int64_t size) {
    return all.data() + channel * size;
  };
  // The output that is as large as the patch is where channels are made, if there is one.
  std::size_t whole = shapes.size();
  for (std::size_t k = 0; k < shapes.size(); ++k) {
    if (labels.scales.empty() || as_it_is(labels.scales[k])) whole = std::min(whole, k);
  }
  std::int16_t* scratch = work.labels.get((made + 1) * count).data();
  std::int16_t* result = whole < shapes.size() ? out.labels[whole].data() : scratch + count;

  std::int64_t next = 0;
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    const bool previous = channel == 1 && !labels.previous.empty();
    const bool regions = channel == 0 && !labels.regions.empty();
    if (!previous && !regions && next >= made) break;
    std::int16_t* to = previous || regions ? scratch : at({result, 1}, next++, count);
    mover.labels(channel_of<std::int16_t>(source.label, channel, box), to, work);
    if (channel == 0) {
      for (const std::int64_t masked : labels.masked_channels) {
        float* voxels = out.image.data() + masked * count;
        const auto fill = static_cast<float>(labels.masked_value);
        for (std::int64_t i = 0; i < count; ++i) voxels[i] = to[i] < 0 ? fill : voxels[i];
      }
    }
    if (labels.remove_outside) kernels().raise_labels(to, count);
    replace_labels(to, count, labels.remove);
    if (previous) {
      float* stages = out.image.data() + image_count * count;
      for (std::size_t k = 0; k < labels.previous.size(); ++k) {
        mark_labels(to, count, std::span(labels.previous).subspan(k, 1),
                    stages + static_cast<std::int64_t>(k) * count);
      }
      change_previous(labels, drawn, patch, stages, work);
    }
    if (regions) {
      for (const std::vector<std::int64_t>& region : labels.regions) {
        mark_labels(to, count, std::span(region), at({result, 1}, next++, count));
      }
    }
  }
  for (std::size_t k = 0; k < shapes.size(); ++k) {
    if (k == whole) continue;
    const std::int64_t size = element_count(shapes[k]) / made;
    for (std::int64_t channel = 0; channel < made; ++channel) {
      scale_labels(result + channel * count, patch, labels.scales[k],
                   at(out.labels[k], channel, size));
    }
  }
}

}  // namespace

Workspace::Workspace() : impl_(std::make_unique<Impl>()) {}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;

std::int64_t image_channels(const Pipeline& pipeline, std::int64_t channels) {
  return channels + static_cast<std::int64_t>(pipeline.labels.previous.size());
}

std::vector<Shape> label_shapes(const Pipeline& pipeline, std::int64_t channels) {
  const Labels& labels = pipeline.labels;
  const auto regions = static_cast<std::int64_t>(labels.regions.size());
  const std::int64_t made =
      regions > 0 ? regions : channels - (labels.previous.empty() ? 0 : 1);
  std::vector<Shape> shapes;
  for (const std::vector<double>& factors : labels.scales) {
    Shape shape = {made};
    for (std::size_t axis = 0; axis < pipeline.patch.size(); ++axis) {
      shape.push_back(scaled_length(pipeline.patch[axis], factors[axis]));
    }
    shapes.push_back(std::move(shape));
  }
  if (shapes.empty()) {
    Shape shape = {made};
    shape.insert(shape.end(), pipeline.patch.begin(), pipeline.patch.end());
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

void apply(const Pipeline& pipeline, const Drawn& drawn, const Source& source,
           const Output& out, Workspace& workspace) {
  const Box box = support(pipeline, drawn);
  check_view(source.image, "the image", box, sizeof(float));
  const std::int64_t channels = source.image.shape[0];
  check_changes(pipeline, drawn, channels);
  // An empty support may have no data.
  const bool labelled = source.label.data != nullptr || !source.label.shape.empty();
  const Size patch = lift(pipeline.patch);
  const std::int64_t count = volume(patch);
  const std::int64_t image_count =
      (labelled ? image_channels(pipeline, channels) : channels) * count;
  if (static_cast<std::int64_t>(out.image.size()) != image_count) {
    misfit("the output has room for " + std::to_string(out.image.size()) +
           " voxels of the image; " + std::to_string(image_count) + " are made");
  }
  if (labelled) {
    check_view(source.label, "the label", box, sizeof(std::int16_t));
    const std::int64_t least = pipeline.labels.previous.empty() ? 1 : 2;
    if (source.label.shape[0] < least) {
      misfit("the label has " + std::to_string(source.label.shape[0]) + " channels; " +
             std::to_string(least) + " are needed");
    }
    for (const std::int64_t masked : pipeline.labels.masked_channels) {
      if (masked >= channels) {
        misfit("labels.masked_channels has " + std::to_string(masked) + "; the image has " +
               std::to_string(channels) + " channels");
      }
    }
    const std::vector<Shape> shapes = label_shapes(pipeline, source.label.shape[0]);
    if (out.labels.size() != shapes.size()) {
      misfit("the output has " + std::to_string(out.labels.size()) + " labels; " +
             std::to_string(shapes.size()) + " are made");
    }
    for (std::size_t k = 0; k < shapes.size(); ++k) {
      if (static_cast<std::int64_t>(out.labels[k].size()) != element_count(shapes[k])) {
        misfit("output label " + std::to_string(k) + " has room for " +
               std::to_string(out.labels[k].size()) + " voxels; " + to_string(shapes[k]) +
               " are made");
      }
    }
  }

  Workspace::Impl& work = workspace.impl();
  const Mover mover(pipeline, drawn);
  const std::array<bool, 3> flips = flips_of(pipeline, drawn);
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    mover.image(channel_of<float>(source.image, channel, box),
                out.image.data() + channel * count, work);
  }
  for (const Drawn::Step& step : drawn.steps) {
    apply_step(pipeline, drawn, step, patch, flips, out.image.data() + step.channel * count,
               work);
  }
  if (labelled) finish_labels(pipeline, drawn, mover, source, box, channels, out, work);
}

}  // namespace mlarray::augment
