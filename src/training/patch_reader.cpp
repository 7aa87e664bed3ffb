#include "training/patch_reader.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "grid/geometry.hpp"
#include "mlarray/error.hpp"
#include "training/stopwatch.hpp"

namespace mlarray::training {
namespace {

using From = Normalization::From;

constexpr std::int64_t kSlabBytes = std::int64_t{512} << 10;  // of what is read at a time

// The box of a file: with all of its channels.
Box with_channels(const OpenFile& file, Box box) {
  if (file.channel_axis < 0) return box;
  box.start.insert(box.start.begin() + file.channel_axis, 0);
  box.stop.insert(box.stop.begin() + file.channel_axis, file.channels);
  return box;
}

// Of a dense (channels, *shape) at `data`, as a file has its axes.
ArrayView view_of_file(const OpenFile& file, std::byte* data, const Shape& shape,
                       std::int64_t voxel_bytes) {
  ArrayView view{data, shape, c_strides(shape, voxel_bytes)};
  if (file.channel_axis < 0) return view;
  view.shape.insert(view.shape.begin() + file.channel_axis, file.channels);
  view.strides.insert(view.strides.begin() + file.channel_axis,
                      element_count(shape) * voxel_bytes);
  return view;
}

template <class T>
void reverse_each(std::byte* voxels, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::byte* const at = voxels + i * static_cast<std::int64_t>(sizeof(T));
    std::reverse(at, at + sizeof(T));
  }
}

// Reads a box to a dense (channels, *shape), in the byte order of this machine.
void read_raw(const OpenFile& file, const Box& box, std::byte* raw) {
  const Shape shape = box.shape();
  const std::int64_t voxel_bytes = file.dtype.itemsize();
  file.array.read(with_channels(file, box), view_of_file(file, raw, shape, voxel_bytes), 1);
  if (!file.swapped) return;
  const std::int64_t count = element_count(shape) * file.channels;
  if (voxel_bytes == 2) return reverse_each<std::uint16_t>(raw, count);
  if (voxel_bytes == 4) return reverse_each<std::uint32_t>(raw, count);
  for (std::int64_t i = 0; i < count; ++i) {
    std::reverse(raw + i * voxel_bytes, raw + (i + 1) * voxel_bytes);
  }
}

[[noreturn]] void fail_range(const OpenFile& file, const FieldLayout& field) {
  throw Error(ErrorKind::invalid_value,
              "'" + file.path + "' has a voxel that does not fit in " + name_of(field.kind) +
                  ", the type of " + field.name + "; choose a wider one for it",
              file.path);
}

}  // namespace

// One field of one sample.
struct PatchReader::Job {
  const OpenCase& one;
  const Draw& draw;
  const BatchLayout& layout;
  const FieldLayout& field;
  std::byte* target;                 // (channels, *patch)
  const std::byte* label = nullptr;  // of the sample; for From::foreground
  ReaderScratch& scratch;
  Padding padding;
  double fill;

  std::int64_t plane_bytes() const { return layout.voxels * field.voxel_bytes; }
  std::byte* channel(std::int64_t i) const { return target + i * plane_bytes(); }
};

PatchReader::PatchReader(const LoaderOptions& options)
    : normalization_(options.normalization),
      padding_(options.padding),
      image_fill_(options.image_fill),
      label_fill_(options.label_fill) {}

void PatchReader::read_label(const OpenCase& one, const Draw& draw, const BatchLayout& layout,
                             std::byte* data, std::int64_t item, ReaderScratch& scratch) const {
  if (layout.label < 0) return;
  const FieldLayout& field = layout.fields[static_cast<std::size_t>(layout.label)];
  const Job job{one,
                draw,
                layout,
                field,
                data + field.offset + item * field.item_bytes,
                nullptr,
                scratch,
                Padding::constant,
                label_fill_};
  read_group(job, one.label);
}

bool PatchReader::has_label(const Draw& draw, const BatchLayout& layout, const std::byte* data,
                            std::int64_t item, std::span<const LabelClass> classes) {
  if (!draw.label || layout.label < 0) return true;
  const FieldLayout& field = layout.fields[static_cast<std::size_t>(layout.label)];
  if (field.kind == Kind::other) return true;
  std::int64_t at = 0;
  for (std::size_t a = 0; a < draw.center.size(); ++a) {
    const std::int64_t i = draw.center[a] - draw.box.start[a];
    if (i < 0 || i >= layout.patch[a]) return false;
    at = at * layout.patch[a] + i;
  }
  const std::byte* voxels = data + field.offset + item * field.item_bytes;
  for (std::int64_t c = 0; c < field.channels; ++c) {
    const auto value =
        whole_number(field.kind, voxels + (c * layout.voxels + at) * field.voxel_bytes);
    if (!value) continue;
    if (*value == *draw.label) return true;
    for (const LabelClass& one : classes) {
      const std::vector<std::int64_t>& labels = one.labels;
      if (labels.size() > 1 && labels.front() == *draw.label &&
          std::find(labels.begin(), labels.end(), *value) != labels.end()) {
        return true;
      }
    }
  }
  return false;
}

