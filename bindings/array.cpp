// mlarray::Array as mlarray._core.Array. Every call that reads, writes or waits for a file
// releases the GIL. Metadata is copied before that: another thread may edit the original.
#include "mlarray/array.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bindings.hpp"
#include "gil.hpp"
#include "mlarray/error.hpp"
#include "mlarray/metadata_only.hpp"
#include "mlarray/process.hpp"
#include "mlarray/repack.hpp"
#include "ndarray.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

using Path = std::filesystem::path;

Mode mode_from_text(const std::string& mode) {
  if (mode == "r") {
    return Mode::read;
  }
  if (mode == "r+") {
    return Mode::read_write;
  }
  if (mode == "c") {
    return Mode::copy_on_write;
  }
  throw Error(ErrorKind::invalid_value, "mode '" + mode + "' is not one of 'r', 'r+' and 'c'");
}

std::optional<std::vector<std::int64_t>> patch_of(const Array& self) {
  const LayoutRequest layout = layout_of(self);
  const auto* patch = std::get_if<std::vector<std::int64_t>>(&layout.patch);
  return patch ? std::optional(*patch) : std::nullopt;
}

using IntTuple = nb::typed<nb::tuple, int, nb::ellipsis>;

IntTuple to_tuple(const Shape& shape) {
  const auto ndim = static_cast<Py_ssize_t>(shape.size());
  nb::object tuple = nb::steal(PyTuple_New(ndim));
  if (!tuple.is_valid()) nb::raise_python_error();
  for (Py_ssize_t axis = 0; axis < ndim; ++axis) {
    PyObject* length = PyLong_FromLongLong(shape[static_cast<std::size_t>(axis)]);
    if (length == nullptr) nb::raise_python_error();
    NB_TUPLE_SET_ITEM(tuple.ptr(), axis, length);
  }
  return nb::steal<IntTuple>(tuple.release());
}

Array open(const Path& path, const std::string& mode, bool mapped, int threads,
           std::optional<bool> verify, CommitLevel level) {
  OpenOptions options;
  options.level = level;
  options.mode = mode_from_text(mode);
  options.access = mapped ? Access::mapped : Access::buffered;
  options.threads = threads;
  options.verify = verify;
  const WithoutGil nogil;
  return Array::open(path, options);
}

Array load(const Path& path, int threads, std::optional<bool> verify) {
  OpenOptions options;
  options.threads = threads;
  options.verify = verify;
  const WithoutGil nogil;
  return Array::load(path, options);
}

Array create(const Path& path, const Shape& shape, const std::string& dtype, Metadata metadata,
             const SaveOptions& options) {
  const DType parsed = DType::parse(dtype);
  const WithoutGil nogil;
  return Array::create(path, shape, parsed, metadata, options);
}

Array in_memory(const nb::object& voxels, const Shape& shape, const std::string& dtype,
                Metadata metadata, const SaveOptions& options) {
  const DType parsed = DType::parse(dtype);
  if (voxels.is_none()) {
    const WithoutGil nogil;
    return Array::in_memory(shape, parsed, std::nullopt, metadata, options);
  }
  const PinnedBuffer pinned(voxels, PinnedBuffer::Use::read, parsed.itemsize());
  const WithoutGil nogil;
  return Array::in_memory(shape, parsed, pinned.const_view(), metadata, options);
}

void save_voxels(const Path& path, nb::handle voxels, const std::string& dtype,
                 Metadata metadata, const SaveOptions& options) {
  const DType parsed = DType::parse(dtype);
  const PinnedBuffer pinned(voxels, PinnedBuffer::Use::read, parsed.itemsize());
  const WithoutGil nogil;
  Array::save_voxels(path, pinned.const_view(), parsed, metadata, options);
}

void save_only_metadata(const Path& path, Metadata metadata, const SaveOptions& options) {
  const WithoutGil nogil;
  save_metadata(path, metadata, options);
}

void save(const Array& self, const Path& path, const SaveOptions& options,
          std::optional<Metadata> metadata) {
  const WithoutGil nogil;
  self.save(path, options, metadata);
}

void read_into(const Array& self, Shape start, Shape stop, nb::handle out, int threads) {
  const PinnedBuffer pinned(out, PinnedBuffer::Use::write, self.dtype().itemsize());
  const WithoutGil nogil;
  self.read(Box{std::move(start), std::move(stop)}, pinned.view(), threads);
}

