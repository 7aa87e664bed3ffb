// Batches as NumPy arrays: those of voxels are the batch's own memory, which lives as long as
// one of them does.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "mlarray/error.hpp"
#include "mlarray/training/loader.hpp"

namespace nb = nanobind;

namespace mlarray::bindings {
namespace {

using training::Batch;
using training::Draw;
using NumpyArray = nb::ndarray<nb::numpy>;

constexpr std::int64_t kNone = -1;  // no class was drawn, nor a centre

// Errors: unsupported for what NumPy's arrays of numbers cannot show.
nb::dlpack::dtype dlpack_type(const DType& dtype, const std::string& name) {
  constexpr bool kBig = std::endian::native == std::endian::big;
  if (dtype.itemsize() > 1 && dtype.big_endian() != kBig && !dtype.structured()) {
    throw Error(ErrorKind::unsupported, "'" + name + "' has elements of type '" + dtype.text() +
                                            "', in the byte order of other machines; save it "
                                            "in that of this one");
  }
  const auto bits = static_cast<std::uint8_t>(8 * dtype.itemsize());
  const auto of = [bits](nb::dlpack::dtype_code code) {
    return nb::dlpack::dtype{static_cast<std::uint8_t>(code), bits, 1};
  };
  switch (dtype.kind()) {
    case 'b':
      return of(nb::dlpack::dtype_code::Bool);
    case 'i':
      return of(nb::dlpack::dtype_code::Int);
    case 'u':
      return of(nb::dlpack::dtype_code::UInt);
    case 'f':
      return of(nb::dlpack::dtype_code::Float);
    case 'c':
      return of(nb::dlpack::dtype_code::Complex);
    default:
      throw Error(ErrorKind::unsupported, "'" + name + "' has elements of type '" +
                                              dtype.text() + "', which are no numbers");
  }
}

std::vector<std::size_t> sizes(const Shape& shape) { return {shape.begin(), shape.end()}; }

nb::object voxels(const Batch::Field& field, nb::handle owner) {
  const auto shape = sizes(field.shape);
  return nb::cast(NumpyArray(field.bytes.data(), shape.size(), shape.data(), owner, nullptr,
                             dlpack_type(field.dtype, field.name)));
}

// An array of its own, filled by `value(sample, element)`.
template <class T, class Value>
nb::object filled(std::size_t samples, const Shape& rest, const Value& value) {
  const auto each = static_cast<std::size_t>(element_count(rest));
  auto numbers = std::make_unique<std::vector<T>>(samples * each);
  for (std::size_t i = 0; i < samples; ++i) {
    for (std::size_t j = 0; j < each; ++j) (*numbers)[i * each + j] = value(i, j);
  }
  std::vector<std::size_t> shape = {samples};
  shape.insert(shape.end(), rest.begin(), rest.end());
  T* data = numbers->data();
  const nb::capsule owner(
      numbers.get(), [](void* held) noexcept { delete static_cast<std::vector<T>*>(held); });
  numbers.release();
  return nb::cast(NumpyArray(data, shape.size(), shape.data(), owner, nullptr, nb::dtype<T>()));
}

nb::object affines(const Batch& batch) {
  const std::size_t samples = batch.draws().size();
  std::vector<Matrix> matrices;
  matrices.reserve(samples);
  for (std::size_t i = 0; i < samples; ++i) matrices.push_back(batch.affine(i));
  const auto side = static_cast<std::int64_t>(matrices.empty() ? 0 : matrices[0].size());
  return filled<double>(samples, {side, side}, [&](std::size_t i, std::size_t j) {
    const auto n = static_cast<std::size_t>(side);
    return matrices[i][j / n][j % n];
  });
}

nb::typed<nb::dict, nb::str, nb::any> arrays(const Batch& batch) {
  nb::dict out;
  auto keep = std::make_unique<Batch>(batch);
  const nb::capsule owner(keep.get(),
                          [](void* held) noexcept { delete static_cast<Batch*>(held); });
  keep.release();
  for (const Batch::Field& field : batch.fields()) {
    out[field.name.c_str()] = voxels(field, owner);
  }
  const auto draws = batch.draws();
  const std::size_t count = draws.size();
  const auto axes = static_cast<std::int64_t>(count == 0 ? 0 : draws[0].box.start.size());
  const auto n = static_cast<std::size_t>(axes);
  using I = std::int64_t;
  out["case"] =
      filled<I>(count, {}, [&](std::size_t i, std::size_t) { return draws[i].case_index; });
  out["box"] = filled<I>(count, {2, axes}, [&](std::size_t i, std::size_t j) {
    return j < n ? draws[i].box.start[j] : draws[i].box.stop[j - n];
  });
  out["class"] = filled<I>(
      count, {}, [&](std::size_t i, std::size_t) { return draws[i].label.value_or(kNone); });
  out["center"] = filled<I>(count, {axes}, [&](std::size_t i, std::size_t j) {
    return draws[i].label && !draws[i].center.empty() ? draws[i].center[j] : kNone;
  });
  out["index"] =
      filled<I>(count, {}, [&](std::size_t i, std::size_t) { return draws[i].index; });
  out["seed"] = filled<std::uint64_t>(
      count, {}, [&](std::size_t i, std::size_t) { return draws[i].seed; });
  out["affine"] = affines(batch);
  return nb::borrow<nb::typed<nb::dict, nb::str, nb::any>>(out);
}

}  // namespace

void register_batch(nb::module_& module) {
  nb::class_<Batch>(module, "Batch", "Some samples, read and decoded.")
      .def("arrays", &arrays, "Its fields and what is known of its samples, as NumPy arrays.")
      .def_prop_ro("epoch", &Batch::epoch)
      .def_prop_ro("index", &Batch::index);
}

}  // namespace mlarray::bindings