void PatchReader::read_others(const OpenCase& one, const Draw& draw, const BatchLayout& layout,
                              std::byte* data, std::int64_t item,
                              ReaderScratch& scratch) const {
  const auto job_of = [&](std::size_t i, Padding padding, double fill) {
    const FieldLayout& field = layout.fields[i];
    return Job{one,     draw,    layout,  field, data + field.offset + item * field.item_bytes,
               nullptr, scratch, padding, fill};
  };
  Job image = job_of(0, padding_, image_fill_);
  if (layout.label >= 0) {
    const FieldLayout& label = layout.fields[static_cast<std::size_t>(layout.label)];
    image.label = data + label.offset + item * label.item_bytes;
  }
  read_group(image, one.image);
  for (std::size_t i = 0; i < one.extra.size(); ++i) {
    const auto at = static_cast<std::size_t>(layout.first_extra) + i;
    read_group(job_of(at, Padding::constant, 0), one.extra[i]);
  }
  if (layout.inside < 0) return;
  const Job inside = job_of(static_cast<std::size_t>(layout.inside), Padding::constant, 0);
  const Box part = grid::intersect(draw.box, Box::whole(one.shape));
  const std::byte zero{0};
  fill_outside(part, draw.box, std::span(&zero, 1), inside.target);
  for_each_run(part, draw.box, [&](std::int64_t, std::int64_t at, std::int64_t n) {
    std::memset(inside.target + at, 1, static_cast<std::size_t>(n));
  });
}

void PatchReader::read_group(const Job& job, const FileGroup& group) const {
  const FieldLayout& field = job.field;
  if (group.channels != field.channels) {
    throw Error(ErrorKind::invalid_value,
                "'" + group.files.front().path + "': " + field.name + " has " +
                    std::to_string(group.channels) + " channels, but that of the first case " +
                    std::to_string(field.channels) + "; all cases have the same channels",
                group.files.front().path);
  }
  std::int64_t channel = 0;
  for (const OpenFile& file : group.files) {
    read_file(job, file, channel);
    channel += file.channels;
  }
}

bool PatchReader::scales(const Job& job) const {
  return normalization_.from != From::none && &job.field == job.layout.fields.data();
}

void PatchReader::read_file(const Job& job, const OpenFile& file, std::int64_t channel) const {
  const FieldLayout& field = job.field;
  if (field.is_stored && !file.dtype.same_elements(field.dtype) && file.dtype != field.dtype) {
    throw Error(ErrorKind::invalid_type,
                "'" + file.path + "' has elements of " + base::quote(file.dtype.text()) +
                    ", but " + field.name + " of the first case has " +
                    base::quote(field.dtype.text()) + "; choose a type for " + field.name +
                    ", or save all with one type",
                file.path);
  }
  const Kind kind = kind_of(file.dtype);
  if (!field.is_stored && kind == Kind::other) {
    throw Error(ErrorKind::invalid_type,
                "'" + file.path + "' has elements of " + base::quote(file.dtype.text()) +
                    ", which cannot be converted",
                file.path);
  }
  const Box inside = grid::intersect(job.draw.box, Box::whole(job.one.shape));
  const bool leaves = inside.start != job.draw.box.start || inside.stop != job.draw.box.stop;
  if (leaves && job.padding != Padding::constant) {
    read_mapped(job, file, channel, inside);
  } else {
    read_inside(job, file, channel, inside);
  }
}

Scaling PatchReader::scaling(const OpenFile& file, std::int64_t channel,
                             const std::byte* voxels, std::int64_t count,
                             const std::uint8_t* mask) const {
  switch (normalization_.from) {
    case From::stats:
      return scaling_of(file.stats);
    case From::patch:
    case From::foreground: {
      const Moments found = moments(kind_of(file.dtype), voxels, count, mask);
      return scaling_of({found.mean, found.std, {}, {}});
    }
    case From::constants:
    case From::none:
      break;
  }
  const std::vector<Normalization::Channel>& all = normalization_.channels;
  return scaling_of(all[all.size() == 1 ? 0 : static_cast<std::size_t>(channel)]);
}

