// A file with the record of block offsets and sums in pages, both lists and all bytes changed
// at will: what a reader of ranges makes of it, and the next commit.
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "codec/bytes.hpp"
#include "codec/checksum.hpp"
#include "codec/encoder.hpp"
#include "copying_source.hpp"
#include "fuzz.hpp"
#include "pipeline/read_box.hpp"
#include "session/snapshot.hpp"
#include "store/tables.hpp"

using namespace mlarray;

namespace {

using Data = std::vector<std::byte>;

constexpr std::int64_t kChunks = 400;  // with two pages of heads
constexpr std::int64_t kElements = 1024;
constexpr std::int64_t kBlocks = 4;
constexpr std::size_t kRecordsAt = 43;  // behind what binds the list
constexpr std::size_t kSumsAt = 13;

grid::Geometry geometry() {
  return {{kChunks * kElements}, {kElements}, {kElements / kBlocks}, 2};
}

bool is_stored(std::int64_t number) { return number < 5 || number > kChunks - 5; }

// What every input changes.
struct Base {
  Data file;     // header, chunks, pages; the index comes last
  Data records;  // the list without what binds it
  Data sums;     // the list of the pages of sums
  frame::Header header;
  std::vector<frame::IndexEntry> index;

  Base() : index(kChunks) {
    header = store::new_header({geometry(), DType::parse("<i2"), {}}, file);
    CodecParams params;
    params.codec = Codec::lz4;
    params.filters[5] = static_cast<std::uint8_t>(Filter::shuffle);
    codec::Encoder encoder(params, 2, 2 * kElements / kBlocks);
    store::PageMaker heads(form_of_heads(), store::offsets_item_bytes(kBlocks));
    store::PageMaker table(form_of_sums(), 4 * kBlocks);
    for (std::int64_t number = 0; number < kChunks; ++number) {
      if (!is_stored(number)) continue;
      Data voxels(2 * kElements);
      for (std::size_t i = 0; i < voxels.size(); ++i) {
        voxels[i] = static_cast<std::byte>(i % 2 == 0 ? i * i / 64 + i : i / 512);
      }
      const Data chunk = encoder.encode(voxels);
      const codec::ChunkHeader parsed = codec::parse_chunk(chunk, {});
      heads.set(number, std::span(chunk).first(store::offsets_item_bytes(kBlocks)));
      table.set(number, store::stored_sums(codec::chunk_checksums(chunk, parsed, number)));
      index[static_cast<std::size_t>(number)] =
          frame::IndexEntry::at(file.size() - header.header_len);
      file.insert(file.end(), chunk.begin(), chunk.end());
    }
    store::PageList list = form_of_heads();
    heads.append_to(file, 0, list);
    const std::string name(store::kBlockOffsets);
    records = {std::byte{1}, std::byte{0}, static_cast<std::byte>(name.size())};
    for (const char c : name) records.push_back(static_cast<std::byte>(c));
    list.append_to(records);
    list = form_of_sums();
    table.append_to(file, 0, list);
    list.append_to(sums);
  }
  static store::PageList form_of_heads() {
    return store::PageList::of_items(kChunks, store::offsets_item_bytes(kBlocks));
  }
  static store::PageList form_of_sums() {
    return store::PageList::of_items(kChunks, 4 * kBlocks);
  }
};

void change(fuzz::Choices& choices, Data& bytes) {
  const std::size_t at = static_cast<std::size_t>(choices.bits(2)) % bytes.size();
  const std::size_t count =
      std::min<std::size_t>(std::size_t{1} << choices.number(0, 3), bytes.size() - at);
  const std::uint64_t value = choices.bits(count);
  for (std::size_t i = 0; i < count; ++i) {
    bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
  }
}

// Gives the pages that lie in the file the hashes that they have there.
void hash_again(Data& value, std::size_t at, const Data& file) {
  const std::size_t entries = at + 16;
  const auto list = store::PageList::parse(value, at);
  if (!list) return;
  for (std::size_t i = 0; i < list->pages.size(); ++i) {
    const std::uint64_t offset = list->pages[i].offset;
    const std::size_t length = list->length_of(i);
    if (offset > file.size() || length > file.size() - offset) continue;
    std::uint64_t hash =
        store::page_hash(std::span(file).subspan(static_cast<std::size_t>(offset), length), i);
    for (std::size_t b = 0; b < 8; ++b, hash >>= 8) {
      value[entries + 16 * i + 8 + b] = static_cast<std::byte>(hash & 0xff);
    }
  }
}

void hash_records_again(Data& records, const Data& file) {
  std::size_t at = 2;
  for (std::size_t left = 1 + std::to_integer<std::size_t>(records[0]); left > 0; --left) {
    if (at >= records.size()) return;
    at += 1 + std::to_integer<std::size_t>(records[at]);
    if (at >= records.size()) return;
    hash_again(records, at, file);
    if (!store::PageList::parse(records, at)) return;
  }
}

frame::VlMetalayer layer(std::string_view name, const Data& value) {
  const auto chunk = std::make_shared<const Data>(store::pack_value(value));
  return {std::string(name), {*chunk, chunk}};
}

// The state of such a file, sealed.
frame::State state_of(const Base& base, const Data& file, const Data& records,
                      const Data& sums) {
  frame::State state;
  state.header = base.header;
  state.header.cbytes = static_cast<std::int64_t>(file.size() - base.header.header_len);
  state.header.frame_len = file.size();
  state.index = base.index;
  const auto index = std::make_shared<const Data>(frame::build_index(base.index));
  state.index_chunk = {*index, index};
  state.seal = Seal::valid;
  Data value(kSumsAt);
  value[0] = std::byte{0xc6};
  codec::store_i32(value, 5, 2);
  codec::store_i32(value, 9, kBlocks);
  value.insert(value.end(), sums.begin(), sums.end());
  state.vlmeta.push_back(layer(store::kChecksumLayer, value));
  const auto binding = store::RecordBinding::of(*index, state.vlmeta.front().chunk.data);
  value.assign(kRecordsAt - 2, std::byte{0});
  value[0] = std::byte{0xc6};
  value[5] = std::byte{1};
  std::ranges::copy(binding.index, value.begin() + 9);
  std::ranges::copy(binding.sums, value.begin() + 25);
  value.insert(value.end(), records.begin(), records.end());
  state.vlmeta.push_back(layer(store::kRecordLayer, value));
  return state;
}

Data read(const session::Snapshot& state, const Box& box, bool verify) {
  Data out(static_cast<std::size_t>(2 * element_count(box.shape())));
  const std::vector<std::int64_t> strides = {2};
  if (!fuzz::accepts([&] {
        pipeline::read_box(*state.chunks, state.geometry(), box,
                           {out.data(), box.shape(), strides},
                           {.threads = 1, .verify = verify});
      })) {
    out.clear();
  }
  return out;
}

// What the pages say lies inside them. Whether every chunk has sums.
bool look(const store::ChunkIndex& index, bool as_written) {
  bool all = true;
  for (std::int64_t i = 0; i < kChunks; ++i) {
    fuzz::require(index.head(i).size() <= store::offsets_item_bytes(kBlocks), "a head is one");
    if (!is_stored(i)) continue;
    fuzz::require(!as_written || !index.head(i).empty(), "what nobody changed is recorded");
    if (!fuzz::accepts([&] {
          const auto sums = index.sums(i).stored();
          fuzz::require(sums.empty() || sums.size() == 4 * kBlocks, "one sum for each block");
          for (std::int32_t block = 0; block < kBlocks; ++block) {
            all = index.sums(i).of_block(block) != 0 && all;
          }
        })) {
      all = false;
    }
  }
  return all;
}

// What the next state lists is what it puts behind the file, or what was there.
void commit(const store::ChunkIndex& before, std::int64_t number, std::uint64_t position) {
  store::ChunkIndex now = before;
  now.replace(number, {nullptr, frame::IndexEntry::at(7), Data(4 * kBlocks, std::byte{9}),
                       Data(store::offsets_item_bytes(kBlocks), std::byte{9})});
  const store::WrittenTables written = store::tables_of_opened(before, kBlocks);
  store::NewTables made;
  if (!fuzz::accepts(
          [&] { made = store::tables_to_commit(now, before, written, kBlocks, position); })) {
    return;
  }
  const auto check = [&](const store::PageList& list, const store::PageList& old) {
    for (std::size_t i = 0; i < list.pages.size(); ++i) {
      const store::Page& page = list.pages[i];
      if (page.absent() || (i < old.pages.size() && page == old.pages[i])) continue;
      fuzz::require(page.offset >= position && page.offset - position <= made.pages.size() &&
                        list.length_of(i) <= made.pages.size() - (page.offset - position),
                    "a page is where the list says");
      const auto bytes =
          std::span(made.pages)
              .subspan(static_cast<std::size_t>(page.offset - position), list.length_of(i));
      fuzz::require(store::page_hash(bytes, i) == page.hash, "a page has its hash");
    }
  };
  check(made.written.sums, written.sums);
  check(made.written.offsets, written.offsets);
}

}  // namespace

