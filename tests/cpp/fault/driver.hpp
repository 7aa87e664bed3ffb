// Uses mlarray::Array as a program would, keeps a twin of what it wrote, and knows which states
// of the file are promised after a kill and after a power cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "memory_files.hpp"
#include "mlarray/array.hpp"
#include "power_cuts.hpp"

namespace mlarray::test {

using Level = CommitLevel;
inline constexpr Level kLevels[] = {Level::none, Level::ordered, Level::durable};
const char* name_of(Level level);

inline const std::string kPath = std::string(MemoryFiles::kFolder) + "/a.mla";

// What one file holds: voxels of one fixed shape and type, one text in its metadata, and maybe
// a record of the voxels.
struct Content {
  bool exists = false;
  bool recorded = false;
  FileBytes voxels;
  std::string text;
  friend bool operator==(const Content&, const Content&) = default;
  std::size_t hash() const;
};

struct Shapes {
  Shape shape = {4, 700};
  Shape chunk = {1, 700};
  Shape block = {1, 350};
  std::int64_t voxels() const { return element_count(shape); }
};

// What is wrong, counted by kind, with examples.
class Findings {
 public:
  // "lost": no state that was promised. "wrong": a state that never was.
  // "inside": a reader in the process saw such a state, or a call that threw changed something.
  // "left": something stays that the next writer should have removed.
  // "mute": an error without path or reason. "unpoisoned": writing went on after it.
  // "refused": an error where nothing failed that matters.
  void add(const std::string& kind, const std::string& where, const std::string& what);
  Findings& operator+=(const Findings& other);
  std::size_t count(const std::string& kind) const;
  std::size_t count(const std::string& kind, const std::string& place) const;
  std::size_t total() const;
  const std::vector<std::string>& examples() const { return examples_; }
  const std::map<std::string, std::size_t>& counts() const { return counts_; }
  // "edit_ordered/cut: lost 12", a line for each.
  std::string table() const;

 private:
  std::map<std::string, std::size_t> counts_;
  std::map<std::string, std::size_t> places_;
  std::vector<std::string> examples_;  // a few of each kind
};

// What holds from an operation on. Numbers are those of states.
struct Promise {
  std::size_t operation = 0;
  std::size_t after_kill = 0;  // the oldest state that may be found
  std::size_t after_cut = 0;
  bool cut_unsafe = false;  // after a cut even an error is right, but no mixture
  std::size_t newest = 0;   // the newest that may be found
};

// Thrown by calls of a driver once its process is dead.
struct Killed : std::exception {};

// What an array shows. Throws what reading throws, and for a record of other voxels.
Content content_of(const Array& array);
// Reads the file at kPath as a new process would. Throws what opening and reading throw.
Content read_content(const Shapes& shapes, Access access);

class Driver {
 public:
  // The file at kPath holds `first`; it is used under the name `path`.
  Driver(MemoryFiles& files, Findings& findings, std::string where, const Content& first,
         Shapes shapes, std::uint64_t seed, std::string path = kPath);

  // --- what a program does. False: it threw, and the program goes on.
  bool create(Level level);
  bool save(Level level, SaveOptions options = {});  // new voxels
  bool save_self(Level level);                       // the writer over its own file
  bool repack(Level level);                          // a reader over its own file
  bool open(Level level, OpenOptions options = {.mode = Mode::read_write});
  bool open_reader(Access access = Access::mapped);  // one that stays
  bool open_second(Level level);                     // a second writer, which wins
  bool edit();                                       // a random box
  bool edit(const Box& box, bool zeros = false);
  bool set_text();
  bool record(Level level);  // of the voxels; it commits
  bool flush(Level level);
  bool close();
  bool refresh_reader();
  void commit_each_edit();  // by the budget of bytes
  void commit_at_once();    // by that of seconds
  // Another program, which knows no locks. Every commit and close() must say so from then on.
  bool remove_outside();
  bool replace_outside();  // by a copy of it
  bool is_open() const { return writer_.has_value(); }
  const Shapes& shapes() const { return shapes_; }

  // Ends the process as far as it has objects.
  void drop();

  const std::vector<Content>& states() const { return states_; }
  const std::vector<Promise>& promises() const { return promises_; }
  const Promise& promise() const { return promises_.back(); }
  // Does it expect an error in every further edit?
  bool poisoned() const { return !poison_.empty(); }
  // From outside, while a call runs: every reader must see a whole state.
  void look_inside();
  bool threw() const { return threw_; }

 private:
  // Runs one call of the library. False: it threw.
  bool call(const std::string& what, const std::function<void()>& body);
  // The same for one that commits `next`, at `level`, in place or as a new file.
  bool commit_call(const std::string& what, const Content& next, Level level, bool new_file,
                   const std::function<void()>& body);
  bool edit_call(const std::string& what, Content next, const std::function<void()>& body);
  void promise(std::size_t newest);
  void committed(Level level, std::size_t before, std::size_t state);
  std::size_t failed_syncs() const;
  bool growing_call(const std::string& what, const Content& next,
                    const std::function<void()>& body);
  void compacted(int file_before);
  // As call(), of one that must throw because the file has no name.
  bool nameless_call(const std::string& what, const std::function<void()>& body);
  bool outside(const Content& left, const std::function<bool()>& body);
  void check_space();
  void lost_by_close();
  void renamed(Level level, std::size_t state);
  void check_error(const std::string& what, const Error& error);
  void check_own(const std::string& what);
  void check_poison(const std::string& what, bool returned);
  void check_reader(const Array& array, const std::vector<const Content*>& allowed,
                    const std::string& what);
  Content random_content();
  std::string random_text();
  SaveOptions save_options(Level level, SaveOptions options) const;
  void add(const std::string& kind, const std::string& what) {
    findings_.add(kind, where_, what);
  }

  MemoryFiles& files_;
  Findings& findings_;
  std::string where_;
  std::string path_;
  Shapes shapes_;
  Random random_;
  std::vector<Content> states_;
  std::vector<Promise> promises_;

  std::optional<Array> writer_;
  Level level_ = Level::ordered;  // of the writer
  bool each_edit_ = false;
  bool at_once_ = false;  // edits of metadata, too
  bool nameless_ = false;
  bool dirty_ = false;             // has edits that are not committed
  Content own_;                    // what the writer shows
  std::optional<Content> coming_;  // what it will show if the call that runs succeeds
  std::optional<Array> reader_;
  Content read_;

  // For power cuts: the name is safe, or may still lead to what it led to before.
  bool name_safe_ = true;
  bool file_unsafe_ = false, name_unsafe_ = false;
  std::size_t file_floor_ = 0, name_floor_ = 0;
  std::size_t failed_syncs_ = 0;  // at the last commit

  std::string poison_;  // the first error of a write to the open file
  std::size_t seen_failures_ = 0;
  bool error_checked_ = false;
  bool threw_ = false;
};

}  // namespace mlarray::test