void PatchReader::put_fill(const Job& job, const OpenFile& file, const Scaling* scaling,
                           std::int64_t channel, const Box& inside) const {
  std::vector<std::byte> voxel(static_cast<std::size_t>(job.field.voxel_bytes));
  const bool is_zero = job.fill == 0 && scaling == nullptr;
  if (!is_zero && !convert(Kind::f64, reinterpret_cast<const std::byte*>(&job.fill),
                           job.field.kind, voxel.data(), 1, scaling)) {
    fail_range(file, job.field);
  }
  fill_outside(inside, job.draw.box, voxel, job.channel(channel));
}

// The voxels `inside` of the image as the file has its axes, and where they are in the patch.
std::pair<Box, ArrayView> PatchReader::view_of_part(const Job& job, const OpenFile& file,
                                                    std::int64_t channel, const Box& inside) {
  const Box& box = job.draw.box;
  ArrayView view = view_of_file(file, job.channel(channel), box.shape(), job.field.voxel_bytes);
  Box part = with_channels(file, inside);
  std::size_t spatial = 0;
  for (std::size_t a = 0; a < view.shape.size(); ++a) {
    if (static_cast<int>(a) != file.channel_axis) {
      view.data += (inside.start[spatial] - box.start[spatial]) * view.strides[a];
      ++spatial;
    }
  }
  view.shape = part.shape();
  return {std::move(part), std::move(view)};
}

// The part of the box that is in the image, with constants around it.
void PatchReader::read_inside(const Job& job, const OpenFile& file, std::int64_t channel,
                              const Box& inside) const {
  const FieldLayout& field = job.field;
  const Box& box = job.draw.box;
  const Kind kind = kind_of(file.dtype);
  const bool scaled = scales(job);
  const bool leaves = inside.start != box.start || inside.stop != box.stop;
  const std::int64_t count = inside.empty() ? 0 : element_count(inside.shape());
  ReaderScratch& scratch = job.scratch;
  scratch.voxels_read += count * file.channels;
  if (!scaled && !file.swapped && (field.is_stored || kind == field.kind)) {
    const TimedScope timed(scratch.read_seconds);
    if (leaves) {
      for (std::int64_t c = 0; c < file.channels; ++c) {
        put_fill(job, file, nullptr, channel + c, inside);
      }
      if (count == 0) return;
    }
    const auto [part, view] = view_of_part(job, file, channel, inside);
    file.array.read(part, view, 1);
    return;
  }
  const bool measured =
      scaled && (normalization_.from == From::patch || normalization_.from == From::foreground);
  if (leaves && !measured) {
    const TimedScope timed(scratch.convert_seconds);
    for (std::int64_t c = channel; c < channel + file.channels; ++c) {
      Scaling by;
      if (scaled) by = scaling(file, c, nullptr, 0, nullptr);
      put_fill(job, file, scaled ? &by : nullptr, c, inside);
    }
  }
  if (measured) return convert_part(job, file, channel, inside, leaves ? &inside : nullptr);
  if (count == 0) return;
  // Slab by slab, so that what was decoded is converted while it is in cache. Slabs end where
  // blocks do, or some would be decoded twice.
  const std::int64_t layer = count / (inside.stop[0] - inside.start[0]) * file.channels *
                             file.dtype.itemsize() * file.block_length;
  const std::int64_t step = file.block_length * std::max<std::int64_t>(kSlabBytes / layer, 1);
  Box slab = inside;
  while (slab.start[0] < inside.stop[0]) {
    slab.stop[0] = std::min((slab.start[0] / step + 1) * step, inside.stop[0]);
    convert_part(job, file, channel, slab, nullptr);
    slab.start[0] = slab.stop[0];
  }
}