void read_padded(const Array& self, Shape start, Shape stop, nb::handle out, nb::bytes fill,
                 int threads) {
  const PinnedBuffer pinned(out, PinnedBuffer::Use::write, self.dtype().itemsize());
  const auto* data = reinterpret_cast<const std::byte*>(fill.c_str());
  const std::vector<std::byte> voxel(data, data + fill.size());
  const WithoutGil nogil;
  self.read_padded(Box{std::move(start), std::move(stop)}, pinned.view(), voxel, threads);
}

void read_many(const Array& self, std::vector<Shape> starts, std::vector<Shape> stops,
               nb::handle out, int threads) {
  const PinnedBuffer pinned(out, PinnedBuffer::Use::write, self.dtype().itemsize());
  std::vector<ArrayView> views = pinned.parts();
  if (starts.size() != stops.size() || starts.size() != views.size()) {
    throw Error(ErrorKind::invalid_value,
                std::to_string(starts.size()) + " starts and " + std::to_string(stops.size()) +
                    " stops for a buffer of " + std::to_string(views.size()) + " boxes");
  }
  std::vector<Box> boxes;
  boxes.reserve(starts.size());
  for (std::size_t i = 0; i < starts.size(); ++i) {
    boxes.push_back({std::move(starts[i]), std::move(stops[i])});
  }
  const WithoutGil nogil;
  self.read_many(boxes, views, threads);
}

void write_from(Array& self, Shape start, Shape stop, nb::handle voxels, int threads) {
  const PinnedBuffer pinned(voxels, PinnedBuffer::Use::read, self.dtype().itemsize());
  const WithoutGil nogil;
  self.write(Box{std::move(start), std::move(stop)}, pinned.const_view(), threads);
}

void set_metadata(Array& self, const Metadata& metadata) {
  const Metadata copy = metadata;
  const WithoutGil nogil;
  self.set_metadata(copy);
}

// Start, stop and lengths of the box of a key that has one slice without a step for each axis,
// as most have that patches are read with; else None, as for a box without voxels.
nb::object plain_box(nb::handle key, const nb::tuple& shape) {
  if (!PyTuple_CheckExact(key.ptr()) || nb::len(key) != shape.size() || shape.size() == 0) {
    return nb::none();
  }
  const nb::tuple slices = nb::borrow<nb::tuple>(key);
  nb::list starts, stops, lengths;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const nb::handle item = slices[axis];
    if (!PySlice_Check(item.ptr())) return nb::none();
    Py_ssize_t start = 0, stop = 0, step = 0;
    if (PySlice_Unpack(item.ptr(), &start, &stop, &step) < 0) nb::raise_python_error();
    PySlice_AdjustIndices(nb::cast<Py_ssize_t>(shape[axis]), &start, &stop, step);
    if (step != 1 || stop <= start) return nb::none();
    starts.append(start);
    stops.append(stop);
    lengths.append(stop - start);
  }
  return nb::make_tuple(starts, stops, lengths);
}

// Spelled out, because nanobind's own text for a path is not generic.
#define MLARRAY_PATH "path: str | os.PathLike[str]"

void register_opening(nb::class_<Array>& type) {
  type.def_static("open", &open, "path"_a, "mode"_a = "r", "mapped"_a = true, "threads"_a = 0,
                  "verify"_a = nb::none(), "level"_a = CommitLevel::ordered,
                  nb::sig("def open(" MLARRAY_PATH ", mode: str = 'r', mapped: bool = True, "
                          "threads: int = 0, verify: bool | None = None, "
                          "level: CommitLevel = ...) -> Array"))
      .def_static("load", &load, "path"_a, "threads"_a = 0, "verify"_a = nb::none(),
                  nb::sig("def load(" MLARRAY_PATH ", threads: int = 0, "
                          "verify: bool | None = None) -> Array"),
                  "The whole file into memory, still compressed and detached from the path.")
      .def_static("create", &create, "path"_a, "shape"_a, "dtype"_a, "metadata"_a, "options"_a,
                  nb::sig("def create(" MLARRAY_PATH ", shape: collections.abc.Sequence[int], "
                          "dtype: str, metadata: Metadata, options: SaveOptions) -> Array"))
      .def_static("in_memory", &in_memory, "voxels"_a.none(), "shape"_a, "dtype"_a,
                  "metadata"_a, "options"_a)
      .def_static("save_voxels", &save_voxels, "path"_a, "voxels"_a, "dtype"_a, "metadata"_a,
                  "options"_a,
                  nb::sig("def save_voxels(" MLARRAY_PATH ", voxels: object, dtype: str, "
                          "metadata: Metadata, options: SaveOptions) -> None"))
      .def_static("save_metadata", &save_only_metadata, "path"_a, "metadata"_a, "options"_a,
                  nb::sig("def save_metadata(" MLARRAY_PATH ", metadata: Metadata, "
                          "options: SaveOptions) -> None"))
      .def("save", &save, "path"_a, "options"_a, "metadata"_a = nb::none(),
           nb::sig("def save(self, " MLARRAY_PATH ", options: SaveOptions, "
                   "metadata: Metadata | None = None) -> None"));
}

