#include "training/spill_file.hpp"

namespace mlarray::training {

SpillFile::SpillFile(const std::filesystem::path& path) : target_(path) {
  target_ += ".scores";
}

std::uint64_t SpillFile::put(std::span<const std::byte> bytes) {
  if (!file_) file_.emplace(target_, CommitLevel::none);
  std::vector<std::uint64_t>& free = free_[bytes.size()];
  const std::uint64_t place = free.empty() ? end_ : free.back();
  file_->write_at(place, bytes);
  if (free.empty()) {
    end_ += bytes.size();
  } else {
    free.pop_back();
  }
  return place;
}

void SpillFile::take(std::uint64_t place, std::span<std::byte> to) {
  if (!source_) source_ = io::open_buffered(file_->temporary());
  if (source_->size() < end_) source_->refresh();
  source_->read({place, to.size()}, to);
  free_[to.size()].push_back(place);
}

}  // namespace mlarray::training
