// The one exception type of the library; std::bad_alloc, and what functions of yours throw
// (ByteSource, CaseSource, progress, warn), pass as they are.
//
// Every message names the path, the offending value, the limit and the way out.
// Error is copyable and safe to carry from one thread to another.
#pragma once

#include <memory>
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

// Its name, as above: "not_found". For logs.
MLARRAY_EXPORT std::string to_string(ErrorKind kind);

class MLARRAY_EXPORT Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message)
      : std::runtime_error(message), kind_(kind) {}
  // About a file, which the message names. `system_error`: the errno of the call that failed.
  Error(ErrorKind kind, const std::string& message, const std::string& path,
        int system_error = 0)
      : std::runtime_error(message),
        kind_(kind),
        system_error_(system_error),
        path_(path.empty() ? nullptr : std::make_shared<const std::string>(path)) {}

  ErrorKind kind() const noexcept { return kind_; }
  // The errno behind an error of the kinds not_found, busy and io; 0 if there is none.
  int system_error() const noexcept { return system_error_; }
  // The file or folder that the error is about, as the message shows it; empty if there is
  // none.
  const std::string& path() const noexcept {
    static const std::string none;
    return path_ ? *path_ : none;
  }

 private:
  ErrorKind kind_;
  int system_error_ = 0;
  std::shared_ptr<const std::string> path_;  // shared: copying an exception must not throw
};

}  // namespace mlarray