#undef MLARRAY_PATH

void register_properties(nb::class_<Array>& type) {
  type.def_prop_ro("shape", [](const Array& self) { return to_tuple(self.shape()); })
      .def_prop_ro("dtype", [](const Array& self) { return self.dtype().text(); })
      .def_prop_ro("itemsize", [](const Array& self) { return self.dtype().itemsize(); })
      .def_prop_ro("chunks", [](const Array& self) { return to_tuple(self.chunk_shape()); })
      .def_prop_ro("blocks", [](const Array& self) { return to_tuple(self.block_shape()); })
      .def_prop_ro("codec", &Array::codec)
      .def("patch", &patch_of, nb::call_guard<WithoutGil>(),
           "The patch that the layout was made for; None if it names none.")
      .def_prop_ro("path", [](const Array& self) { return Path(self.path()); })
      .def_prop_ro("sealed", [](const Array& self) { return self.seal() == Seal::valid; })
      .def_prop_ro("file_bytes", &Array::file_bytes)
      .def("commit_name", &Array::commit_name, nb::call_guard<WithoutGil>(),
           "The same for the same voxels and metadata; '' if nothing says it.")
      .def_prop_ro("writable", &Array::writable)
      .def_prop_ro("closed", &Array::closed)
      .def("compressed_bytes", &Array::compressed_bytes, nb::call_guard<WithoutGil>());
}

void register_voxels(nb::class_<Array>& type) {
  type.def("read_into", &read_into, "start"_a, "stop"_a, "out"_a, "threads"_a = 0,
           "Fills a writable buffer of the box's shape.")
      .def("read_padded", &read_padded, "start"_a, "stop"_a, "out"_a, "fill"_a, "threads"_a = 0,
           "The same for a box that may leave the array; `fill` is one voxel, or empty for 0.")
      .def("read_many", &read_many, "starts"_a, "stops"_a, "out"_a, "threads"_a = 0,
           "Fills a buffer whose first axis is the number of the box.")
      .def("write_from", &write_from, "start"_a, "stop"_a, "voxels"_a, "threads"_a = 0,
           "Replaces the voxels of the box.")
      .def("metadata", &Array::metadata, nb::call_guard<WithoutGil>())
      .def("set_metadata", &set_metadata, "metadata"_a)
      .def(
          "flush",
          [](Array& self, std::optional<CommitLevel> level) {
            level ? self.flush(*level) : self.flush();
          },
          "level"_a = nb::none(), nb::call_guard<WithoutGil>(),
          "Without a level: that of the writer.")
      .def("close", &Array::close, nb::call_guard<WithoutGil>())
      .def("newer", &Array::newer, nb::call_guard<WithoutGil>(),
           "The newest commit of the path; None if this array shows it.")
      .def(
          "set_commit_budget",
          [](Array& self, std::int64_t bytes, double seconds) {
            self.set_commit_budget({bytes, seconds});
          },
          "bytes"_a, "seconds"_a);
}

}  // namespace

void register_array(nb::module_& module) {
  nb::class_<Array> type(module, "Array", "One .mla file, or the same thing in memory.");
  register_opening(type);
  register_properties(type);
  register_voxels(type);

  module.def("plain_box", &plain_box, "key"_a.none(), "shape"_a,
             nb::sig("def plain_box(key: object, shape: tuple[int, ...]) "
                     "-> tuple[list[int], list[int], list[int]] | None"),
             "Start, stop and lengths of the box of a key that is one slice without a step for "
             "each axis, and has voxels; else None.");
  module.def("take_detached_notice", &take_detached_notice,
             "Paths whose older writer was detached since the last call.");
  module.def("close_all_writers", &close_all_writers, nb::call_guard<WithoutGil>(),
             "Commits and closes every open writer.");
  module.def("set_num_threads", &set_num_threads, "n"_a,
             "How many threads one call may use, process-wide.");
  module.def("num_threads", &num_threads);
}

}  // namespace mlarray::bindings
