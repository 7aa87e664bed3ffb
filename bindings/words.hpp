// Options that are words in Python and values in C++.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "mlarray/error.hpp"

namespace mlarray::bindings {

template <class T>
struct Word {
  const char* text;
  T value;
};

// Errors: invalid_type for what is no text, invalid_value for another word. Both have all
// words.
template <class T, std::size_t n>
T from_word(nanobind::handle given, const char* argument, const Word<T> (&words)[n]) {
  const bool is_text = PyUnicode_Check(given.ptr()) != 0;
  std::string known;
  for (const Word<T>& word : words) {
    if (is_text && nanobind::cast<nanobind::str>(given).equal(nanobind::str(word.text))) {
      return word.value;
    }
    known += (known.empty() ? "'" : ", '") + std::string(word.text) + "'";
  }
  const std::string shown = nanobind::repr(given).c_str();
  throw Error(is_text ? ErrorKind::invalid_value : ErrorKind::invalid_type,
              std::string(argument) + "=" + shown + " is not one of " + known);
}

// A name that may come from a file: bytes that are no UTF-8 are as Python's os.fsdecode().
inline nanobind::object text_to_python(std::string_view text) {
  return nanobind::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()),
                                              "surrogateescape"));
}

}  // namespace mlarray::bindings