// Reads a part of the box that is in the image, and converts it to its place. `fill_around`: of
// a part that is measured, with constants around it.
void PatchReader::convert_part(const Job& job, const OpenFile& file, std::int64_t channel,
                               const Box& part, const Box* fill_around) const {
  const FieldLayout& field = job.field;
  const Box& box = job.draw.box;
  const Kind kind = kind_of(file.dtype);
  const bool scaled = scales(job);
  ReaderScratch& scratch = job.scratch;
  const std::int64_t count = part.empty() ? 0 : element_count(part.shape());
  const std::int64_t voxel_bytes = file.dtype.itemsize();
  std::byte* raw = scratch.raw.get(count * file.channels * voxel_bytes).data();
  if (count > 0) {
    const TimedScope timed(scratch.read_seconds);
    read_raw(file, part, raw);
  }
  const TimedScope timed(scratch.convert_seconds);
  const std::uint8_t* mask = nullptr;
  if (scaled && normalization_.from == From::foreground && job.label != nullptr) {
    const FieldLayout& label = job.layout.fields[static_cast<std::size_t>(job.layout.label)];
    scratch.mask.resize(static_cast<std::size_t>(count));
    for_each_run(part, box, [&](std::int64_t from, std::int64_t at, std::int64_t n) {
      mark_positive(label.kind, job.label + at * label.voxel_bytes, n,
                    scratch.mask.data() + from);
    });
    mask = scratch.mask.data();
  }
  for (std::int64_t c = 0; c < file.channels; ++c) {
    const std::byte* source = raw + c * count * voxel_bytes;
    Scaling by;
    if (scaled) by = scaling(file, channel + c, source, count, mask);
    if (fill_around != nullptr) put_fill(job, file, &by, channel + c, *fill_around);
    std::byte* target = job.channel(channel + c);
    bool fits = true;
    for_each_run(part, box, [&](std::int64_t from, std::int64_t at, std::int64_t n) {
      fits &= convert(kind, source + from * voxel_bytes, field.kind,
                      target + at * field.voxel_bytes, n, scaled ? &by : nullptr);
    });
    if (!fits) fail_range(file, field);
  }
}

// Of all voxels of the patch, those that count for From::patch and From::foreground.
void PatchReader::mark_inside(const Job& job, const Box& inside) const {
  std::vector<std::uint8_t>& mask = job.scratch.mask;
  mask.assign(static_cast<std::size_t>(job.layout.voxels), 0);
  if (normalization_.from == From::foreground && job.label != nullptr) {
    const FieldLayout& label = job.layout.fields[static_cast<std::size_t>(job.layout.label)];
    for_each_run(inside, job.draw.box, [&](std::int64_t, std::int64_t at, std::int64_t n) {
      mark_positive(label.kind, job.label + at * label.voxel_bytes, n, mask.data() + at);
    });
    if (std::find(mask.begin(), mask.end(), 1) != mask.end()) return;
  }
  for_each_run(inside, job.draw.box, [&](std::int64_t, std::int64_t at, std::int64_t n) {
    std::memset(mask.data() + at, 1, static_cast<std::size_t>(n));
  });
}

// A box that leaves the image, with voxels of the image outside.
void PatchReader::read_mapped(const Job& job, const OpenFile& file, std::int64_t channel,
                              const Box& inside) const {
  const FieldLayout& field = job.field;
  const Box& box = job.draw.box;
  const Kind kind = kind_of(file.dtype);
  const bool scaled = scales(job);
  const bool as_is = !scaled && (field.is_stored || kind == field.kind);
  const std::int64_t voxel_bytes = file.dtype.itemsize();
  ReaderScratch& scratch = job.scratch;
  const PaddingMap map = padding_map(box, job.one.shape, job.padding);
  const Shape shape = map.support.shape();
  const std::int64_t count = element_count(shape);
  scratch.voxels_read += count * file.channels;
  std::byte* raw = scratch.raw.get(count * file.channels * voxel_bytes).data();
  {
    const TimedScope timed(scratch.read_seconds);
    read_raw(file, map.support, raw);
  }
  const TimedScope timed(scratch.convert_seconds);
  const std::uint8_t* mask = nullptr;
  if (scaled &&
      (normalization_.from == From::foreground || normalization_.from == From::patch)) {
    mark_inside(job, inside);
    mask = scratch.mask.data();
  }
  for (std::int64_t c = 0; c < file.channels; ++c) {
    const std::byte* source = raw + c * count * voxel_bytes;
    std::byte* target = job.channel(channel + c);
    if (as_is) {
      gather_padded(map, source, target, voxel_bytes);
      continue;
    }
    std::byte* patch = scratch.padded.get(job.layout.voxels * voxel_bytes).data();
    gather_padded(map, source, patch, voxel_bytes);
    Scaling by;
    const std::int64_t counted = inside.empty() ? 0 : job.layout.voxels;
    if (scaled) by = scaling(file, channel + c, patch, counted, mask);
    if (!convert(kind, patch, field.kind, target, job.layout.voxels, scaled ? &by : nullptr)) {
      fail_range(file, field);
    }
  }
}

}  // namespace mlarray::training
