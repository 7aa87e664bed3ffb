#include "array/writer.hpp"

namespace mlarray::array {

Writer::Writer(io::WritableFile file, frame::Header header, std::vector<std::byte> header_bytes)
    : file_(std::move(file)),
      header_(std::move(header)),
      header_bytes_(std::move(header_bytes)),
      end_(header_.frame_len),
      committed_at_(std::chrono::steady_clock::now()) {}

frame::IndexEntry Writer::append(std::span<const std::byte> chunk) {
  dirty_ = true;
  if (chunk.empty()) return frame::IndexEntry();
  file_.write_at(end_, chunk);
  const auto entry = frame::IndexEntry::at(end_ - header_.header_len);
  end_ += chunk.size();
  return entry;
}

void Writer::commit(std::span<const frame::IndexEntry> index,
                    std::span<const frame::VlMetalayer> vlmeta, bool durable,
                    const std::function<void()>& check) {
  frame::Header header = header_;
  std::vector<std::byte> header_bytes = header_bytes_;
  const std::vector<std::byte> tail =
      frame::build_tail(header, header_bytes, end_, index, vlmeta);
  check();
  file_.write_at(end_, tail);
  if (durable) file_.sync();
  // One small write: both lengths and the vlmeta flag change together.
  file_.write_at(frame::kFlipBegin,
                 std::span<const std::byte>(header_bytes)
                     .subspan(frame::kFlipBegin, frame::kFlipEnd - frame::kFlipBegin));
  if (durable) file_.sync();
  header_ = std::move(header);
  header_bytes_ = std::move(header_bytes);
  end_ = header_.frame_len;
  dirty_ = false;
  ever_committed_ = true;
  committed_at_ = std::chrono::steady_clock::now();
}

bool Writer::due(const CommitBudget& budget) const {
  if (!dirty_) return false;
  const std::chrono::duration<double> age = std::chrono::steady_clock::now() - committed_at_;
  return end_ - header_.frame_len >= static_cast<std::uint64_t>(budget.bytes) ||
         age.count() >= budget.seconds;
}

}  // namespace mlarray::array
