// The types of elements: in NumPy's notation, and as types of C++. Plain values.
#pragma once

#include <complex>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "mlarray/export.hpp"

namespace mlarray {

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

}  // namespace mlarray
