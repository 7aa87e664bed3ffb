#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <tuple>

#include "base/naming.hpp"
#include "codec/checksum.hpp"
#include "codec/chunk.hpp"
#include "codec/encoder.hpp"
#include "frame/big_endian.hpp"
#include "frame/constants.hpp"
#include "frame/foreign.hpp"
#include "frame/frame.hpp"
#include "frame/metalayers.hpp"
#include "io/coalesce.hpp"
#include "mlarray/error.hpp"

namespace mlarray::frame {
namespace {

[[noreturn]] void corrupt(const io::ByteSource& source, const std::string& what) {
  throw Error(
      ErrorKind::corruption,
      "'" + source.name() + "': " + what + "; restore the file from a copy or write it again",
      source.name());
}

[[noreturn]] void unsupported(const io::ByteSource& source, const std::string& what) {
  throw Error(ErrorKind::unsupported, "'" + source.name() + "': " + what, source.name());
}

std::array<std::uint8_t, 6> six_bytes(std::span<const std::byte> data, std::size_t offset) {
  std::array<std::uint8_t, 6> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = std::to_integer<std::uint8_t>(data[offset + i]);
  }
  return out;
}

}  // namespace

Header parse_header(const io::ByteSource& source, std::span<const std::byte> bytes,
                    std::uint64_t file_size) {
  Header header;
  header.header_len = load_big<std::uint32_t>(bytes, kHeaderLenAt);
  header.frame_len = load_big<std::uint64_t>(bytes, kFrameLenAt);
  if (header.frame_len > file_size) {
    corrupt(source, "truncated: the header says " + std::to_string(header.frame_len) +
                        " bytes, the file has " + std::to_string(file_size));
  }
  const auto flags = load_big<std::uint8_t>(bytes, kFlagsAt);
  if ((flags & kVersionMask) > kNewestVersion) {
    unsupported(source, "frame format version " + std::to_string(flags & kVersionMask) +
                            "; this library reads up to version " +
                            std::to_string(kNewestVersion));
  }
  if (const auto type = load_big<std::uint8_t>(bytes, kTypeAt); type != 0) {
    unsupported(source, "frame type " + std::to_string(type) +
                            "; only contiguous frames (0) are files");
  }
  const auto codecs = load_big<std::uint8_t>(bytes, kCodecsAt);
  header.compressor = codecs & 0x0f;
  header.level = codecs >> 4;
  header.split_mode = load_big<std::uint8_t>(bytes, kSplitModeAt);
  header.nbytes = load_big<std::int64_t>(bytes, kNbytesAt);
  // c-blosc2 marks an array without voxels too.
  if ((flags & (kVariableChunks | kVariableBlocks)) != 0 && header.nbytes != 0) {
    unsupported(source, "chunks of variable length hold no N-d array");
  }
  header.cbytes = load_big<std::int64_t>(bytes, kCbytesAt);
  header.typesize = load_big<std::int32_t>(bytes, kTypesizeAt);
  header.blocksize = load_big<std::int32_t>(bytes, kBlocksizeAt);
  header.chunksize = load_big<std::int32_t>(bytes, kChunksizeAt);
  header.has_vlmeta = load_big<std::uint8_t>(bytes, kHasVlmetaAt) == kMsgpackTrue;
  header.filters = six_bytes(bytes, kFiltersAt);
  header.filters_meta = six_bytes(bytes, kFiltersMetaAt);

  if (header.header_len < kHeaderMinBytes || header.header_len > header.frame_len) {
    corrupt(source, "header length " + std::to_string(header.header_len) + " is outside " +
                        std::to_string(kHeaderMinBytes) + ".." +
                        std::to_string(header.frame_len));
  }
  if (header.nbytes < 0 || header.typesize <= 0 || header.chunksize < 0 ||
      header.blocksize < 0 || (header.nbytes > 0 && header.chunksize == 0)) {
    corrupt(source, "impossible sizes in the header: " + std::to_string(header.nbytes) +
                        " bytes, type " + std::to_string(header.typesize) + ", chunk " +
                        std::to_string(header.chunksize) + ", block " +
                        std::to_string(header.blocksize));
  }
  if (header.cbytes < 0 ||
      static_cast<std::uint64_t>(header.cbytes) > header.frame_len - header.header_len) {
    corrupt(source, "compressed size " + std::to_string(header.cbytes) +
                        " does not fit the frame of " + std::to_string(header.frame_len) +
                        " bytes");
  }
  return header;
}

