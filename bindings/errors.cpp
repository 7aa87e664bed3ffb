// mlarray::Error becomes the classes of mlarray.errors, here and nowhere else.
#include <exception>

#include "bindings.hpp"
#include "mlarray/error.hpp"

namespace nb = nanobind;

namespace mlarray::bindings {
namespace {

const char* class_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_value:
      return "InvalidValueError";
    case ErrorKind::invalid_type:
      return "InvalidTypeError";
    case ErrorKind::invalid_use:
      return "InvalidUseError";
    case ErrorKind::closed:
      return "ClosedError";
    case ErrorKind::read_only:
      return "ReadOnlyError";
    case ErrorKind::layout:
      return "LayoutError";
    case ErrorKind::out_of_bounds:
      return "OutOfBoundsError";
    case ErrorKind::not_found:
      return "NotFoundError";
    case ErrorKind::busy:
      return "BusyError";
    case ErrorKind::io:
      return "FileAccessError";
    case ErrorKind::corruption:
      return "CorruptionError";
    case ErrorKind::unsupported:
      return "UnsupportedError";
  }
  return "MLArrayError";
}

void translate(const std::exception_ptr& thrown, void*) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    // Imported on the first error only: an open that succeeds imports nothing.
    const nb::object type =
        nb::module_::import_("mlarray.errors").attr(class_name(error.kind()));
    // A path in a message may hold bytes that are not UTF-8.
    const nb::object text = nb::steal(PyUnicode_DecodeUTF8(
        error.what(), static_cast<Py_ssize_t>(std::char_traits<char>::length(error.what())),
        "surrogateescape"));
    PyErr_SetObject(type.ptr(), text.ptr());
  }
}

}  // namespace

void register_errors(nb::module_&) { nb::register_exception_translator(translate); }

}  // namespace mlarray::bindings
