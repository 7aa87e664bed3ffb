// ByteSource: the bytes of an array that are no file of this machine, as an object behind http
// or s3, a member of an archive, a buffer. Derive a class, and open an array on it:
//
//   class HttpSource final : public mlarray::ByteSource { ... };
//   const auto image = mlarray::Array::open(std::make_shared<HttpSource>(url));
//
// The library asks for as much as it can in one call, so that a source far away answers in one
// round: a call that opens an array, and one more where index and metadata have over 64 KiB;
// for a box of voxels one for the heads of all its chunks, unless a record says where the
// blocks are, and one for all its blocks, as far as their chunks have 512 MiB. A source that
// sends the reads of a call in parallel waits once for each call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "mlarray/export.hpp"

namespace mlarray {

// A range of the source, as long as its target.
struct ByteRead {
  std::uint64_t offset = 0;
  std::span<std::byte> to;
};

// Thread safe: any number of threads may call any member at once. The bytes do not change, or
// what is read of them is an error (corruption), as far as checksums are recorded and verified.
class MLARRAY_EXPORT ByteSource {
 public:
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  // All bytes there are. Called once, when the array is opened. Where asking costs a round
  // trip, fetch it before, together with what else you ask.
  virtual std::uint64_t size() const = 0;

  // Fills every target, in any order, and returns when all are full. The reads lie within
  // size(), do not overlap, ascend by offset, and may be long: cut them where that is quicker.
  // Whatever it throws reaches the caller of the array, which then is as it was, and may be
  // read again: an Error (mlarray/error.hpp) that names the source where bytes cannot be had,
  // also if fewer come than were asked for. The library does not try again; the source may.
  virtual void read_many(std::span<const ByteRead> reads) const = 0;

  // For messages and for Array::path(): a path, a URL without secrets.
  virtual std::string name() const = 0;

 protected:
  ByteSource() = default;
};

}  // namespace mlarray