namespace {

std::vector<IndexEntry> parse_index(const io::ByteSource& source, const Header& header,
                                    std::span<const std::byte> chunk) {
  check_chunk_count(header.chunk_count(), header.frame_len);
  const auto count = static_cast<std::size_t>(header.chunk_count());
  const auto size = static_cast<std::int64_t>(count * 8);
  const std::vector<std::byte> raw =
      codec::decompress_bytes(chunk, size, {.nbytes = size, .what = "index"});
  std::vector<IndexEntry> index(count);
  const std::uint64_t room = static_cast<std::uint64_t>(header.cbytes);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t entry = 0;
    for (std::size_t b = 8; b-- > 0;) {
      entry = (entry << 8) | std::to_integer<std::uint64_t>(raw[i * 8 + b]);
    }
    index[i] = IndexEntry::from_raw(entry);
    if (index[i].is_special()) {
      if (const unsigned s = index[i].special(); s != 1 && s != 2 && s != 4) {
        corrupt(source, "chunk " + std::to_string(i) + " has the unknown special value " +
                            std::to_string(s));
      }
    } else if (room < codec::kChunkHeaderBytes || entry > room - codec::kChunkHeaderBytes) {
      corrupt(source, "chunk " + std::to_string(i) + " starts at byte " +
                          std::to_string(entry) + " of " + std::to_string(room) +
                          " compressed bytes");
    }
  }
  return index;
}

struct Attempt {
  State state;
  bool seal_mismatch = false;
};

// The start and the end of a source, read by one call, because that is nearly always all of it
// that opening looks at.
class Ends {
 public:
  explicit Ends(const io::ByteSource& source) : source_(source) {
    // Where a call takes long, the index of thousands of chunks and the sums of their blocks.
    const std::uint64_t tail_most = std::uint64_t{source.is_remote() ? 64U : 8U} << 10;
    if (source.has_views() && !source.prefers_copies()) return;
    const std::uint64_t size = source.size();
    parts_.reserve(4);
    if (size <= kHead + tail_most) {
      read({{0, size}});
    } else {
      read({{0, kHead}, {size - tail_most, tail_most}});
    }
  }

  // Reads what is not there yet of two ranges. Much of a map is looked at where it lies, from
  // its end to its begin, which a disk does not foresee.
  void need(io::Range head, io::Range tail) {
    std::vector<io::Range> missing;
    for (const io::Range& range : {head, tail}) {
      if (find(range) != nullptr) continue;
      if (source_.has_views() && (parts_.empty() || range.length > kMostCopied)) {
        source_.prefetch({&range, 1});
      } else {
        missing.push_back(range);
      }
    }
    if (!missing.empty()) read(missing);
  }

  // What of the end is not in `range`, which reaches to the end of the source.
  std::pair<std::uint64_t, io::Bytes> before(io::Range range) const {
    for (const Part& part : parts_) {
      const std::uint64_t stop = part.offset + part.bytes.size();
      if (part.offset >= range.offset || stop <= range.offset) continue;
      return {
          part.offset,
          {part.bytes.first(static_cast<std::size_t>(range.offset - part.offset)), part.owner}};
    }
    return {};
  }

  io::Bytes get(io::Range range) const {
    const Part* part = find(range);
    if (part == nullptr) return source_.get(range);
    return {part->bytes.subspan(static_cast<std::size_t>(range.offset - part->offset),
                                static_cast<std::size_t>(range.length)),
            part->owner};
  }

 private:
  static constexpr std::uint64_t kHead = 4096;
  static constexpr std::uint64_t kMostCopied = std::uint64_t{1} << 20;
  struct Part {
    std::uint64_t offset;
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
  };

  const Part* find(io::Range range) const {
    for (const Part& part : parts_) {
      if (range.offset < part.offset || range.offset - part.offset > part.bytes.size())
        continue;
      const std::uint64_t left = part.bytes.size() - (range.offset - part.offset);
      if (range.length <= left) return &part;
    }
    return nullptr;
  }

  void read(const std::vector<io::Range>& ranges) {
    const io::Gathered got = io::read_together(source_, ranges);
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      parts_.push_back({ranges[i].offset, got.parts[i], got.owner});
    }
  }

  const io::ByteSource& source_;
  std::vector<Part> parts_;
};

