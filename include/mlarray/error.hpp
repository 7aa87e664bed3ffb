// The one exception type of the library.
//
// Every message names the path, the offending value, the limit and the way out.
// Error is copyable and safe to carry from one thread to another.
#pragma once

#include <stdexcept>
#include <string>

#include "mlarray/export.hpp"

namespace mlarray {

enum class ErrorKind {
  invalid_value,  // an argument of the right type has a wrong value
  invalid_type,   // an argument or a metadata field has a wrong type
  invalid_use,    // a call that this object, mode or combination of arguments does not allow
  closed,         // the array was closed
  read_only,      // voxels or metadata of an array that was opened for reading were set
  layout,         // patch, chunk and block sizes do not fit each other or the array
  out_of_bounds,  // an index outside the array
  not_found,      // no such file
  busy,           // another writer holds the file
  io,             // the operating system refused a read or a write
  corruption,     // the bytes of the file contradict the format
  unsupported,    // valid elsewhere, but refused here (plug-in codecs, objects, sizes)
};

class MLARRAY_EXPORT Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message)
      : std::runtime_error(message), kind_(kind) {}

  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace mlarray
