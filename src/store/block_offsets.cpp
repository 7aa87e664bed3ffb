#include "store/block_offsets.hpp"

#include <algorithm>

#include "codec/chunk.hpp"
#include "mlarray/error.hpp"

namespace mlarray::store {

std::size_t offsets_item_bytes(std::int64_t block_count) {
  return codec::head_bytes(block_count);
}

std::shared_ptr<const BlockOffsets> BlockOffsets::of(std::span<const Record> records,
                                                     std::shared_ptr<io::ByteSource> source,
                                                     std::int64_t chunk_count,
                                                     std::int64_t block_count) {
  const PageList form = PageList::of_items(chunk_count, offsets_item_bytes(block_count));
  for (const Record& record : records) {
    if (record.name == kBlockOffsets && record.pages.same_form(form)) {
      return std::make_shared<const BlockOffsets>(record.pages, std::move(source), block_count);
    }
  }
  return nullptr;
}

BlockOffsets::BlockOffsets(PageList list, std::shared_ptr<io::ByteSource> source,
                           std::int64_t block_count)
    : item_bytes_(offsets_item_bytes(block_count)),
      per_page_(list.page_bytes / item_bytes_),
      pages_(std::move(list), std::move(source), "the record of block offsets") {}

std::size_t BlockOffsets::page_of(std::int64_t number) const {
  return static_cast<std::size_t>(number) / per_page_;
}

std::optional<io::Range> BlockOffsets::missing(std::int64_t number) const {
  return pages_.missing(page_of(number));
}

std::vector<io::Range> BlockOffsets::pages_to_read(
    std::span<const std::int64_t> numbers) const {
  // So many heads are of a patch whose blocks have several times the bytes of a page.
  constexpr std::ptrdiff_t kSeveral = 4;
  std::vector<std::size_t> pages;
  for (const std::int64_t number : numbers) {
    if (missing(number)) pages.push_back(page_of(number));
  }
  std::sort(pages.begin(), pages.end());
  std::vector<io::Range> out;
  for (auto first = pages.begin(); first != pages.end();) {
    const auto next = std::upper_bound(first, pages.end(), *first);
    if (const auto range = pages_.missing(*first); range && next - first >= kSeveral) {
      out.push_back(*range);
    }
    first = next;
  }
  return out;
}

std::optional<BlockPlaces> BlockOffsets::of_chunk(std::int64_t number) const {
  const auto page = pages_.find(page_of(number));
  if (!page || page->empty()) return std::nullopt;
  const std::size_t item = static_cast<std::size_t>(number) % per_page_;
  std::span<const std::byte> head = page->subspan(item * item_bytes_, item_bytes_);
  try {
    // Zeros where nothing is recorded, which is the length of no chunk.
    const auto length = static_cast<std::size_t>(codec::chunk_length(head, "chunk"));
    return BlockPlaces{head.first(std::min(length, head.size()))};
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace mlarray::store