// Errors: unsupported if it is a file of another format; corruption.
void check_start(const io::ByteSource& source, const Ends& ends, std::uint64_t file_size) {
  const std::uint64_t length = std::min<std::uint64_t>(file_size, kForeignBytes);
  const io::Bytes start = ends.get({0, length});
  // All of the magic that is there: a frame may have been cut inside it.
  const std::size_t magic = std::min(start.data.size(), kMagic.size() + 1);
  const bool is_frame = magic > 0 &&
                        (std::to_integer<unsigned>(start.data[0]) & 0xf0) == 0x90 &&
                        std::memcmp(start.data.data() + 1, kMagic.data(), magic - 1) == 0;
  if (is_frame && file_size >= kHeaderMinBytes) return;
  const std::string bytes = std::to_string(file_size) + " bytes";
  if (is_frame || file_size == 0) {
    corrupt(source, (file_size == 0 ? "not an array file: the file is empty, "
                                    : "truncated: the file has ") +
                        bytes + ", a header alone has " + std::to_string(kHeaderMinBytes));
  }
  if (const Foreign foreign = recognise(start.data); !foreign.what.empty()) {
    unsupported(source, "not an array file, it looks like " + std::string(foreign.what) + "; " +
                            std::string(foreign.way_out));
  }
  corrupt(source, "not an array file: its " + bytes + " do not start as a Blosc2 frame");
}
static_assert(std::tuple_size_v<decltype(Anchor::bytes)> == kTrailerEndBytes);
constexpr std::size_t kSealTypeAt = 6;  // in the end of a trailer

// Of what an array keeps, so that it does not keep all that was read with it.
io::Bytes own_copy(io::Bytes bytes, const io::ByteSource& source) {
  constexpr std::size_t kSmall = std::size_t{32} << 10;
  if (bytes.data.size() > kSmall || (source.has_views() && !source.prefers_copies())) {
    return bytes;
  }
  const auto copy =
      std::make_shared<const std::vector<std::byte>>(bytes.data.begin(), bytes.data.end());
  return {*copy, copy};
}

Attempt read_once(io::ByteSource& source, SealCheck check) {
  const std::uint64_t file_size = source.size();
  Ends ends(source);
  check_start(source, ends, file_size);
  const io::Bytes fixed = ends.get({0, kHeaderMinBytes});
  Attempt attempt;
  State& state = attempt.state;
  state.header = parse_header(source, fixed.data, file_size);
  Header& header = state.header;
  const std::uint64_t index_at = header.header_len + static_cast<std::uint64_t>(header.cbytes);
  const io::Range tail{index_at, header.frame_len - index_at};
  // An index chunk, and a trailer of the length that its field can say. More would be memory
  // for bytes that nobody uses.
  constexpr std::uint64_t kMostTail = codec::kMaxChunkBytes + (std::uint64_t{1} << 32);
  if (tail.length > kMostTail) {
    corrupt(source, "index and trailer are said to have " + std::to_string(tail.length) +
                        " bytes; at most " + std::to_string(kMostTail) + " are possible");
  }
  ends.need({0, header.header_len}, tail);
  if (source.is_remote()) {
    std::tie(state.also_read_at, state.also_read) = ends.before(tail);
  }
  const io::Bytes whole = ends.get({0, header.header_len});
  state.header_bytes.assign(whole.data.begin(), whole.data.end());
  if (header.header_len > kHeaderMinBytes) {
    for (const NamedSpan& layer :
         parse_metalayers(state.header_bytes, kHeaderMinBytes, "header")) {
      header.metalayers.push_back({layer.name, {layer.content.begin(), layer.content.end()}});
    }
  }

  if (tail.length < kTrailerEndBytes) {
    corrupt(source, "no room for the trailer: " + std::to_string(tail.length) +
                        " bytes after the chunks");
  }
  const io::Bytes end = ends.get({header.frame_len - kTrailerEndBytes, kTrailerEndBytes});
  state.anchor.offset = header.frame_len - kTrailerEndBytes;
  std::copy(end.data.begin(), end.data.end(), state.anchor.bytes.begin());
  const std::uint64_t trailer_len = load_big<std::uint32_t>(end.data, 1);
  if (std::to_integer<unsigned>(end.data[0]) != kUint32Marker ||
      std::to_integer<unsigned>(end.data[5]) != kFixExt16Marker ||
      trailer_len < kTrailerMinBytes || trailer_len > tail.length) {
    corrupt(source, "the trailer is damaged: it claims " + std::to_string(trailer_len) +
                        " bytes where " + std::to_string(tail.length) + " follow the chunks");
  }
  const std::uint64_t trailer_at = header.frame_len - trailer_len;
  const io::Bytes trailer = own_copy(ends.get({trailer_at, trailer_len}), source);

  std::span<const std::byte> index_chunk;
  io::Bytes index_bytes;
  if (header.nbytes > 0) {
    const std::uint64_t room = trailer_at - index_at;
    if (room < codec::kChunkHeaderBytes) corrupt(source, "no room for the chunk index");
    index_bytes = ends.get({index_at, room});
    const std::int64_t length = codec::chunk_length(index_bytes.data, "index");
    if (static_cast<std::uint64_t>(length) > room) {
      corrupt(source, "the chunk index claims " + std::to_string(length) + " bytes of " +
                          std::to_string(room));
    }
    index_chunk = index_bytes.data.first(static_cast<std::size_t>(length));
    state.index_chunk = {index_chunk, index_bytes.owner};
  }

  const auto type = std::to_integer<unsigned>(end.data[kSealTypeAt]);
  const auto print = end.data.subspan(kSealTypeAt + 1, 16);
  const bool zeros =
      std::all_of(print.begin(), print.end(), [](std::byte b) { return b == std::byte{0}; });
  if (type == 0 && zeros) {
    state.seal = Seal::absent;
  } else if (check == SealCheck::off) {
    state.seal = Seal::unchecked;
  } else {
    const std::array<std::span<const std::byte>, 3> parts = {
        std::span<const std::byte>(state.header_bytes), index_chunk,
        trailer.data.first(trailer.data.size() - 16)};
    const auto expected = codec::fingerprint(parts);
    attempt.seal_mismatch =
        type != kSealType || !std::equal(print.begin(), print.end(), expected.begin());
    if (attempt.seal_mismatch) return attempt;
    state.seal = Seal::valid;
  }

  if (header.nbytes > 0) state.index = parse_index(source, header, index_chunk);
  if (header.has_vlmeta) {
    for (const NamedSpan& layer : parse_metalayers(trailer.data, kTrailerLayersAt, "trailer")) {
      state.vlmeta.push_back({layer.name, {layer.content, trailer.owner}});
    }
  }
  return attempt;
}

