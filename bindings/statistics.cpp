// Array::statistics as two functions. python/mlarray/_store/statistics.py makes them a method.
#include "mlarray/statistics.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bindings.hpp"
#include "gil.hpp"
#include "mlarray/array.hpp"
#include "ndarray.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

// A mask as Python gives it: None, an Array, or a buffer with the text of its dtype.
class MaskArgument {
 public:
  MaskArgument(nb::handle mask, const std::string& dtype, std::vector<std::int64_t> values) {
    mask_.values = std::move(values);
    if (mask.is_none()) {
      return;
    }
    if (nb::isinstance<Array>(mask)) {
      array_ = nb::cast<Array>(mask);
      mask_.array = &*array_;
      return;
    }
    mask_.dtype = DType::parse(dtype);
    pinned_.emplace(mask, PinnedBuffer::Use::read, mask_.dtype.itemsize());
    view_ = pinned_->const_view();
    mask_.voxels = &view_;
  }
  const Mask& mask() const { return mask_; }

 private:
  std::optional<PinnedBuffer> pinned_;
  std::optional<Array> array_;
  ConstArrayView view_;
  Mask mask_;
};

Metadata as_metadata(const Statistics& statistics) {
  Metadata metadata;
  statistics.put_into(metadata);
  return metadata;
}

Metadata of_array(const Array& array, double lower, double upper, nb::handle mask,
                  const std::string& mask_dtype, std::vector<std::int64_t> mask_values,
                  int threads) {
  const MaskArgument argument(mask, mask_dtype, std::move(mask_values));
  const WithoutGil nogil;
  return as_metadata(array.statistics({lower, upper, argument.mask(), threads}));
}

Metadata of_voxels(nb::handle voxels, const std::string& dtype, double lower, double upper,
                   nb::handle mask, const std::string& mask_dtype,
                   std::vector<std::int64_t> mask_values, int threads) {
  const MaskArgument argument(mask, mask_dtype, std::move(mask_values));
  const DType parsed = DType::parse(dtype);
  const PinnedBuffer pinned(voxels, PinnedBuffer::Use::read, parsed.itemsize());
  const WithoutGil nogil;
  return as_metadata(
      Array::statistics(pinned.const_view(), parsed, {lower, upper, argument.mask(), threads}));
}

}  // namespace

void register_statistics(nb::module_& module) {
  module.def("statistics_of_array", &of_array, "array"_a, "lower"_a, "upper"_a,
             "mask"_a.none() = nb::none(), "mask_dtype"_a = "", "mask_values"_a = nb::list(),
             "threads"_a = 0, "The section 'stats' of what this returns is filled.");
  module.def("statistics_of_voxels", &of_voxels, "voxels"_a, "dtype"_a, "lower"_a, "upper"_a,
             "mask"_a.none() = nb::none(), "mask_dtype"_a = "", "mask_values"_a = nb::list(),
             "threads"_a = 0, "The same of a buffer.");
}

}  // namespace mlarray::bindings
