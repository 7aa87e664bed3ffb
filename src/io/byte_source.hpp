// Where bytes come from. The one place where the layers above ask for bytes: whether a file is
// mapped or read by position, in memory or remote, they see by what costs much (is_remote(),
// has_views(), prefers_copies()) and not otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "mlarray/byte_source.hpp"
#include "mlarray/error.hpp"
#include "mlarray/options.hpp"

namespace mlarray::io {

struct Range {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// Bytes that stay valid for as long as `owner` lives.
struct Bytes {
  std::span<const std::byte> data;
  std::shared_ptr<const void> owner;
};

// What is read: mlarray::ByteRead has the same.
using Read = mlarray::ByteRead;

// Thread safe: any number of threads may call any const member at once.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  // Bytes available now; a file that another handle appends to may grow (see refresh).
  virtual std::uint64_t size() const = 0;
  // Fills every target from its offset on, in one call: one round of a source far away, which
  // wants them ascending and disjoint (io/coalesce.hpp).
  // Errors: corruption if a range is not inside size(); io; what a source of others throws.
  virtual void read_many(std::span<const Read> reads) const = 0;
  // One of them. Errors: as read_many().
  void read(Range range, std::span<std::byte> to) const;
  // The bytes of one range: where they lie, if the source has_views(), else a copy.
  // Errors: as read_many().
  virtual Bytes get(Range range) const;
  // Does get() cost nothing, since bytes are in memory or mapped?
  virtual bool has_views() const noexcept { return false; }
  // Does every call take long, whatever it asks for, so that few are wanted?
  virtual bool is_remote() const noexcept { return false; }
  // Copies the bytes of a range to `to`, which is as long, where that is quicker than to look
  // at them in place, as the first look at a map is. False, and `to` holds anything: it is not,
  // or they are not there; get() is the way then. Never fails.
  virtual bool copy(Range, std::span<std::byte> /*to*/) const noexcept { return false; }
  // Whether copy() is worth trying.
  virtual bool prefers_copies() const noexcept { return false; }
  // Errors: corruption if the range is not inside size().
  void check_inside(Range range) const;
  // Whether the bytes at all of these offsets are in memory, as far as the system tells; true
  // where hints do nothing.
  virtual bool are_cached(std::span<const std::uint64_t> offsets) const = 0;
  // Hints that these ranges are about to be asked for. Never fails.
  virtual void prefetch(std::span<const Range> ranges) const = 0;
  // Looks again how large the file is. Errors: io.
  virtual void refresh() = 0;
  // Around the use of bytes: see checked(). Pages of a map that the file no longer has, or that
  // its disk no longer delivers, read as zeros, and check() then throws, for good. It does not
  // see that a file was cut within a page, or overwritten.
  // Errors: corruption (naming both lengths where they differ).
  virtual void watch() const noexcept {}
  virtual void check() const {}
  // Bytes that nobody else can change: looking again shows the same.
  virtual bool is_fixed() const { return false; }
  // The path, or "<memory>": for messages.
  virtual const std::string& name() const = 0;

 protected:
  ByteSource() = default;
};

// For a file of which `had` bytes were open and `left` are there. Errors: corruption, always.
[[noreturn]] void throw_changed(const std::string& name, std::uint64_t had, std::uint64_t left);

// What body() returns, which uses bytes of `source`; what check() throws goes before it, and
// before an error of the body's, which may have come from wrong bytes.
template <typename Source, typename Body>
auto checked(const Source& source, Body body) {
  source.watch();
  const auto run = [&] {
    try {
      return body();
    } catch (const Error&) {
      source.check();
      throw;
    }
  };
  if constexpr (std::is_void_v<decltype(run())>) {
    run();
    source.check();
  } else {
    auto result = run();
    source.check();
    return result;
  }
}

// Memory for bytes that are read at once, not cleared.
std::shared_ptr<std::byte[]> allocate(std::size_t size);

// A read-only map. Views handed out stay valid when the source is refreshed or destroyed.
// Errors: not_found, io (also for a folder).
std::unique_ptr<ByteSource> open_mapped(const std::filesystem::path& path);
// Positional reads. Errors as open_mapped.
std::unique_ptr<ByteSource> open_buffered(const std::filesystem::path& path);
// One or the other; messages call it `name`.
std::unique_ptr<ByteSource> open_file(const std::filesystem::path& path, Access access,
                                      std::string name);
// The same for who writes nothing to the file and gives it no other name: a map goes without a
// descriptor where these run out.
std::unique_ptr<ByteSource> open_file_to_read(const std::filesystem::path& path, Access access,
                                              std::string name);
// Bytes in memory.
std::unique_ptr<ByteSource> from_memory(std::vector<std::byte> bytes, std::string name);
std::unique_ptr<ByteSource> from_memory(Bytes bytes, std::string name);
// Remote, and fixed. Errors: whatever it throws; corruption for a size that cannot be.
std::unique_ptr<ByteSource> from_source(std::shared_ptr<const mlarray::ByteSource> source);

}  // namespace mlarray::io