bool has_moved(const io::ByteSource& source, const State& state) {
  if (source.is_fixed()) return false;
  const io::Bytes now = source.get({0, state.header_bytes.size()});
  return !std::equal(state.header_bytes.begin(), state.header_bytes.end(), now.data.begin());
}

}  // namespace

std::int64_t Header::chunk_count() const {
  return nbytes == 0 ? 0 : (nbytes - 1) / chunksize + 1;
}

bool Anchor::is_sealed() const {
  return std::to_integer<unsigned>(bytes[kSealTypeAt]) == kSealType;
}

std::string Anchor::name() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = std::to_string(offset) + ":";
  for (const std::byte byte : bytes) {
    out += kDigits[std::to_integer<std::size_t>(byte >> 4)];
    out += kDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return out;
}

void check_anchor(io::ByteSource& source, const Anchor& anchor) {
  if (source.is_remote()) return;  // does not change, and to look costs a round
  bool same = false;
  try {
    std::array<std::byte, kTrailerEndBytes> end;
    source.read({anchor.offset, end.size()}, end);
    same = end == anchor.bytes;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corruption) throw;  // else it ends before
  }
  source.check();
  if (same) return;
  source.refresh();
  io::throw_changed(source.name(), anchor.offset + anchor.bytes.size(), source.size());
}

const Metalayer* Header::find(std::string_view name) const {
  const auto it = std::find_if(metalayers.begin(), metalayers.end(),
                               [&](const Metalayer& layer) { return layer.name == name; });
  return it == metalayers.end() ? nullptr : &*it;
}

const VlMetalayer* State::find(std::string_view name) const {
  const auto it = std::find_if(vlmeta.begin(), vlmeta.end(),
                               [&](const VlMetalayer& layer) { return layer.name == name; });
  return it == vlmeta.end() ? nullptr : &*it;
}

State read_state(io::ByteSource& source, SealCheck check) {
  // Another process may be flipping the header while we read it: two small fields, so a
  // second look a moment later sees the whole commit. Damage stays damage.
  const int attempts = source.is_fixed() ? 1 : 5;
  for (int i = 1;; ++i) {
    try {
      Attempt attempt = base::naming(source.name(), [&] {
        return io::checked(source, [&] { return read_once(source, check); });
      });
      // Without a seal to tell, a header that is another one by now was perhaps half of each.
      const bool moved = attempt.state.seal != Seal::valid && has_moved(source, attempt.state);
      if (!attempt.seal_mismatch && !moved) return std::move(attempt.state);
      if (i == attempts) {
        corrupt(source,
                "the seal does not match: header, index or metadata were damaged after the "
                "last commit ('mlarray verify' says what of it can still be read; "
                "verify=False opens it for reading as it is)");
      }
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corruption || i == attempts) throw;
    }
    if (i > 1) std::this_thread::sleep_for(std::chrono::microseconds(200 * i));
    source.refresh();
  }
}

}  // namespace mlarray::frame