void fuzz_input(fuzz::Input input) {
  static const Base base;
  fuzz::Choices choices(input);
  Data file = base.file;
  Data records = base.records;
  Data sums = base.sums;
  const bool hashed = choices.yes();
  const std::int64_t number = choices.number(0, kChunks - 1);
  const std::uint64_t behind =
      choices.yes() ? std::uint64_t{1} << 24 : 0;  // so that heads are worth it
  const bool as_written = choices.rest().empty();
  for (int i = 0; i < 64 && !choices.rest().empty(); ++i) {
    const std::int64_t what = choices.number(0, 3);
    change(choices, what == 0 ? sums : what == 1 ? records : file);
  }
  if (hashed) {
    hash_again(sums, 0, file);
    hash_records_again(records, file);
  }
  const std::shared_ptr<io::ByteSource> source = io::from_memory(file, "<input>");
  session::Snapshot local;
  session::Snapshot remote;
  if (!fuzz::accepts([&] {
        const frame::State state = state_of(base, file, records, sums);
        local = session::snapshot_of(state, source);
        remote =
            session::snapshot_of(state, std::make_shared<fuzz::CopyingSource>(source, true));
      })) {
    return;
  }
  const bool all = look(local.chunks->index(), as_written);
  for (const Box& box : {Box{{100}, {3000}}, Box{{0}, {5 * kElements}},
                         Box{{(kChunks - 4) * kElements}, {kChunks * kElements}}}) {
    const Data here = read(local, box, true);
    const Data there = read(remote, box, true);
    fuzz::require(!all || here.empty() || there.empty() || here == there,
                  "what is verified is the same, wherever the heads come from");
    fuzz::require(!as_written || (all && !here.empty() && !there.empty()),
                  "what nobody changed is read and verified");
    read(remote, box, false);
  }
  commit(local.chunks->index(), number, file.size() + behind);
}
