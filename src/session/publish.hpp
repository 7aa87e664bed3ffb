// New files in the place of old ones: what can fail is done before the rename, so that after it
// the array that goes on with the file has it, or nothing has happened.
#pragma once

#include <filesystem>
#include <optional>

#include "io/file.hpp"
#include "session/impl.hpp"
#include "session/snapshot.hpp"

namespace mlarray::session {

// Puts `out`, which is finished, in place and lets `writer` go on with it, in place of the file
// that it writes, if any. `own_writer_open`: an array of this process writes what stands there.
// Preconditions: the name locked; writer.edit_mutex held, and that of the array that writes.
// `voxel_edits`: of the new snapshot. Returns why a power cut may undo it, if so. Errors: io,
// busy: nothing has happened.
[[nodiscard]] std::optional<Error> publish_and_adopt(io::AtomicFile& out, bool own_writer_open,
                                                     Array::Impl& writer,
                                                     std::uint64_t voxel_edits = 0);

// Whether `writer`, which writes the file at `path`, has it under another name: then it goes on
// there when `path` gets a new file.
bool keeps_name(const Array::Impl& writer, const std::filesystem::path& path);

// The same for who has no more to write. Detaches a writer of this process on `path`. Locks
// the name. Errors: as above.
void publish_and_close(io::AtomicFile& out, const std::filesystem::path& path);

// Writes the chunks of `state` to a new file without dead extents, and lets `writer`, whose
// file `old` has them, go on with that. Preconditions and errors: as publish_and_adopt().
[[nodiscard]] std::optional<Error> compact_file(Array::Impl& writer, const Snapshot& state,
                                                const WriteSession& old, CommitLevel level);

}  // namespace mlarray::session
