// mlarray::Error becomes the classes of mlarray.errors, here and nowhere else.
#include <cerrno>
#include <exception>
#include <string_view>

#include "bindings.hpp"
#include "mlarray/error.hpp"

namespace nb = nanobind;

namespace mlarray::bindings {
namespace {

const char* class_name(const Error& error) {
  switch (error.kind()) {
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
      return error.system_error() == EACCES || error.system_error() == EPERM
                 ? "AccessDeniedError"
                 : "FileAccessError";
    case ErrorKind::corruption:
      return "CorruptionError";
    case ErrorKind::unsupported:
      return "UnsupportedError";
  }
  return "MLArrayError";
}

// A path in a message may hold bytes that are not UTF-8.
nb::object to_text(std::string_view text) {
  return nb::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()),
                                        "surrogateescape"));
}

void translate(const std::exception_ptr& thrown, void*) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    // Imported on the first error only: an open that succeeds imports nothing.
    const nb::object type = nb::module_::import_("mlarray.errors").attr(class_name(error));
    nb::dict facts;
    if (!error.path().empty()) facts["path"] = to_text(error.path());
    if (error.system_error() != 0) facts["errno"] = error.system_error();
    const nb::object raised = type(to_text(error.what()), **facts);
    PyErr_SetObject(type.ptr(), raised.ptr());
  }
}

}  // namespace

void register_errors(nb::module_&) { nb::register_exception_translator(translate); }

}  // namespace mlarray::bindings
