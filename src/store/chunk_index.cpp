#include "store/chunk_index.hpp"

#include <algorithm>
#include <utility>

namespace mlarray::store {
namespace {

constexpr std::size_t slot(std::int64_t number, int shift, std::size_t fan_out) {
  return static_cast<std::size_t>(number >> shift) & (fan_out - 1);
}

}  // namespace

ChunkIndex::ChunkIndex(std::int64_t chunk_count) : size_(chunk_count) {
  while ((size_ - 1) >> (shift_ + kBits) > 0) shift_ += kBits;
}

ChunkIndex::ChunkIndex(std::vector<frame::IndexEntry> entries, ChecksumTable sums,
                       std::shared_ptr<const BlockOffsets> offsets)
    : ChunkIndex(static_cast<std::int64_t>(entries.size())) {
  offsets_ = std::move(offsets);
  base_ = std::make_shared<const std::vector<frame::IndexEntry>>(std::move(entries));
  sums_ = std::move(sums);
}

frame::IndexEntry ChunkIndex::entry(std::int64_t number) const {
  if (const Replacement* found = replacement(number)) return found->entry;
  return base_ ? (*base_)[static_cast<std::size_t>(number)] : frame::IndexEntry();
}

const Replacement* ChunkIndex::replacement(std::int64_t number) const {
  const void* at = root_.get();
  for (int shift = shift_; at != nullptr && shift >= 0; shift -= kBits) {
    at = static_cast<const Node*>(at)->children[slot(number, shift, kFanOut)].get();
  }
  return static_cast<const Replacement*>(at);
}

std::shared_ptr<const ChunkIndex::Node> ChunkIndex::replaced(
    const Node* node, int shift, std::int64_t number, std::shared_ptr<const Replacement> leaf) {
  auto out = node != nullptr ? std::make_shared<Node>(*node) : std::make_shared<Node>();
  std::shared_ptr<const void>& child = out->children[slot(number, shift, kFanOut)];
  if (shift == 0) {
    child = std::move(leaf);
  } else {
    child =
        replaced(static_cast<const Node*>(child.get()), shift - kBits, number, std::move(leaf));
  }
  return out;
}

void ChunkIndex::replace(std::int64_t number, Replacement replacement) {
  root_ = replaced(root_.get(), shift_, number,
                   std::make_shared<const Replacement>(std::move(replacement)));
}

void ChunkIndex::for_each(
    const std::function<void(std::int64_t, const Replacement&)>& body) const {
  const auto visit = [&](const auto& self, const Node* node, int shift,
                         std::int64_t first) -> void {
    for (std::size_t i = 0; i < kFanOut; ++i) {
      const void* child = node->children[i].get();
      if (child == nullptr) continue;
      const std::int64_t number = first + (static_cast<std::int64_t>(i) << shift);
      if (shift == 0) {
        body(number, *static_cast<const Replacement*>(child));
      } else {
        self(self, static_cast<const Node*>(child), shift - kBits, number);
      }
    }
  };
  if (root_) visit(visit, root_.get(), shift_, 0);
}

std::vector<frame::IndexEntry> ChunkIndex::entries() const {
  auto out = base_ ? *base_ : std::vector<frame::IndexEntry>(static_cast<std::size_t>(size_));
  for_each([&](std::int64_t number, const Replacement& chunk) {
    out[static_cast<std::size_t>(number)] = chunk.entry;
  });
  return out;
}

ChunkSums ChunkIndex::sums(std::int64_t number) const {
  const Replacement* replaced = replacement(number);
  return replaced != nullptr ? ChunkSums(replaced->sums) : sums_.of_chunk(number);
}

std::span<const std::byte> ChunkIndex::head(std::int64_t number) const {
  if (const Replacement* replaced = replacement(number)) return replaced->head;
  if (!offsets_ || entry(number).is_special()) return {};
  const auto found = offsets_->of_chunk(number);
  return found ? found->head : std::span<const std::byte>();
}

void ChunkIndex::for_each_changed(const ChunkIndex& older,
                                  const std::function<void(std::int64_t)>& body) const {
  const auto visit = [&](const auto& self, const void* now, const void* before, int shift,
                         std::int64_t first) -> void {
    if (now == before) return;
    if (shift < 0) return body(first);
    for (std::size_t i = 0; i < kFanOut; ++i) {
      const auto child = [&](const void* node) {
        return node == nullptr ? nullptr : static_cast<const Node*>(node)->children[i].get();
      };
      self(self, child(now), child(before), shift - kBits,
           first + (static_cast<std::int64_t>(i) << shift));
    }
  };
  visit(visit, root_.get(), older.root_.get(), shift_, 0);
}

void ChunkIndex::check_kept_sums(const ChunkIndex& older) const {
  const std::int64_t per_page = sums_.chunks_of_page();
  if (per_page == 0) return;
  std::int64_t checked = -1;
  for_each_changed(older, [&](std::int64_t number) {
    const std::int64_t page = number / per_page;
    if (page == checked) return;
    checked = page;
    const std::int64_t stop = std::min((page + 1) * per_page, size_);
    std::int64_t i = page * per_page;
    while (i < stop && replacement(i) != nullptr) ++i;
    if (i < stop) static_cast<void>(sums_.of_chunk(i).stored());  // the page is verified whole
  });
}

std::vector<io::Range> ChunkIndex::pages_to_read(std::span<const std::int64_t> numbers) const {
  std::vector<io::Range> out;
  if (offsets_) out = offsets_->pages_to_read(numbers);
  const std::vector<io::Range> sums = sums_.pages_to_read(numbers);
  out.insert(out.end(), sums.begin(), sums.end());
  return out;
}

void ChunkIndex::take(std::uint64_t offset, const io::Bytes& bytes) const {
  if (bytes.data.empty()) return;
  if (offsets_) offsets_->pages().take(offset, bytes);
  sums_.take(offset, bytes);
}

}  // namespace mlarray::store
