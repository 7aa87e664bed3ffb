// What is stored in a file, below the public interface.
#pragma once

#include <memory>

#include "frame/frame.hpp"
#include "io/byte_source.hpp"
#include "session/snapshot.hpp"

namespace mlarray::test {

inline session::Snapshot state_of(const std::shared_ptr<io::ByteSource>& source) {
  return session::snapshot_of(frame::read_state(*source), source);
}

}  // namespace mlarray::test
