// The container: header, chunk index, trailer. Knows nothing of axes or voxels.
//
//   +--------+----------------------+-------------+---------+
//   | header | chunks, dead extents | index chunk | trailer |
//   +--------+----------------------+-------------+---------+
//   0     header_len        header_len + cbytes         frame_len
//
// Byte level: docs/format.md. Bytes past frame_len belong to nobody: readers ignore them, and
// a writer puts the next state there before it flips the header's two lengths.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/byte_source.hpp"
#include "mlarray/options.hpp"
#include "mlarray/verify.hpp"

namespace mlarray::frame {

// Offsets in the header that a commit changes (docs/format.md, "Header").
inline constexpr std::size_t kFlipBegin = 16;  // frame_len
inline constexpr std::size_t kFlipEnd = 69;    // one past has_vlmeta

struct Metalayer {
  std::string name;  // at most 31 bytes
  std::vector<std::byte> content;
};

struct Header {
  std::uint64_t header_len = 0;  // set by build_header
  std::uint64_t frame_len = 0;
  std::int64_t nbytes = 0;  // chunks * chunksize
  std::int64_t cbytes = 0;  // from the header's end to the index
  std::int32_t typesize = 0;
  std::int32_t blocksize = 0;  // uncompressed bytes
  std::int32_t chunksize = 0;  // uncompressed bytes
  int compressor = 0;          // c-blosc2's number: LZ4HC is 2
  int level = 0;
  std::uint8_t split_mode = 0;  // as stored: c-blosc2's splitmode - 1
  std::array<std::uint8_t, 6> filters{};
  std::array<std::uint8_t, 6> filters_meta{};
  bool has_vlmeta = false;
  std::vector<Metalayer> metalayers;

  std::int64_t chunk_count() const;
  const Metalayer* find(std::string_view name) const;
};

// One variable-length metalayer; `chunk` is the Blosc2 chunk that holds its value.
struct VlMetalayer {
  std::string name;  // at most 31 bytes
  io::Bytes chunk;
};

// Where a chunk is. On disk an entry is 8 bytes: an offset from header_len, or, with the top
// bit set, a special value in the top byte (0x81 zeros, 0x82 NaN, 0x84 uninitialised).
class IndexEntry {
 public:
  IndexEntry() = default;
  static IndexEntry at(std::uint64_t offset) { return IndexEntry(offset); }
  static IndexEntry of_special(unsigned special) {
    return IndexEntry((std::uint64_t{0x80} | special) << 56);
  }
  static IndexEntry from_raw(std::uint64_t raw) { return IndexEntry(raw); }

  bool is_special() const { return (raw_ >> 63) != 0; }
  unsigned special() const { return static_cast<unsigned>(raw_ >> 56) & 0x7f; }
  std::uint64_t offset() const { return raw_; }
  std::uint64_t raw() const { return raw_; }

 private:
  explicit IndexEntry(std::uint64_t raw) : raw_(raw) {}
  std::uint64_t raw_ = std::uint64_t{0x81} << 56;
};

// The end of a state's trailer, with its seal. Commits append and leave it where it is, so that
// a state is in the file for as long as this is.
struct Anchor {
  std::uint64_t offset = 0;
  std::array<std::byte, 23> bytes{};

  bool is_sealed() const;  // if so, another state has another one
  std::string name() const;
  friend bool operator==(const Anchor&, const Anchor&) = default;
};

// Errors: corruption if the file was cut short or overwritten since; io.
void check_anchor(io::ByteSource& source, const Anchor& anchor);

// One committed state of a file.
struct State {
  Header header;
  std::vector<std::byte> header_bytes;
  std::vector<IndexEntry> index;
  io::Bytes index_chunk;  // as it is stored; empty without chunks
  std::vector<VlMetalayer> vlmeta;
  Anchor anchor;
  Seal seal = Seal::absent;  // never Seal::edited, which only the array can tell
  // What was read before the trailer besides, of a source where every call takes long: what a
  // writer put there last is often wanted next.
  std::uint64_t also_read_at = 0;
  io::Bytes also_read;

  const VlMetalayer* find(std::string_view name) const;
};

// What a writer needs of a state to write the next.
struct Committed {
  Header header;
  std::vector<std::byte> header_bytes;
  std::vector<std::byte> index_chunk;

  explicit Committed(const State& state)
      : header(state.header),
        header_bytes(state.header_bytes),
        index_chunk(state.index_chunk.data.begin(), state.index_chunk.data.end()) {}
};

enum class SealCheck { on, off };

// Reads and checks a committed state. A seal that does not match is looked at again a few
// times, because a reader may meet a commit of another process half way. With the check off,
// a seal that is there is Seal::unchecked.
// Errors: corruption (what, where, expected and found); unsupported; io.
State read_state(io::ByteSource& source, SealCheck check = SealCheck::on);

// The fields of a header, from its first kHeaderMinBytes; without the metalayers. `source`
// names the file in messages. Errors: corruption, unsupported.
Header parse_header(const io::ByteSource& source, std::span<const std::byte> bytes,
                    std::uint64_t file_size);

// Errors: unsupported for more chunks than a file of this size may list (kMaxSparseChunks).
void check_chunk_count(std::int64_t chunks, std::uint64_t file_bytes);

// The bytes of a header; sets header_len. Errors: unsupported if a metalayer does not fit.
std::vector<std::byte> build_header(Header& header);

// The index chunk; empty without chunks. Errors: unsupported for more than the format holds.
std::vector<std::byte> build_index(std::span<const IndexEntry> index);

// The same of so many chunks, which takes over what it can of `previous`, the index chunk of an
// older state. Its parts are the entries from k * kIndexPart on; entry() is asked for those of
// parts that changed, and for all where `previous` is not what this function makes.
inline constexpr std::int64_t kIndexPart = 4096;
std::vector<std::byte> build_index(std::int64_t count, std::span<const std::byte> previous,
                                   const std::function<bool(std::int64_t part)>& changed,
                                   const std::function<IndexEntry(std::int64_t)>& entry);

// What follows the chunks: index chunk and trailer, sealed. Sets cbytes, frame_len and
// has_vlmeta of `header` and updates `header_bytes` to match.
//   position     where the index chunk will stand, from the start of the file
//   index_chunk  what build_index() made
// Errors: unsupported for more index or metadata than the format holds.
std::vector<std::byte> build_tail(Header& header, std::vector<std::byte>& header_bytes,
                                  std::uint64_t position, std::vector<std::byte> index_chunk,
                                  std::span<const VlMetalayer> vlmeta);
std::vector<std::byte> build_tail(Header& header, std::vector<std::byte>& header_bytes,
                                  std::uint64_t position, std::span<const IndexEntry> index,
                                  std::span<const VlMetalayer> vlmeta);

}  // namespace mlarray::frame
