#include "store/pages.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "base/mutants.hpp"
#include "codec/bytes.hpp"
#include "codec/encoder.hpp"
#include "codec/hash.hpp"
#include "mlarray/error.hpp"

namespace mlarray::store {
namespace {

// On disk: do not change.
constexpr std::size_t kListHead = 16;   // bytes (uint64), page_bytes (uint32), pages (uint32)
constexpr std::size_t kListEntry = 16;  // offset, hash (uint64)

bool is_as_written(const PageList& list, std::size_t page, std::span<const std::byte> bytes) {
  return page_hash(bytes, page) == list.pages[page].hash || base::mutant("page_not_hashed");
}

bool all_zeros(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

std::uint64_t page_hash(std::span<const std::byte> bytes, std::size_t number) {
  return codec::hash64(bytes, number);
}

PageList PageList::of_items(std::int64_t count, std::size_t item_bytes) {
  PageList out;
  if (count <= 0 || item_bytes == 0 || item_bytes > std::numeric_limits<std::uint32_t>::max()) {
    return out;
  }
  // 2^24 chunks are possible in a file of some hundred bytes. A page of 16 KiB for each of 2^20
  // is more than any table has.
  constexpr std::int64_t kMostPages = std::int64_t{1} << 20;
  const std::size_t per_page = std::max<std::size_t>(kPageBytes / item_bytes, 1);
  if ((count - 1) / static_cast<std::int64_t>(per_page) >= kMostPages) return out;
  out.bytes = static_cast<std::uint64_t>(count) * item_bytes;
  out.page_bytes = static_cast<std::uint32_t>(per_page * item_bytes);
  out.pages.resize(static_cast<std::size_t>((out.bytes - 1) / out.page_bytes + 1));
  return out;
}

std::optional<PageList> PageList::parse(std::span<const std::byte> value, std::size_t& at) {
  if (at > value.size() || value.size() - at < kListHead) return std::nullopt;
  PageList out;
  out.bytes = codec::load_u64(value.data() + at);
  out.page_bytes = static_cast<std::uint32_t>(codec::load_i32(value, at + 8));
  const auto count = static_cast<std::uint32_t>(codec::load_i32(value, at + 12));
  if (out.bytes == 0 || out.page_bytes == 0 || (out.bytes - 1) / out.page_bytes + 1 != count ||
      (value.size() - at - kListHead) / kListEntry < count) {
    return std::nullopt;
  }
  at += kListHead;
  out.pages.resize(count);
  for (Page& page : out.pages) {
    page.offset = codec::load_u64(value.data() + at);
    page.hash = codec::load_u64(value.data() + at + 8);
    at += kListEntry;
  }
  return out;
}

void PageList::append_to(std::vector<std::byte>& value) const {
  std::size_t at = value.size();
  value.resize(at + kListHead + pages.size() * kListEntry);
  codec::store_u64(value, at, bytes);
  codec::store_i32(value, at + 8, static_cast<std::int32_t>(page_bytes));
  codec::store_i32(value, at + 12, static_cast<std::int32_t>(pages.size()));
  at += kListHead;
  for (const Page& page : pages) {
    codec::store_u64(value, at, page.offset);
    codec::store_u64(value, at + 8, page.hash);
    at += kListEntry;
  }
}

std::size_t PageList::length_of(std::size_t page) const {
  return static_cast<std::size_t>(std::min<std::uint64_t>(
      page_bytes, bytes - static_cast<std::uint64_t>(page) * page_bytes));
}

std::uint64_t PageList::stored_bytes() const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (!pages[i].absent()) total += length_of(i);
  }
  return total;
}

io::Bytes read_page(const PageList& list, std::size_t page, io::ByteSource& source,
                    std::string_view what) {
  const Page& place = list.pages[page];
  const std::size_t length = list.length_of(page);
  const auto throw_damaged = [&](const std::string& how) {
    throw Error(ErrorKind::corruption,
                "page " + std::to_string(page) + " of " + std::string(what) + " at byte " +
                    std::to_string(place.offset) + " is damaged: " + how +
                    "; 'mlarray salvage' makes a new file of what is whole; verify=False "
                    "reads the bytes as they are");
  };
  const auto is_inside = [&] {
    return place.offset <= source.size() && length <= source.size() - place.offset;
  };
  if (!is_inside()) source.refresh();  // this process may have appended it
  if (!is_inside()) {
    throw_damaged("its " + std::to_string(length) + " bytes pass the end of the file");
  }
  io::Bytes bytes = source.get({place.offset, length});
  if (!is_as_written(list, page, bytes.data)) throw_damaged("its hash is another one");
  return bytes;
}

PageList append_pages(std::span<const std::byte> bytes,
                      const std::function<std::uint64_t(std::span<const std::byte>)>& append) {
  // Of what is read as a whole, few large ones: the list is read whenever the file is opened.
  constexpr std::uint32_t kLarge = std::uint32_t{1} << 20;
  PageList out;
  if (bytes.empty()) return out;
  out.bytes = bytes.size();
  out.page_bytes = kLarge;
  out.pages.resize((bytes.size() - 1) / kLarge + 1);
  for (std::size_t i = 0; i < out.pages.size(); ++i) {
    const auto page = bytes.subspan(i * kLarge, out.length_of(i));
    out.pages[i] = {append(page), page_hash(page, i)};
  }
  return out;
}

Pages::Pages(PageList list, std::shared_ptr<io::ByteSource> source, std::string_view what)
    : list_(std::move(list)),
      source_(std::move(source)),
      what_(what),
      read_(list_.pages.size()) {}

Pages::~Pages() {
  for (const auto& page : read_) delete page.load(std::memory_order_relaxed);
}

std::optional<io::Range> Pages::missing(std::size_t page) const {
  const Page& place = list_.pages[page];
  if (place.absent() || read_[page].load(std::memory_order_acquire) != nullptr) return {};
  const std::size_t length = list_.length_of(page);
  // What passes the end of the file is for get() to say.
  const std::uint64_t size = source_->size();
  if (place.offset > size || length > size - place.offset) return {};
  return io::Range{place.offset, length};
}

std::span<const std::byte> Pages::get(std::size_t page) const {
  if (const io::Bytes* found = read_[page].load(std::memory_order_acquire)) return found->data;
  if (list_.pages[page].absent()) return {};
  return keep(page, read_page(list_, page, *source_, what_));
}

std::span<const std::byte> Pages::keep(std::size_t page, io::Bytes bytes) const {
  auto kept = std::make_unique<const io::Bytes>(std::move(bytes));
  const std::scoped_lock lock(mutex_);
  const io::Bytes* first = read_[page].load(std::memory_order_relaxed);
  if (first == nullptr) {
    first = kept.release();
    read_[page].store(first, std::memory_order_release);
  }
  return first->data;
}

void Pages::take(std::uint64_t offset, const io::Bytes& bytes) const {
  for (std::size_t page = 0; page < list_.pages.size(); ++page) {
    const auto range = missing(page);
    if (!range || range->offset < offset || range->length > bytes.data.size() ||
        range->offset - offset > bytes.data.size() - range->length) {
      continue;
    }
    const auto found = bytes.data.subspan(static_cast<std::size_t>(range->offset - offset),
                                          static_cast<std::size_t>(range->length));
    if (!is_as_written(list_, page, found)) continue;
    // Else it would keep all that was read with it.
    const auto own = std::make_shared<const std::vector<std::byte>>(found.begin(), found.end());
    keep(page, {*own, own});
  }
}

std::optional<std::span<const std::byte>> Pages::find(std::size_t page) const {
  try {
    return get(page);
  } catch (const Error&) {
    return std::nullopt;
  }
}

PageMaker::PageMaker(const PageList& form, std::size_t item_bytes)
    : item_bytes_(item_bytes), pages_(form.pages.size()) {
  form_.bytes = form.bytes;
  form_.page_bytes = form.page_bytes;
  form_.pages.resize(form.pages.size());
}

std::int64_t PageMaker::page_of(std::int64_t item) const {
  return item / static_cast<std::int64_t>(form_.page_bytes / item_bytes_);
}

std::int64_t PageMaker::first_item(std::int64_t page) const {
  return page * static_cast<std::int64_t>(form_.page_bytes / item_bytes_);
}

std::span<std::byte> PageMaker::page(std::int64_t page) {
  std::vector<std::byte>& bytes = pages_[static_cast<std::size_t>(page)];
  if (bytes.empty()) {
    bytes.resize(form_.length_of(static_cast<std::size_t>(page)));
    held_ += bytes.size();
  }
  return bytes;
}

void PageMaker::set(std::int64_t item, std::span<const std::byte> bytes) {
  if (empty()) return;
  const std::int64_t number = page_of(item);
  if (bytes.empty() && pages_[static_cast<std::size_t>(number)].empty()) return;
  const auto place = page(number).subspan(
      static_cast<std::size_t>(item - first_item(number)) * item_bytes_, item_bytes_);
  codec::fill_bytes(place, 0);
  codec::copy_bytes(bytes.first(std::min(bytes.size(), item_bytes_)), place.data());
}

void PageMaker::append_to(std::vector<std::byte>& out, std::uint64_t position,
                          PageList& list) const {
  for (std::size_t i = 0; i < pages_.size(); ++i) {
    const std::vector<std::byte>& bytes = pages_[i];
    if (bytes.empty()) continue;
    if (all_zeros(bytes)) {
      list.pages[i] = {};
      continue;
    }
    list.pages[i] = {position + out.size(), page_hash(bytes, i)};
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
}

std::vector<std::byte> pack_value(std::span<const std::byte> value) {
  constexpr std::size_t kShort = 1024;
  if (value.size() > kShort) return codec::compress_bytes(value, 1);
  return codec::store_chunk(value, 1, static_cast<std::int32_t>(value.size()));
}

}  // namespace mlarray::store
