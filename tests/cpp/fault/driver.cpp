#include "driver.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/mutants.hpp"
#include "mlarray/error.hpp"
#include "session/array_records.hpp"
#include "session/inside.hpp"
#include "support/voxels.hpp"

namespace mlarray::test {
namespace {

DType bytes_type() { return DType::parse("|u1"); }

std::string text_of(const Metadata& metadata) {
  const Map* const map = metadata.get("extra", "extra").get_if<Map>();
  const Value* const value = map == nullptr ? nullptr : map->find("text");
  const std::string* const text = value == nullptr ? nullptr : value->get_if<std::string>();
  return text == nullptr ? std::string() : *text;
}

// What is recorded of voxels: a sum that tells one state from the others.
FileBytes record_of(const FileBytes& voxels) {
  const auto sum = std::hash<std::string_view>()(
      {reinterpret_cast<const char*>(voxels.data()), voxels.size()});
  const auto bytes = std::as_bytes(std::span(&sum, 1));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

const char* name_of(Level level) {
  return level == Level::none ? "none" : level == Level::ordered ? "ordered" : "durable";
}

std::size_t Content::hash() const {
  const std::hash<std::string_view> hash;
  const std::size_t one = hash({reinterpret_cast<const char*>(voxels.data()), voxels.size()});
  return exists ? (one * 31 + hash(text)) * 2 + (recorded ? 3 : 1) : 0;
}

Content content_of(const Array& array) {
  Content out;
  out.exists = true;
  out.voxels.resize(static_cast<std::size_t>(element_count(array.shape())));
  array.read({Shape(array.shape().size(), 0), array.shape()}, out.voxels, 1);
  out.text = text_of(array.metadata());
  if (const auto found = session::read_record(array, store::kLabelIndex)) {
    if (FileBytes(found->begin(), found->end()) != record_of(out.voxels)) {
      throw Error(ErrorKind::corruption, "a record of other voxels");
    }
    out.recorded = true;
  }
  return out;
}

Content read_content(const Shapes& shapes, Access access) {
  const Array array = Array::open(kPath, {.access = access, .threads = 1, .verify = true});
  if (array.shape() != shapes.shape) {
    throw Error(ErrorKind::corruption, "another shape: " + to_string(array.shape()));
  }
  return content_of(array);
}

Driver::Driver(MemoryFiles& files, Findings& findings, std::string where, const Content& first,
               Shapes shapes, std::uint64_t seed, std::string path)
    : files_(files),
      findings_(findings),
      where_(std::move(where)),
      path_(std::move(path)),
      shapes_(std::move(shapes)),
      random_(seed),
      states_{first},
      promises_{{}} {}

bool Driver::commit_call(const std::string& what, const Content& next, Level level,
                         bool new_file, const std::function<void()>& body) {
  states_.push_back(next);
  const std::size_t state = states_.size() - 1;
  const std::size_t before = promises_.back().after_kill;
  promise(state);
  const int file = files_.file_at(kPath);
  const bool done = call(what, body);
  if (done) promises_.back().after_kill = state;
  if (new_file) {
    if (done) {
      renamed(level, state);
    } else if (files_.file_at(kPath) != file) {
      if (level != Level::durable) add("inside", what + " threw and has replaced the file");
      renamed(level == Level::none ? level : Level::ordered, state);
    }
  } else if (done) {
    committed(level, before, state);
    compacted(file);
  } else if (level == Level::none) {
    file_unsafe_ = true;
  }
  promise(state);
  return done;
}

// --- calls
// -------------------------------------------------------------------------------------

bool Driver::call(const std::string& what, const std::function<void()>& body) {
  threw_ = false;
  if (files_.dead()) throw Killed{};
  try {
    body();
  } catch (const Error& error) {
    threw_ = true;
    if (!files_.dead()) check_error(what, error);
  }
  if (files_.dead()) throw Killed{};
  if (!threw_) check_poison(what, true);
  return !threw_;
}

Content Driver::random_content() {
  Content out;
  out.exists = true;
  out.text = random_text();
  out.voxels.resize(static_cast<std::size_t>(shapes_.voxels()));
  for (std::byte& b : out.voxels) b = static_cast<std::byte>(random_.next());
  return out;
}

std::string Driver::random_text() {
  std::string out(40 + random_.below(700), ' ');
  for (char& c : out) c = static_cast<char>('!' + random_.below(90));
  return out;
}

SaveOptions Driver::save_options(Level level, SaveOptions options) const {
  if (!options.layout.chunk) {
    options.layout.chunk = shapes_.chunk;
    options.layout.block = shapes_.block;
  }
  options.threads = 1;
  options.level = level;
  return options;
}

bool Driver::create(Level level) {
  Content zeros = random_content();
  std::fill(zeros.voxels.begin(), zeros.voxels.end(), std::byte{0});
  writer_.reset();
  std::optional<Array> made;
  const bool done = commit_call("create", zeros, level, true, [&] {
    made = Array::create(path_, shapes_.shape, bytes_type(), with_text(zeros.text),
                         save_options(level, {}));
  });
  if (!done) return false;
  writer_ = std::move(made);
  writer_->set_commit_budget({.bytes = std::int64_t{1} << 40, .seconds = 1e9});
  level_ = level;
  own_ = std::move(zeros);
  dirty_ = false;
  return true;
}

bool Driver::save(Level level, SaveOptions options) {
  const Content next = random_content();
  if (writer_ && dirty_) {
    states_.push_back(own_);  // the writer is committed first
    promise(states_.size() - 1);
  }
  const bool done = commit_call("save", next, level, true, [&] {
    Array::save_voxels(path_, {next.voxels.data(), shapes_.shape, c_strides(shapes_.shape, 1)},
                       bytes_type(), with_text(next.text), save_options(level, options));
  });
  writer_.reset();
  dirty_ = false;
  return done;
}

bool Driver::save_self(Level level) {
  if (!writer_) return false;
  const bool done = commit_call("save", own_, level, true,
                                [&] { writer_->save(path_, save_options(level, {})); });
  if (done) {
    dirty_ = false;
    poison_.clear();  // a new file, which has everything
  }
  check_own("save");
  return done;
}

bool Driver::repack(Level level) {
  std::optional<Array> source;
  if (!call("open", [&] { source = Array::open(path_, {.threads = 1}); })) return false;
  Content next;
  if (!call("read", [&] { next = content_of(*source); })) return false;
  SaveOptions options = save_options(level, {});
  options.preset = Preset::small;
  options.layout.chunk = shapes_.shape;
  options.layout.block = shapes_.chunk;
  return commit_call("save", next, level, true, [&] { source->save(path_, options); });
}

bool Driver::open(Level level, OpenOptions options) {
  options.threads = 1;
  options.level = level;
  std::optional<Array> opened;
  const auto open_it = [&] { opened = Array::open(path_, options); };
  if (!call("open", open_it) && !call("open", open_it)) return false;
  Content found;
  const auto read = [&] { found = content_of(*opened); };
  if (!call("read", read) && !call("read", read)) return false;
  poison_.clear();
  writer_ = std::move(opened);
  writer_->set_commit_budget({.bytes = std::int64_t{1} << 40, .seconds = 1e9});
  level_ = level;
  own_ = found;
  dirty_ = false;
  // An error before may have left either of two states.
  const Promise& now = promises_.back();
  for (std::size_t i = now.newest + 1; i-- > now.after_kill;) {
    if (states_[i] == own_) return true;
  }
  add("wrong", "a writer opens a state that was never committed");
  return true;
}

bool Driver::open_reader(Access access) {
  std::optional<Array> opened;
  const std::size_t before = promises_.back().after_kill;
  const bool commits = writer_ && dirty_;
  if (commits) {
    states_.push_back(own_);  // the writer of this process is committed first
    promise(states_.size() - 1);
  }
  const auto body = [&] { opened = Array::open(path_, {.access = access, .threads = 1}); };
  if (!call("open", body)) return false;
  if (!call("read", [&] { read_ = content_of(*opened); })) return false;
  reader_ = std::move(opened);
  if (!commits) return true;
  if (read_ == own_) {
    dirty_ = false;
    promises_.back().after_kill = states_.size() - 1;
    committed(level_, before, states_.size() - 1);
    promise(states_.size() - 1);
  } else if (files_.failed().empty()) {
    add("inside", "a reader of the process does not see what its writer wrote");
  }
  return true;
}

bool Driver::open_second(Level level) {
  if (!writer_) return false;
  OpenOptions options;
  options.mode = Mode::read_write;
  options.threads = 1;
  options.level = level;
  const std::size_t before = promises_.back().after_kill;
  if (dirty_) {
    states_.push_back(own_);  // the older one is committed first
    promise(states_.size() - 1);
  }
  Array older = *writer_;
  std::optional<Array> opened;
  if (!call("open", [&] { opened = Array::open(path_, options); })) return false;
  Content found;
  if (!call("read", [&] { found = content_of(*opened); })) return false;
  const bool kept = found == own_;
  if (kept && dirty_) {
    promises_.back().after_kill = states_.size() - 1;
    committed(level_, before, states_.size() - 1);
    promise(states_.size() - 1);
  }
  const std::string first_error = std::exchange(poison_, "");
  writer_ = std::move(opened);
  writer_->set_commit_budget({.bytes = std::int64_t{1} << 40, .seconds = 1e9});
  own_ = std::move(found);
  level_ = level;
  dirty_ = false;
  bool told = false;
  try {
    older.close();
  } catch (const Error&) {
    told = true;
  }
  if (!kept && !told)
    add("inside", "a second writer drops edits of the first, which closes well");
  if (told && first_error.empty() && files_.failed().empty()) {
    add("refused", "the first of two writers does not close");
  }
  return true;
}

bool Driver::edit_call(const std::string& what, Content next,
                       const std::function<void()>& body) {
  if (nameless_) return nameless_call(what, body);
  coming_ = next;
  bool done = false;
  if (each_edit_ && (what == "edit" || at_once_)) {
    done = commit_call(what, next, level_, false, body);
    if (!done && own_ != next) {
      // Whether the edit or its commit failed: it is seen whole or not at all.
      try {
        const Content seen = content_of(*writer_);
        if (seen == next) own_ = next;
      } catch (const Error&) {
      }
    } else {
      dirty_ = false;
    }
  } else if (base::limit("min_growth", 0) == 0) {
    done = call(what, body);
    if (done) dirty_ = true;
  } else {
    done = growing_call(what, next, body);
  }
  if (done) own_ = std::move(next);
  coming_.reset();
  check_own(what);
  return done;
}

// Should the edit grow the file so much that it is rewritten, the new file has the edit, too.
bool Driver::growing_call(const std::string& what, const Content& next,
                          const std::function<void()>& body) {
  const int file = files_.file_at(kPath);
  const std::size_t newest = promises_.back().newest;
  const std::size_t state = states_.size();
  states_.push_back(next);
  promise(state);
  const bool done = call(what, body);
  if (files_.file_at(kPath) != file) {
    promises_.back().after_kill = state;
    compacted(file);
    dirty_ = false;
    promise(state);
    return done;
  }
  if (done) dirty_ = true;
  states_.pop_back();
  promise(0);
  promises_.back().newest = newest;
  return done;
}

bool Driver::edit() {
  Box box;
  for (const std::int64_t length : shapes_.shape) {
    const auto end = static_cast<std::size_t>(length);
    std::size_t a = random_.below(end), b = random_.below(end);
    if (a > b) std::swap(a, b);
    box.start.push_back(static_cast<std::int64_t>(a));
    box.stop.push_back(static_cast<std::int64_t>(b) + 1);
  }
  return edit(box);
}

bool Driver::edit(const Box& box, bool zeros) {
  if (!writer_) return false;
  Content next = own_;
  next.recorded = false;
  const std::int64_t rows = shapes_.shape[0], columns = shapes_.shape[1];
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      if (row < box.start[0] || row >= box.stop[0] || column < box.start[1] ||
          column >= box.stop[1]) {
        continue;
      }
      next.voxels[static_cast<std::size_t>(row * columns + column)] =
          zeros ? std::byte{0} : static_cast<std::byte>(random_.next());
    }
  }
  const std::byte* const corner = next.voxels.data() + box.start[0] * columns + box.start[1];
  return edit_call("edit", next, [&] {
    writer_->write(box, {corner, box.shape(), c_strides(shapes_.shape, 1)}, 1);
  });
}

bool Driver::set_text() {
  if (!writer_) return false;
  Content next = own_;
  next.text = random_text();
  return edit_call("set_text", next, [&] { writer_->set_metadata(with_text(next.text)); });
}

bool Driver::record(Level level) {
  if (!writer_) return false;
  Content next = own_;
  next.recorded = true;
  coming_ = next;
  const bool done = commit_call("record", next, level, false, [&] {
    const auto state = Array::Inside::impl(*writer_).open_snapshot();
    session::write_record(*writer_, *state, store::kLabelIndex, record_of(own_.voxels), level);
  });
  if (done) {
    own_ = std::move(next);
    dirty_ = false;
  } else {
    try {
      // Whether its commit took place: it is seen whole or not at all.
      if (content_of(*writer_) == next) own_ = next;
    } catch (const Error&) {
    }
  }
  coming_.reset();
  check_own("record");
  return done;
}

bool Driver::flush(Level level) {
  if (!writer_) return false;
  const auto body = [&] { writer_->flush(level); };
  if (nameless_) return nameless_call("flush", body);
  const int file = files_.file_at(kPath);
  if (dirty_) {
    if (commit_call("flush", own_, level, false, body)) dirty_ = false;
  } else if (call("flush", body)) {
    // Nothing new: what is there is made as safe as it says.
    const Promise now = promises_.back();
    if (level != Level::none) committed(level, file_floor_, now.after_kill);
    compacted(file);
    promise(now.newest);
  }
  check_own("flush");
  return !threw_;
}

bool Driver::close() {
  if (!writer_) return false;
  const int file = files_.file_at(kPath);
  const auto body = [&] { writer_->close(); };
  if (nameless_) {
    const bool told = nameless_call("close", body);
    nameless_ = dirty_ = false;
    writer_.reset();
    poison_.clear();
    return told;
  }
  if (dirty_) {
    commit_call("close", own_, level_, false, body);
  } else {
    call("close", body);
    compacted(file);
    promise(promises_.back().newest);
  }
  const bool done = !threw_;
  if (!done) lost_by_close();
  check_space();
  dirty_ = false;
  writer_.reset();
  poison_.clear();
  return done;
}

bool Driver::refresh_reader() {
  if (!reader_) return false;
  if (!call("refresh", [&] { reader_->refresh(); })) return false;
  return call("read", [&] { read_ = content_of(*reader_); });
}

void Driver::commit_each_edit() {
  if (!writer_) return;
  each_edit_ = true;
  writer_->set_commit_budget({.bytes = 1, .seconds = 1e9});
}

void Driver::commit_at_once() {
  if (!writer_) return;
  each_edit_ = at_once_ = true;
  writer_->set_commit_budget({.bytes = std::int64_t{1} << 40, .seconds = 0});
}

bool Driver::outside(const Content& left, const std::function<bool()>& body) {
  if (files_.dead()) throw Killed{};
  states_.push_back(left);
  const std::size_t state = states_.size() - 1;
  promise(state);
  if (!body()) throw Killed{};
  promises_.back().after_kill = state;
  renamed(Level::ordered, state);
  promise(state);
  nameless_ = true;
  return true;
}

bool Driver::remove_outside() {
  return outside({}, [&] { return files_.remove_outside(kPath); });
}

bool Driver::replace_outside() {
  const FileBytes copy = *files_.now().find(kPath);
  return outside(states_[promises_.back().after_kill],
                 [&] { return files_.replace_outside(kPath, copy); });
}

bool Driver::nameless_call(const std::string& what, const std::function<void()>& body) {
  if (files_.dead()) throw Killed{};
  bool told = false;
  try {
    body();
  } catch (const Error& error) {
    told = true;
    const std::string text = error.what();
    const bool why = text.find("removed") != std::string::npos ||
                     text.find("replaced") != std::string::npos || !files_.failed().empty();
    if (!files_.dead() && (!why || text.find(MemoryFiles::kFolder) == std::string::npos)) {
      add("mute", what + " of a file without a name says: " + text);
    }
  }
  if (files_.dead()) throw Killed{};
  if (!told) add("lost", what + " succeeds in a file that has no name");
  check_own(what);
  return told;
}

void Driver::drop() {
  writer_.reset();
  reader_.reset();
}

}  // namespace mlarray::test
