// Shapes, boxes and element types: plain values, freely copyable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlarray/export.hpp"

namespace mlarray {

// One length per axis, slowest-varying axis first (C order). Empty for a 0-d array.
using Shape = std::vector<std::int64_t>;

// At most this many axes (the limit of the Blosc2 b2nd metalayer since version 3).
inline constexpr int kMaxDims = 16;

// A half-open box of voxels: start[i] <= index < stop[i] on every axis.
struct MLARRAY_EXPORT Box {
  Shape start;
  Shape stop;

  // Errors: none. A negative extent counts as empty.
  Shape shape() const;
  bool empty() const;
};

// Number of elements of a shape (1 for a 0-d array).
// Errors: invalid_value for a negative length, unsupported past 2^63 - 1.
MLARRAY_EXPORT std::int64_t element_count(const Shape& shape);

// "(3, 4, 5)", "(3,)", "()": as Python prints a tuple.
MLARRAY_EXPORT std::string to_string(const Shape& shape);

// The element type in NumPy's notation: a type string ("<i2", "|b1", "<M8[ns]", ">f8") or,
// for a structured type, the text of its field list ("[('a', '<i4'), ('b', '<f8', (3,))]").
class MLARRAY_EXPORT DType {
 public:
  DType() = default;

  // Parses NumPy's notation, including the long names that some writers store ("int16",
  // "bool") and the {'names': ..., 'offsets': ...} form of structured types.
  // Errors: invalid_value for text that is no dtype; unsupported for object ('O') fields, and
  // for elements of 0 bytes or of more than 2^31 - 1.
  static DType parse(std::string_view text);

  const std::string& text() const& noexcept { return text_; }  // as given
  std::string text() && noexcept { return std::move(text_); }
  char kind() const noexcept { return kind_; }  // NumPy's kind letter; 'V' if structured
  std::int64_t itemsize() const noexcept { return itemsize_; }  // bytes per element
  bool big_endian() const noexcept { return big_endian_; }      // false if structured
  bool structured() const noexcept { return structured_; }

  friend bool operator==(const DType&, const DType&) = default;

 private:
  std::string text_;
  char kind_ = 'V';
  std::int64_t itemsize_ = 0;
  bool big_endian_ = false;
  bool structured_ = false;
};

// Voxels of a caller: `data` points at element (0, ..., 0), strides in bytes, which may be
// negative, one for each axis.
struct ConstArrayView {
  const std::byte* data = nullptr;
  Shape shape;
  std::vector<std::int64_t> strides;
};
struct ArrayView {
  std::byte* data = nullptr;
  Shape shape;
  std::vector<std::int64_t> strides;
};

}  // namespace mlarray
