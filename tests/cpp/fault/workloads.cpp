#include "workloads.hpp"

#include <utility>

namespace mlarray::test {
namespace {

constexpr OpenOptions kBuffered{.mode = Mode::read_write, .access = Access::buffered};

class List {
 public:
  void add(const std::string& name, std::function<void(Driver&)> body,
           bool file_exists = true) {
    Workload one;
    one.name = name;
    one.body = std::move(body);
    one.file_exists = file_exists;
    out_.push_back(std::move(one));
  }
  // One for each level.
  void each(const std::string& name, const std::function<void(Driver&, Level)>& body,
            bool file_exists = true) {
    for (const Level level : kLevels) {
      add(name + "_" + name_of(level), [=](Driver& d) { body(d, level); }, file_exists);
    }
  }
  std::vector<Workload>& out() { return out_; }

 private:
  std::vector<Workload> out_;
};

void rows(Driver& d, std::int64_t first, std::int64_t last, bool zeros = false) {
  d.edit({{first, 0}, {last, d.shapes().shape[1]}}, zeros);
}

void create_and_edit(Driver& d, Level level) {
  if (!d.create(level)) return;
  d.edit();
  d.flush(level);
  rows(d, 0, 4);
  d.close();
}

void edit_and_flush(Driver& d, Level level) {
  if (!d.open(level)) return;
  d.edit();
  d.flush(level);
  rows(d, 1, 3);
  d.set_text();
  d.flush(level);
  d.close();
}

void edit_a_lot(Driver& d, Level level) {
  if (!d.open(level)) return;
  for (int i = 0; i < 5; ++i) d.edit();
  d.flush(level);
  rows(d, 0, 2, true);
  d.edit();
  d.close();
}

void save_over_own(Driver& d, Level level) {
  if (!d.open(level)) return;
  d.edit();
  d.save_self(level);
  d.edit();
  d.flush(level);
  d.close();
}

}  // namespace

std::vector<Workload> workloads() {
  List list;
  list.each("create", create_and_edit, false);
  list.each("create_over", create_and_edit);
  list.each("save", [](Driver& d, Level level) { d.save(level); }, false);
  list.each("save_over", [](Driver& d, Level level) {
    d.save(level);
    d.save(level);
  });
  list.each("save_verified", [](Driver& d, Level level) {
    SaveOptions options;
    options.verify = true;
    d.save(level, options);
  });
  list.each("edit", edit_and_flush);
  list.each("edits", edit_a_lot);
  list.each("text", [](Driver& d, Level level) {
    if (!d.open(level)) return;
    d.set_text();
    d.flush(level);
    d.set_text();
    d.close();
  });
  list.each("close", [](Driver& d, Level level) {
    if (!d.open(level)) return;
    d.edit();
    d.close();
  });
  list.each("save_over_own", save_over_own);
  list.add("save_over_own_buffered", [](Driver& d) {
    if (!d.open(Level::ordered, kBuffered)) return;
    d.edit();
    d.save_self(Level::ordered);
    d.edit();
    d.close();
  });
  list.each("repack", [](Driver& d, Level level) {
    d.repack(level);
    if (!d.open(level)) return;
    d.edit();
    d.close();
  });
  list.each("open_again", [](Driver& d, Level level) {
    if (!d.open(level)) return;
    d.edit();
    d.close();
    if (!d.open(level)) return;
    d.edit();
    d.close();
  });
  list.each("each_edit", [](Driver& d, Level level) {
    if (!d.open(level)) return;
    d.commit_each_edit();
    d.edit();
    rows(d, 0, 3);
    d.edit();
    d.close();
  });
  list.add("second_writer", [](Driver& d) {
    if (!d.open(Level::ordered)) return;
    d.edit();
    d.open_second(Level::ordered);
    d.edit();
    d.close();
  });
  list.add("save_over_writer", [](Driver& d) {
    if (!d.open(Level::ordered)) return;
    d.edit();
    d.save(Level::ordered);
  });
  list.add("reader", [](Driver& d) {
    if (!d.open_reader()) return;
    if (!d.open(Level::ordered)) return;
    d.edit();
    d.flush(Level::ordered);
    d.edit();
    d.open_reader(Access::buffered);
    rows(d, 0, 4);
    d.flush(Level::ordered);
    d.refresh_reader();
    d.close();
  });
  list.add("levels_rise", [](Driver& d) {
    if (!d.open(Level::none)) return;
    for (const Level level : kLevels) {
      d.edit();
      d.flush(level);
    }
    d.close();
  });
  list.add("levels_fall", [](Driver& d) {
    if (!d.open(Level::ordered)) return;
    d.edit();
    d.flush(Level::durable);
    d.edit();
    d.flush(Level::ordered);
    d.close();
  });
  list.add("flush_again", [](Driver& d) {
    if (!d.open(Level::none)) return;
    d.edit();
    d.flush(Level::none);
    d.flush(Level::ordered);
    d.flush(Level::durable);
    d.close();
  });
  list.add("durable_name", [](Driver& d) {
    d.save(Level::ordered);
    if (!d.open(Level::durable)) return;
    d.edit();
    d.flush(Level::durable);
    d.close();
  });
  list.add("by_link", [](Driver& d) {
    d.save(Level::ordered);
    if (!d.open(Level::ordered)) return;
    d.edit();
    d.save_self(Level::ordered);
    d.edit();
    d.close();
  });
  list.out().back().by_link = true;
  list.add("each_second", [](Driver& d) {
    if (!d.open(Level::ordered)) return;
    d.commit_at_once();
    d.edit();
    d.set_text();
    d.edit();
    d.close();
  });
  const auto outside = [](Driver& d, const auto& what) {
    if (!d.open(Level::durable)) return;
    d.edit();
    if (!d.flush(Level::durable)) return;
    d.edit();
    what();
    d.flush(Level::durable);
    d.set_text();
    d.close();
  };
  list.add("removed", [=](Driver& d) { outside(d, [&] { d.remove_outside(); }); });
  list.add("replaced", [=](Driver& d) { outside(d, [&] { d.replace_outside(); }); });
  list.each("grow", [](Driver& d, Level level) {
    if (!d.open(level)) return;
    for (int i = 0; i < 3; ++i) {
      rows(d, 0, 4);
      d.flush(level);
    }
    d.edit();
    d.flush(level);
    d.close();
  });
  // With sums and block offsets in pages.
  list.each("paged", [](Driver& d, Level level) {
    if (!d.open(level)) return;
    d.edit();
    d.flush(level);
    rows(d, 1, 3);
    d.set_text();
    d.flush(level);
    d.save_self(level);
    rows(d, 0, 2, true);
    d.edit();
    d.close();
  });
  // One stays over an edit of metadata and a save, and goes with the voxels that it is of.
  list.each("record", [](Driver& d, Level level) {
    if (!d.open(level)) return;
    d.edit();
    d.record(level);
    d.set_text();
    d.flush(level);
    d.edit();
    d.flush(level);
    d.record(level);
    d.save_self(level);
    d.record(level);
    d.close();
  });
  list.add("many_commits", [](Driver& d) {
    if (!d.open(Level::ordered)) return;
    for (int i = 0; i < 36; ++i) {
      d.edit({{i % 4, 10 * i}, {i % 4 + 1, 10 * i + 5}});
      if (i % 7 == 3) d.set_text();
      d.flush(i % 9 == 5 ? Level::durable : Level::ordered);
    }
    d.close();
  });
  list.out().back().every = 5;
  for (Workload& one : list.out()) {
    if (one.name.starts_with("grow")) one.limits = {{"min_growth", 2000}, {"writeback", 1000}};
    if (one.name.starts_with("paged")) one.limits = {{"sums_in_layer", 0}, {"offsets_part", 1}};
  }
  return std::move(list.out());
}

std::vector<Workload> large_workloads() {
  List list;
  // Each leaves more dead bytes than live ones.
  const auto rewrite = [](Driver& d, Level level) {
    rows(d, 0, 4);
    d.flush(level);
    rows(d, 0, 4);
    d.flush(level);
  };
  list.each("compact", [=](Driver& d, Level level) {
    if (!d.open(level)) return;
    rewrite(d, level);
    d.close();
    if (!d.open(level)) return;
    d.edit();
    d.close();
  });
  list.add("compact_durable_edits", [=](Driver& d) {
    if (!d.open(Level::ordered)) return;
    rewrite(d, Level::durable);
    d.close();
  });
  list.each("compact_recorded", [=](Driver& d, Level level) {
    if (!d.open(level)) return;
    rewrite(d, level);
    d.record(level);
    d.close();
    if (!d.open(level)) return;
    d.set_text();
    d.close();
  });
  list.each("compact_paged", [=](Driver& d, Level level) {
    if (!d.open(level)) return;
    rewrite(d, level);
    d.close();
  });
  for (Workload& workload : list.out()) {
    // One with the limits as they are.
    if (workload.name == "compact_durable_edits") {
      workload.shapes = {.shape = {4, 24'000}, .chunk = {1, 24'000}, .block = {1, 8'000}};
      continue;
    }
    workload.limits = {{"min_dead", 2000}};
    if (workload.name.starts_with("compact_paged")) {
      workload.limits.insert({{"sums_in_layer", 0}, {"offsets_part", 1}});
    }
  }
  return std::move(list.out());
}

}  // namespace mlarray::test
