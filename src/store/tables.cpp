#include "store/tables.hpp"

#include <algorithm>
#include <set>

#include "base/mutants.hpp"
#include "store/block_offsets.hpp"

namespace mlarray::store {
namespace {

PageList offset_pages(std::int64_t chunk_count, std::int64_t block_count) {
  return PageList::of_items(chunk_count, offsets_item_bytes(block_count));
}

// Pages and the 16 bytes of each in the list, against the bytes of the file.
bool worth_it(std::uint64_t page_bytes, std::size_t pages, std::uint64_t file_bytes) {
  constexpr std::uint64_t kListing = 128;
  const std::uint64_t part = base::limit("offsets_part", kMostOffsetsPart);
  return page_bytes + 16 * pages + kListing <= file_bytes / part;
}

// The pages of `maker` that have the chunks which were replaced since `before`.
std::set<std::int64_t> touched_pages(const ChunkIndex& now, const ChunkIndex& before,
                                     const PageMaker& maker) {
  std::set<std::int64_t> out;
  now.for_each_changed(before, [&](std::int64_t number) { out.insert(maker.page_of(number)); });
  return out;
}

template <class Item>
void fill_page(PageMaker& maker, std::int64_t page, std::int64_t chunk_count, Item item) {
  maker.page(page);  // also if nothing is in it
  const std::int64_t stop = std::min(maker.first_item(page + 1), chunk_count);
  for (std::int64_t i = maker.first_item(page); i < stop; ++i) maker.set(i, item(i));
}

void add_sums(const ChunkIndex& now, const ChunkIndex& before, const WrittenTables& written,
              std::int64_t block_count, std::uint64_t position, NewTables& out) {
  ChecksumBuilder builder(now.size(), block_count);
  PageMaker& pages = builder.pages();
  if (pages.empty()) {
    for (std::int64_t i = 0; i < now.size(); ++i) builder.set(i, now.sums(i).stored());
    out.sums_layer = builder.build(out.pages, position, out.written.sums);
    return;
  }
  const PageList form = checksum_pages(now.size(), block_count);
  const bool whole = !written.sums.same_form(form);
  out.written.sums = whole ? form : written.sums;
  const auto fill = [&](std::int64_t page) {
    fill_page(pages, page, now.size(), [&](std::int64_t i) { return now.sums(i).stored(); });
  };
  if (whole) {
    for (std::size_t page = 0; page < form.pages.size(); ++page) {
      fill(static_cast<std::int64_t>(page));
    }
  } else {
    for (const std::int64_t page : touched_pages(now, before, pages)) fill(page);
  }
  out.sums_layer = builder.build(out.pages, position, out.written.sums);
}

void add_offsets(const ChunkIndex& now, const ChunkIndex& before, const WrittenTables& written,
                 std::int64_t block_count, std::uint64_t position, NewTables& out) {
  PageMaker pages(written.offsets, offsets_item_bytes(block_count));
  PageList& list = out.written.offsets;
  list = written.offsets;
  if (pages.empty()) return;
  std::set<std::int64_t> wanted = touched_pages(now, before, pages);
  // Not what they were: also if they are left out.
  if (base::mutant("stale_pages_kept")) wanted.clear();
  for (const std::int64_t page : wanted) list.pages[static_cast<std::size_t>(page)] = {};
  wanted.insert(written.left_out.begin(), written.left_out.end());
  std::uint64_t added = 0;
  for (const std::int64_t page : wanted)
    added += list.length_of(static_cast<std::size_t>(page));
  if (!worth_it(list.stored_bytes() + added, list.pages.size(), position)) {
    out.written.left_out.assign(wanted.begin(), wanted.end());
    if (!worth_it(list.stored_bytes(), list.pages.size(), position)) {
      for (Page& page : list.pages) page = {};
    }
    return;
  }
  for (const std::int64_t page : wanted) {
    fill_page(pages, page, now.size(), [&](std::int64_t i) { return now.head(i); });
  }
  pages.append_to(out.pages, position, list);
}

}  // namespace

WrittenTables tables_of_opened(const ChunkIndex& index, std::int64_t block_count) {
  WrittenTables out;
  const ChecksumTable& sums = index.table();
  if (sums.pages() != nullptr) {
    out.sums = *sums.pages();
  } else if (sums.empty()) {
    out.sums = checksum_pages(index.size(), block_count);
  }
  out.offsets = index.offsets() ? index.offsets()->pages().list()
                                : offset_pages(index.size(), block_count);
  return out;
}

TableMaker::TableMaker(std::int64_t chunk_count, std::int64_t block_count)
    : sums_(chunk_count, block_count),
      offset_form_(offset_pages(chunk_count, block_count)),
      offsets_(offset_form_, offsets_item_bytes(block_count)),
      head_bytes_(offsets_item_bytes(block_count)),
      chunk_count_(chunk_count),
      block_count_(block_count) {}

void TableMaker::set(std::int64_t number, std::span<const std::byte> sums,
                     std::span<const std::byte> chunk) {
  constexpr std::uint64_t kAlwaysHeld = std::uint64_t{4} << 20;
  sums_.set(number, sums);
  stored_bytes_ += chunk.size();
  if (!worth_it_ || sums.empty()) return;
  offsets_.set(number, chunk.first(std::min(chunk.size(), head_bytes_)));
  if (offsets_.held_bytes() <= kAlwaysHeld ||
      worth_it(offsets_.held_bytes(), 0, 2 * stored_bytes_)) {
    return;
  }
  worth_it_ = false;
  offsets_ = PageMaker({}, head_bytes_);
}

void TableMaker::forget(std::int64_t number) {
  sums_.set(number, {});
  offsets_.set(number, {});
}

NewTables TableMaker::finish(std::uint64_t position) {
  NewTables out;
  out.written.sums = checksum_pages(chunk_count_, block_count_);
  out.written.offsets = offset_form_;
  out.sums_layer = sums_.build(out.pages, position, out.written.sums);
  if (!out.sums_layer.empty() &&
      worth_it(offsets_.held_bytes(), offset_form_.pages.size(), position)) {
    offsets_.append_to(out.pages, position, out.written.offsets);
  }
  return out;
}

NewTables tables_to_commit(const ChunkIndex& now, const ChunkIndex& before,
                           const WrittenTables& written, std::int64_t block_count,
                           std::uint64_t position) {
  NewTables out;
  add_sums(now, before, written, block_count, position, out);
  if (!out.sums_layer.empty()) {
    add_offsets(now, before, written, block_count, position, out);
  }
  return out;
}

}  // namespace mlarray::store
