// New files in the place of old ones: what can fail is done before the rename, so that after it
// the array that goes on with the file has it, or nothing has happened.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "io/byte_source.hpp"
#include "io/file.hpp"
#include "session/impl.hpp"
#include "session/snapshot.hpp"

namespace mlarray::session {

// `name` is the path as messages show it.
std::shared_ptr<io::ByteSource> open_source(const std::filesystem::path& path, Access access,
                                            const std::string& name);

// Puts `out`, which is finished, in place and lets `writer` go on with it, in place of the file
// that it writes, if any. Preconditions: the name locked; writer.edit_mutex held.
// Errors: io, busy: nothing has happened, unless the message says that it was replaced.
void publish_and_adopt(io::AtomicFile& out, CommitLevel level, Array::Impl& writer);

// The same for who has no more to write. Detaches a writer of this process on `path`. Locks
// the name. Errors: as above.
void publish_and_close(io::AtomicFile& out, CommitLevel level,
                       const std::filesystem::path& path);

// Writes the chunks of `state` to a new file without dead extents, and lets `writer`, whose
// file `old` has them, go on with that. Preconditions and errors: as publish_and_adopt().
void compact_file(Array::Impl& writer, const Snapshot& state, const WriteSession& old,
                  CommitLevel level);

}  // namespace mlarray::session
