// Shapes, boxes and element types: plain values, freely copyable.
#pragma once

#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
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

// Bytes from one element to the next along each axis, for elements of `itemsize` bytes in C
// order without gaps. Errors: none; an empty axis counts as one element.
MLARRAY_EXPORT std::vector<std::int64_t> c_strides(const Shape& shape, std::int64_t itemsize);

// The types of C++ that voxels are read into and written from: bool, the integers of 1 to 8
// bytes (std::int8_t and std::uint8_t among them, char and other letters not), float, double
// and std::complex of these two.
template <class T>
concept Element =
    std::same_as<T, bool> || std::same_as<T, float> || std::same_as<T, double> ||
    std::same_as<T, std::complex<float>> || std::same_as<T, std::complex<double>> ||
    (std::integral<T> && sizeof(T) <= 8 && std::same_as<T, std::remove_cv_t<T>> &&
     !std::same_as<T, char> && !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
     !std::same_as<T, char16_t> && !std::same_as<T, char32_t>);

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

  // The type of a T in the memory of this machine: of<std::int16_t>() is "<i2" on most.
  template <Element T>
  static DType of() {
    return native(std::same_as<T, bool>       ? 'b'
                  : std::floating_point<T>    ? 'f'
                  : std::signed_integral<T>   ? 'i'
                  : std::unsigned_integral<T> ? 'u'
                                              : 'c',
                  sizeof(T));
  }
  // Whether elements are Ts as they lie in memory, however the type is spelled.
  template <Element T>
  bool is() const {
    return same_elements(of<T>());
  }
  // The same kind, size and byte order, however they are spelled; false for structured types
  // and for dates, whose unit is in the text.
  bool same_elements(const DType& other) const noexcept;

  const std::string& text() const& noexcept { return text_; }  // as given
  std::string text() && noexcept { return std::move(text_); }
  char kind() const noexcept { return kind_; }  // NumPy's kind letter; 'V' if structured
  std::int64_t itemsize() const noexcept { return itemsize_; }  // bytes per element
  bool big_endian() const noexcept { return big_endian_; }      // false if structured
  bool structured() const noexcept { return structured_; }

  friend bool operator==(const DType&, const DType&) = default;

 private:
  static DType native(char kind, std::int64_t itemsize);

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

// `count` elements in C order without gaps, as a view of this shape.
// Errors: invalid_value where the shape has another number of elements.
MLARRAY_EXPORT ArrayView view_of(std::byte* data, std::size_t count, const Shape& shape,
                                 std::int64_t itemsize);
MLARRAY_EXPORT ConstArrayView view_of(const std::byte* data, std::size_t count,
                                      const Shape& shape, std::int64_t itemsize);
// The same of a span of numbers: view_of(std::span(voxels), {48, 64, 80}).
template <Element T>
ArrayView view_of(std::span<T> voxels, const Shape& shape) {
  return view_of(std::as_writable_bytes(voxels).data(), voxels.size(), shape, sizeof(T));
}
template <Element T>
ConstArrayView view_of(std::span<const T> voxels, const Shape& shape) {
  return view_of(std::as_bytes(voxels).data(), voxels.size(), shape, sizeof(T));
}

}  // namespace mlarray
