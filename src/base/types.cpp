#include "mlarray/types.hpp"

#include <algorithm>
#include <limits>

#include "mlarray/error.hpp"

namespace mlarray {

Box Box::at(const Shape& start, const Shape& size) {
  if (start.size() != size.size()) {
    throw Error(ErrorKind::invalid_value, "a box of " + to_string(size) + " at " +
                                              to_string(start) +
                                              ": give one length for each axis");
  }
  Box box{start, start};
  for (std::size_t axis = 0; axis < size.size(); ++axis) {
    constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
    if (size[axis] > 0 && start[axis] > kLargest - size[axis]) {
      throw Error(ErrorKind::out_of_bounds, "a box of " + to_string(size) + " at " +
                                                to_string(start) + " ends beyond 2^63 - 1");
    }
    box.stop[axis] += std::max<std::int64_t>(size[axis], 0);
  }
  return box;
}

Shape Box::shape() const {
  Shape lengths(std::min(start.size(), stop.size()));
  for (std::size_t axis = 0; axis < lengths.size(); ++axis) {
    if (stop[axis] <= start[axis]) continue;
    // Unsigned: the distance between two 64-bit positions can exceed 2^63 - 1.
    const auto distance =
        static_cast<std::uint64_t>(stop[axis]) - static_cast<std::uint64_t>(start[axis]);
    constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
    lengths[axis] =
        distance > std::uint64_t{kLargest} ? kLargest : static_cast<std::int64_t>(distance);
  }
  return lengths;
}

bool Box::empty() const {
  for (std::size_t axis = 0; axis < std::min(start.size(), stop.size()); ++axis) {
    if (stop[axis] <= start[axis]) return true;
  }
  return false;
}

std::int64_t element_count(const Shape& shape) {
  bool has_zero = false;
  for (const std::int64_t length : shape) {
    if (length < 0) {
      throw Error(ErrorKind::invalid_value,
                  "shape " + to_string(shape) + " has a negative length: lengths must be >= 0");
    }
    has_zero = has_zero || length == 0;
  }
  if (has_zero) return 0;
  std::int64_t count = 1;
  for (const std::int64_t length : shape) {
    if (count > std::numeric_limits<std::int64_t>::max() / length) {
      throw Error(
          ErrorKind::unsupported,
          "shape " + to_string(shape) +
              " has more than 2^63 - 1 elements, the most that an array can have; split it");
    }
    count *= length;
  }
  return count;
}

std::string to_string(const Shape& shape) {
  std::string out = "(";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis > 0) out += ", ";
    out += std::to_string(shape[axis]);
  }
  return out + (shape.size() == 1 ? ",)" : ")");
}

std::vector<std::int64_t> c_strides(const Shape& shape, std::int64_t itemsize) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t step = itemsize;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= std::max<std::int64_t>(shape[i], 1);
  }
  return strides;
}

ConstArrayView view_of(const std::byte* data, std::size_t count, const Shape& shape,
                       std::int64_t itemsize) {
  const std::int64_t wanted = element_count(shape);
  if (static_cast<std::uint64_t>(wanted) != count) {
    throw Error(ErrorKind::invalid_value, "a buffer of " + std::to_string(count) +
                                              " elements for the shape " + to_string(shape) +
                                              ", which has " + std::to_string(wanted));
  }
  return {data, shape, c_strides(shape, itemsize), itemsize};
}

ArrayView view_of(std::byte* data, std::size_t count, const Shape& shape,
                  std::int64_t itemsize) {
  ConstArrayView view = view_of(static_cast<const std::byte*>(data), count, shape, itemsize);
  return {data, std::move(view.shape), std::move(view.strides), itemsize};
}

}  // namespace mlarray
