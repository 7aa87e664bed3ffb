// Named bytes of layers above, kept in an array's file for the voxels that it shows: records.
// What is in the file, and when a record is ignored: store/records.hpp.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "mlarray/array.hpp"
#include "session/snapshot.hpp"

namespace mlarray::session {

// What a record may have at most.
inline constexpr std::size_t kMostRecordBytes = std::size_t{64} << 20;

// The record of what the array shows. Nothing: there is none, it is not of these voxels, or it
// is damaged, since nobody needs one. Errors: closed; io; corruption of the file meanwhile.
std::optional<std::vector<std::byte>> read_record(const Array& array, std::string_view name);
std::optional<std::vector<std::byte>> read_record(const Snapshot& state, std::string_view name);

// Puts one there that was made of the voxels of `state`, in place of one of this name, and
// commits that with all that is pending. It stays until voxels are edited. Errors: read_only
// and invalid_use for an array that does not write a file; invalid_use if it was edited since
// it showed `state`; unsupported for a file without checksums, and for too many bytes; as
// Array::flush.
void write_record(const Array& array, const Snapshot& state, std::string_view name,
                  std::span<const std::byte> bytes, CommitLevel level);

}  // namespace mlarray::session
