#include "salvage/states.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "codec/checksum.hpp"
#include "codec/encoder.hpp"
#include "frame/big_endian.hpp"
#include "frame/constants.hpp"
#include "frame/metalayers.hpp"
#include "mlarray/error.hpp"
#include "salvage/metadata.hpp"
#include "store/array_header.hpp"
#include "store/b2nd.hpp"

namespace mlarray::salvaging {
namespace {

using Span = std::span<const std::byte>;

constexpr std::uint64_t kMostHeader = std::uint64_t{1} << 20;
constexpr std::size_t kSealBytes = 16;
constexpr std::size_t kMostMended = 4;  // states, from the newest on

// A flipped bit of the seal itself is no damage to what it seals.
bool seal_is(Span stored, const std::array<std::byte, kSealBytes>& found) {
  int wrong = 0;
  for (std::size_t i = 0; i < kSealBytes; ++i) {
    wrong += std::popcount(std::to_integer<unsigned>(stored[i] ^ found[i]));
  }
  return wrong <= 1;
}

// The bytes of index and trailer of one state.
struct Tail {
  io::Bytes index;
  io::Bytes trailer;

  bool is_sealed_by(Span header) const { return seals(header, index.data, trailer.data); }
  static bool seals(Span header, Span index, Span trailer) {
    const std::array<Span, 3> parts = {header, index,
                                       trailer.first(trailer.size() - kSealBytes)};
    return seal_is(trailer.last(kSealBytes), codec::fingerprint(parts));
  }
  std::uint64_t bytes() const { return index.data.size() + trailer.data.size(); }
  // By the number of metalayers in the list.
  bool has_layers() const {
    return trailer.data.size() > 9 && frame::load_big<std::uint16_t>(trailer.data, 7) != 0;
  }
};

// Finds the states, each with what it needs to be read.
class Surveyor {
 public:
  Surveyor(const DamagedFile& file, std::uint64_t mending_bytes, Survey& out)
      : file_(file),
        mending_bytes_(mending_bytes),
        out_(out),
        start_(file.get(0, kMostHeader)) {}

  void guess_headers(const std::filesystem::path& like) {
    const Span start = start_.data;
    const std::uint64_t claimed = header_length();
    if (claimed != 0) add_header(guess_of(file_, start.first(claimed), HeaderOrigin::file));
    auto rebuilt = rebuilt_header(file_, start);
    if (out_.headers.empty()) {
      const std::size_t length = rebuilt ? rebuilt->bytes.size() : claimed;
      if (claimed != 0) add_header(header_that_agrees(file_, start, claimed));
      if (length != claimed) add_header(header_that_agrees(file_, start, length));
    }
    add_header(std::move(rebuilt));
    if (like.empty()) return;
    const std::unique_ptr<io::ByteSource> other = io::open_buffered(like);
    add_header(guess_of(file_, frame::read_state(*other).header_bytes, HeaderOrigin::like));
  }

  void find_states() {
    find_all_landmarks();
    // What the metadata says of the array is covered by the sum of a gzip stream.
    const std::size_t known = out_.headers.size();
    const std::vector<Extent>& layers = out_.landmarks.layers;
    constexpr std::size_t kMostLooked = 64;
    WorkBudget looks(std::uint64_t{1} << 30, &file_.work());
    for (std::size_t i = 0; i < std::min(layers.size(), kMostLooked); ++i) {
      const Extent& layer = layers[layers.size() - 1 - i];
      if (layer.length > kMostHeader) continue;
      file_.go_on();
      if (!looks.spend(layer.length)) break;
      add_header(by_metadata(file_.get(layer.offset, layer.length), looks));
    }
    if (out_.headers.size() > known) find_all_landmarks();
    std::map<std::uint64_t, Extent> indexes;  // by where they end
    for (const Extent& index : out_.landmarks.indexes) indexes[index.end()] = index;
    for (const Extent& trailer : out_.landmarks.trailers) {
      const auto index = indexes.find(trailer.offset);
      add_state(trailer, index == indexes.end() ? Extent{} : index->second);
    }
    check_seals();
    mend();
    add_leftovers();
    std::stable_sort(out_.states.begin(), out_.states.end(), [](const auto& a, const auto& b) {
      return std::max(a.begin(), a.end()) > std::max(b.begin(), b.end());
    });
    const bool found = std::any_of(out_.states.begin(), out_.states.end(),
                                   [](const FoundState& state) { return state.named; });
    out_.newest_is_gone =
        !found && !out_.states.empty() && named_end() > out_.states.front().end();
    // A trailer may be found twice, by either end, of which one is damaged.
    std::map<std::uint64_t, std::uint64_t> sealed;  // begin and end
    for (const FoundState& state : out_.states) {
      if (state.sealed) sealed[state.begin()] = state.end();
    }
    std::erase_if(out_.states, [&](const FoundState& state) {
      const auto after = sealed.upper_bound(state.begin());
      return !state.sealed && after != sealed.begin() &&
             state.begin() < std::prev(after)->second;
    });
    drop_unconfirmed();
  }

