// A file that is cut short while it is mapped: the system raises SIGBUS in whoever touches a
// page past its new end, and for a page that the disk does not deliver. The library's handler
// puts zeros in the place of the page and marks the map, so that the thread goes on and the
// operation ends with an error (ByteSource::check). Faults elsewhere are passed on to the
// handler that was there before.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>

namespace mlarray::io::system {

// Registers a read-only map for as long as this lives. `fault` is set, never cleared, where
// bytes of the map were replaced by zeros; it must live longer. Lock-free, so that a fork in
// another thread leaves nothing locked.
class MapGuard {
 public:
  MapGuard(std::span<const std::byte> map, std::atomic<bool>& fault);
  MapGuard(const MapGuard&) = delete;
  MapGuard& operator=(const MapGuard&) = delete;
  ~MapGuard();

 private:
  void* slot_ = nullptr;
};

// Makes the library's handler of SIGBUS the first one: installs it, also where another one was
// installed over it meanwhile. One system call where there is nothing to do.
void keep_fault_handler() noexcept;

}  // namespace mlarray::io::system
