// What a driver takes as promised, and what it looks at after each call.
#include <algorithm>
#include <cerrno>
#include <system_error>

#include "driver.hpp"
#include "mlarray/error.hpp"

namespace mlarray::test {
namespace {

constexpr std::size_t kExamplesOfAKind = 3;

}  // namespace

void Findings::add(const std::string& kind, const std::string& where, const std::string& what) {
  ++places_[where.substr(0, where.find(' ')) + ": " + kind];
  if (++counts_[kind] <= kExamplesOfAKind) {
    examples_.push_back(kind + ": " + where + ": " + what);
  }
}

Findings& Findings::operator+=(const Findings& other) {
  for (const auto& [place, count] : other.places_) places_[place] += count;
  for (const auto& [kind, count] : other.counts_) counts_[kind] += count;
  std::map<std::string, std::size_t> shown;
  examples_.insert(examples_.end(), other.examples_.begin(), other.examples_.end());
  std::erase_if(examples_, [&](const std::string& example) {
    return ++shown[example.substr(0, example.find(':'))] > kExamplesOfAKind;
  });
  return *this;
}

std::size_t Findings::count(const std::string& kind) const {
  const auto found = counts_.find(kind);
  return found == counts_.end() ? 0 : found->second;
}

std::size_t Findings::count(const std::string& kind, const std::string& place) const {
  const auto found = places_.find(place + ": " + kind);
  return found == places_.end() ? 0 : found->second;
}

std::string Findings::table() const {
  std::string text;
  for (const auto& [place, count] : places_) text += place + " " + std::to_string(count) + "\n";
  return text;
}

std::size_t Findings::total() const {
  std::size_t total = 0;
  for (const auto& [kind, count] : counts_) total += count;
  return total;
}

void Driver::promise(std::size_t newest) {
  Promise next = promises_.back();
  next.operation = files_.log().size();
  next.newest = std::max(next.newest, newest);
  next.after_cut = name_safe_ ? file_floor_ : name_floor_;
  next.cut_unsafe = file_unsafe_ || (!name_safe_ && name_unsafe_);
  promises_.push_back(next);
}

// A new file that holds `state` has got the name.
void Driver::renamed(Level level, std::size_t state) {
  const Promise& before = promises_.back();
  name_floor_ = before.after_cut;
  name_unsafe_ = before.cut_unsafe;
  name_safe_ = level == Level::durable;
  file_floor_ = state;
  file_unsafe_ = level == Level::none;
}

// The open file has got `state` by a commit; `before` was promised before.
void Driver::committed(Level level, std::size_t before, std::size_t state) {
  if (level == Level::none) {
    file_unsafe_ = true;
    return;
  }
  file_unsafe_ = false;
  // The sync of an ordered commit writes the flip of the one before it, unless a sync that
  // failed in between has forgotten it.
  if (level == Level::durable) file_floor_ = state;
  if (level == Level::ordered && failed_syncs() == failed_syncs_) {
    file_floor_ = std::max(file_floor_, before);
  }
  failed_syncs_ = failed_syncs();
  if (level == Level::durable) name_safe_ = true;
}

std::size_t Driver::failed_syncs() const {
  std::size_t count = 0;
  for (const Call& one : files_.failed()) {
    count += (one.name == "fsync" || one.name == "fdatasync") && one.code != EINTR ? 1u : 0u;
  }
  return count;
}

// Where the file is another one than before, it was compacted, and is as safe as the old one.
void Driver::compacted(int file_before) {
  if (files_.file_at(kPath) == file_before) return;
  const std::size_t state = promises_.back().after_kill;
  promise(state);
  renamed(file_unsafe_ ? Level::none : Level::ordered, state);
}

// An error that follows from a call that was made to fail.
void Driver::check_error(const std::string& what, const Error& error) {
  const std::string text = error.what();
  const std::vector<Call>& failed = files_.failed();
  if (failed.empty()) {
    add("refused", what + " throws where nothing failed: " + text);
    return;
  }
  static const std::vector<std::string> kWriting = {"edit", "set_text", "record", "flush",
                                                    "close"};
  if (!poison_.empty()) {
    if (std::find(kWriting.begin(), kWriting.end(), what) != kWriting.end() &&
        text.find(poison_) == std::string::npos) {
      add("unpoisoned", what + " does not name the first error but says: " + text);
    }
    return;
  }
  const std::string& name = failed.back().name;
  const int code = failed.back().code;
  static const std::vector<std::string> kHints = {
      "start_writeback", "list_folder", "unlink", "fchmod", "fchown", "flock", "close_read"};
  if (code == EINTR || code == 0 ||
      std::find(kHints.begin(), kHints.end(), name) != kHints.end()) {
    add("refused", what + " throws after " + name + " with errno " + std::to_string(code) +
                       ", which matters to nothing: " + text);
  }
  if (!error_checked_) {
    error_checked_ = true;
    if (text.find(std::generic_category().message(code)) == std::string::npos) {
      add("mute", what + " after a failed " + name + " does not say why: " + text);
    }
    if (text.find(MemoryFiles::kFolder) == std::string::npos) {
      add("mute", what + " after a failed " + name + " names no path: " + text);
    }
    if (error.kind() != ErrorKind::io && error.kind() != ErrorKind::busy) {
      add("mute", what + " after a failed " + name + " is no error of kind io: " + text);
    }
  }
  // Was it a write to the file that the writer has open?
  static const std::vector<std::string> kWrites = {"pwrite", "ftruncate", "fsync", "fdatasync"};
  for (; seen_failures_ < failed.size(); ++seen_failures_) {
    const Call& one = failed[seen_failures_];
    if (writer_ && one.file >= 0 && one.file == files_.file_at(kPath) &&
        std::find(kWrites.begin(), kWrites.end(), one.name) != kWrites.end()) {
      poison_ = text;
    }
  }
}

void Driver::check_poison(const std::string& what, bool returned) {
  static const std::vector<std::string> kWriting = {"edit", "set_text", "record", "flush",
                                                    "close"};
  if (poison_.empty() || !returned) return;
  if (std::find(kWriting.begin(), kWriting.end(), what) == kWriting.end()) return;
  add("unpoisoned", what + " succeeds after: " + poison_);
}

void Driver::check_reader(const Array& array, const std::vector<const Content*>& allowed,
                          const std::string& what) {
  try {
    const Content seen = content_of(array);
    for (const Content* one : allowed) {
      if (seen == *one) return;
    }
    add("inside", what);
  } catch (const Error& error) {
    if (!files_.dead() && files_.failed().empty()) add("inside", what + ": " + error.what());
  }
}

void Driver::check_own(const std::string& what) {
  if (!writer_ || writer_->closed() || files_.dead()) return;
  if (!poison_.empty()) return;  // it may show the last commit or the last edit
  check_reader(*writer_, {&own_}, "after " + what + " the writer shows another state");
}

void Driver::look_inside() {
  if (files_.dead()) return;
  if (reader_) check_reader(*reader_, {&read_}, "a reader sees another state than it opened");
  if (writer_ && !writer_->closed()) {
    std::vector<const Content*> allowed = {&own_};
    if (coming_) allowed.push_back(&*coming_);
    check_reader(*writer_, allowed, "within a call the writer shows a mixture");
  }
}

// What an edit that failed has appended is not left behind the last commit.
void Driver::check_space() {
  std::size_t failed = 0;
  for (const Call& one : files_.failed()) {
    if (one.name != "pwrite") return;
    failed += one.code != 0 && one.code != EINTR ? 1u : 0u;
  }
  const FileBytes* const bytes = files_.now().find(kPath);
  if (failed > 1 || bytes == nullptr || bytes->size() < 24) return;
  std::uint64_t length = 0;  // "Header" in docs/format.md
  for (std::size_t i = 16; i < 24; ++i) {
    length = length << 8 | std::to_integer<std::uint64_t>((*bytes)[i]);
  }
  if (bytes->size() != length) {
    add("left", "a closed file of " + std::to_string(bytes->size()) + " bytes, of which " +
                    std::to_string(length) + " are its state");
  }
}

// A failed close(2) that was reported takes back what had not been synced (a full server).
void Driver::lost_by_close() {
  for (const Call& one : files_.failed()) {
    if (one.name != "close") continue;
    promises_.back().after_kill = std::min(promises_.back().after_kill, file_floor_);
    return;
  }
}

}  // namespace mlarray::test