 private:
  void find_all_landmarks() {
    std::vector<grid::Geometry> arrays;
    arrays.reserve(out_.headers.size());
    for (const HeaderGuess& guess : out_.headers) arrays.push_back(guess.geometry);
    out_.landmarks = find_landmarks(file_, arrays);
    most_index_ = TailLimits(arrays).index;
  }

  std::optional<HeaderGuess> by_metadata(const io::Bytes& layer, WorkBudget& budget) {
    const std::optional<ToldLayout> told = layout_told_by(layer, budget);
    if (!told) return std::nullopt;
    if (!dtype_) dtype_ = dtype_in(start_.data);
    const std::optional<DType>& dtype = *dtype_;
    if (!dtype) return std::nullopt;
    try {
      return guess_of(
          file_,
          header_for(file_, start_.data, {told->shape, told->chunk, told->block, *dtype}),
          HeaderOrigin::rebuilt);
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  std::uint64_t header_length() const {
    const Span start = start_.data;
    if (start.size() < frame::kHeaderMinBytes) return 0;
    const std::uint64_t length = frame::load_big<std::uint32_t>(start, frame::kHeaderLenAt);
    return length < frame::kHeaderMinBytes || length > start.size() ? 0 : length;
  }

  // Where the newest commit ends, if the header is right.
  std::uint64_t named_end() const {
    return start_.data.size() < frame::kHeaderMinBytes
               ? 0
               : frame::load_big<std::uint64_t>(start_.data, frame::kFrameLenAt);
  }

  void add_header(std::optional<HeaderGuess> guess) {
    if (!guess) return;
    for (const HeaderGuess& other : out_.headers) {
      if (same_but_lengths(other.bytes, guess->bytes)) return;
    }
    out_.headers.push_back(std::move(*guess));
  }

  void add_state(const Extent& trailer, const Extent& index) {
    constexpr std::size_t kMostLayers = 64;
    FoundState state;
    state.index = index;
    state.trailer = trailer;
    const std::vector<Extent>& layers = out_.landmarks.layers;
    for (auto layer = std::lower_bound(
             layers.begin(), layers.end(), trailer,
             [](const Extent& a, const Extent& b) { return a.offset < b.offset; });
         layer != layers.end() && trailer.holds(*layer) && state.layers.size() < kMostLayers;
         ++layer) {
      state.layers.push_back(*layer);
    }
    const Span start = start_.data;
    if (start.size() >= frame::kHeaderMinBytes) {
      const std::uint64_t index_at =
          header_length() + frame::load_big<std::uint64_t>(start, frame::kCbytesAt);
      const bool ends = named_end() == trailer.end();
      if (ends && state.index.empty() && index_at < trailer.offset &&
          trailer.offset - index_at <= most_index_) {
        state.index = {index_at, trailer.offset - index_at};
      }
      state.named = ends || index_at == state.begin();  // one of the two may be damaged
    }
    state.foreign = state.named && is_foreign(trailer);
    out_.states.push_back(std::move(state));
  }

  // Has it no seal?
  bool is_foreign(const Extent& trailer) const {
    const io::Bytes end = file_.get(trailer.end() - kSealBytes - 1, kSealBytes + 1);
    return std::all_of(end.data.begin(), end.data.end(),
                       [](std::byte b) { return b == std::byte{0}; });
  }

  Tail load(const FoundState& state) const {
    return {file_.get(state.index.offset, state.index.length),
            file_.get(state.trailer.offset, state.trailer.length)};
  }

  void check_seals() {
    WorkBudget budget(4 * file_.size() + (std::uint64_t{64} << 20), &file_.work());
    for (std::size_t i = out_.states.size(); i-- > 0;) {
      FoundState& state = out_.states[i];
      if (state.sealed || state.trailer.empty()) continue;
      file_.go_on();
      if (!budget.spend(state.index.length + state.trailer.length)) return out_of_time();
      const Tail tail = load(state);
      if (tail.trailer.data.size() < frame::kTrailerMinBytes) continue;
      for (std::size_t g = 0; g < out_.headers.size() && !state.sealed; ++g) {
        if (!budget.spend(tail.bytes() + out_.headers[g].bytes.size())) return out_of_time();
        check_seal(state, tail, g);
      }
    }
  }

  void check_seal(FoundState& state, const Tail& tail, std::size_t guess) {
    const HeaderGuess& header = out_.headers[guess];
    if (state.begin() < header.bytes.size()) return;
    const bool by_place = tail.is_sealed_by(
        with_lengths(header.bytes, state.begin(), state.end(), tail.has_layers()));
    // Where bytes were cut out in front of it, the header still has the lengths that were.
    const bool as_it_is =
        !by_place && header.origin == HeaderOrigin::file && tail.is_sealed_by(header.bytes);
    if (!by_place && !as_it_is) return;
    state.sealed = true;
    state.foreign = false;
    state.header = guess;
    if (as_it_is) {
      state.named = true;
      out_.notes.push_back("bytes are missing or were added in front of its index");
    }
  }

  // A seal of 16 bytes tells which one byte of some ten thousand was changed, and to what.
  void mend() {
    WorkBudget budget(mending_bytes_);
    std::size_t tried = 0;
    for (std::size_t i = out_.states.size(); i-- > 0 && tried < kMostMended;) {
      FoundState& state = out_.states[i];
      if (state.foreign) return;  // and older ones are history
      if (state.sealed) return;
      ++tried;
      const std::uint64_t length = state.index.length + state.trailer.length;
      if (state.trailer.empty() || !file_.work().spend(length)) continue;
      const Tail tail = load(state);
      if (tail.trailer.data.size() < frame::kTrailerMinBytes) continue;
      if (mend_header(state, tail, budget)) {
        check_seals();
        return;
      }
      mend_tail(state, tail, budget);
    }
  }

  bool mend_header(FoundState& state, const Tail& tail, WorkBudget& budget) {
    std::vector<std::size_t> lengths;
    if (header_length() != 0) lengths.push_back(header_length());
    for (const HeaderGuess& guess : out_.headers) lengths.push_back(guess.bytes.size());
    for (const std::size_t length : lengths) {
      if (length > start_.data.size() || state.begin() < length) continue;
      std::vector<std::byte> bytes = with_lengths(start_.data.first(length), state.begin(),
                                                  state.end(), tail.has_layers());
      const auto changed = change_until(bytes, tail.bytes() + length, budget,
                                        [&] { return tail.is_sealed_by(bytes); });
      if (!changed) continue;
      auto guess = guess_of(file_, bytes, HeaderOrigin::mended);
      if (!guess) continue;
      out_.headers.insert(out_.headers.begin(), std::move(*guess));
      for (FoundState& other : out_.states) ++other.header;
      state.sealed = true;
      state.foreign = false;
      state.header = 0;
      return true;
    }
    return false;
  }

  void mend_tail(FoundState& state, const Tail& tail, WorkBudget& budget) {
    constexpr std::uint64_t kMost = std::uint64_t{64} << 20;  // more is too much work anyway
    if (tail.bytes() > kMost) return;
    std::vector<std::byte> index(tail.index.data.begin(), tail.index.data.end());
    std::vector<std::byte> trailer(tail.trailer.data.begin(), tail.trailer.data.end());
    for (std::size_t g = 0; g < out_.headers.size(); ++g) {
      const HeaderGuess& guess = out_.headers[g];
      if (state.begin() < guess.bytes.size()) continue;
      for (const bool has_layers : {true, false}) {
        const auto header = with_lengths(guess.bytes, state.begin(), state.end(), has_layers);
        const std::uint64_t once = tail.bytes() + header.size();
        for (const bool in_index : {true, false}) {
          std::vector<std::byte>& bytes = in_index ? index : trailer;
          const auto place = change_until(bytes, once, budget,
                                          [&] { return Tail::seals(header, index, trailer); });
          if (!place) continue;
          const Extent& extent = in_index ? state.index : state.trailer;
          state.mended.emplace_back(extent.offset + *place, bytes[*place]);
          state.sealed = true;
          state.foreign = false;
          state.header = g;
          return;
        }
      }
    }
  }

  // Changes one byte after the other until `right` says yes, and leaves that one changed: to
  // all other values, or where that is too much work, by one bit, or not at all.
  template <class Right>
  std::optional<std::size_t> change_until(std::vector<std::byte>& bytes, std::uint64_t work,
                                          WorkBudget& budget, Right right) const {
    const std::uint64_t once = bytes.size() * work;
    const bool all = 255 * once <= budget.left() / 4;
    if (!all && 8 * once > budget.left()) return std::nullopt;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const std::byte before = bytes[i];
      file_.go_on();
      for (unsigned change = 1; change < 256; change = all ? change + 1 : change * 2) {
        if (!budget.spend(work)) return std::nullopt;
        bytes[i] = before ^ static_cast<std::byte>(change);
        if (right()) return i;
      }
      bytes[i] = before;
    }
    return std::nullopt;
  }

  // One flipped bit may make a header agree with itself that was damaged in another way. So
  // something else must say the same: a seal, the metadata.
  void drop_unconfirmed() {
    for (std::size_t g = out_.headers.size(); g-- > 0;) {
      if (out_.headers[g].origin != HeaderOrigin::mended || is_confirmed(g)) continue;
      out_.headers.erase(out_.headers.begin() + static_cast<std::ptrdiff_t>(g));
      for (FoundState& state : out_.states) state.header -= state.header > g ? 1 : 0;
      out_.header_is_doubtful = true;
    }
  }

  bool is_confirmed(std::size_t guess) const {
    constexpr std::size_t kMostLooked = 16;
    const HeaderGuess& header = out_.headers[guess];
    for (std::size_t i = 0; i < out_.states.size(); ++i) {
      const FoundState& state = out_.states[i];
      if (state.sealed && state.header == guess) return true;
      if (i >= kMostLooked) continue;
      const StateContent content = contents_of(file_, header, state);
      const std::optional<Shape> told = shape_told_by(file_, header, content);
      if (told) return *told == header.geometry.shape();
      // Files of other writers may have no metadata: the number of chunks must do.
      if (state.foreign && !content.index.empty()) return true;
    }
    return false;
  }

  // Indexes and metalayers of trailers that are not there any more.
  void add_leftovers() {
    std::map<std::uint64_t, std::uint64_t> covered;  // up to where, from the left end on
    std::uint64_t farthest = 0;
    for (const Extent& trailer : out_.landmarks.trailers) {
      covered[trailer.offset] = farthest = std::max(farthest, trailer.end());
    }
    std::set<std::uint64_t> used;
    for (const FoundState& state : out_.states) used.insert(state.index.offset);
    const auto inside = [&](const Extent& extent) {
      const auto after = covered.upper_bound(extent.offset);
      return used.contains(extent.offset) ||
             (after != covered.begin() && extent.end() <= std::prev(after)->second);
    };
    std::map<std::uint64_t, FoundState> left;  // by where they begin
    for (const Extent& index : out_.landmarks.indexes) {
      if (!inside(index)) left[index.offset].index = index;
    }
    for (const Extent& layer : out_.landmarks.layers) {
      if (inside(layer)) continue;
      const auto after = left.upper_bound(layer.offset);
      FoundState& state = after == left.begin() ? left[layer.offset] : std::prev(after)->second;
      state.layers.push_back(layer);
    }
    for (auto& [offset, state] : left) {
      file_.go_on();
      if (!state.index.empty() || has_sums(state)) out_.states.push_back(std::move(state));
    }
  }

  bool has_sums(const FoundState& state) const {
    return std::any_of(out_.headers.begin(), out_.headers.end(), [&](const HeaderGuess& guess) {
      return has_table(file_, guess.geometry, state);
    });
  }

  void out_of_time() {
    out_.notes.push_back(
        "the file has more of what looks like commits than one of its size can have: "
        "not all were looked at");
  }

  const DamagedFile& file_;
  std::uint64_t mending_bytes_;
  Survey& out_;
  io::Bytes start_;
  std::optional<std::optional<DType>> dtype_;  // that the header tells, once looked for
  std::uint64_t most_index_ = 0;
};

}  // namespace

std::uint64_t FoundState::begin() const {
  if (!index.empty()) return index.offset;
  if (!trailer.empty()) return trailer.offset;
  return layers.empty() ? 0 : layers.front().offset;
}

Survey survey(const DamagedFile& file, const std::filesystem::path& like,
              std::uint64_t mending_bytes) {
  Survey out;
  Surveyor surveyor(file, mending_bytes, out);
  surveyor.guess_headers(like);
  surveyor.find_states();
  return out;
}

}  // namespace mlarray::salvaging
