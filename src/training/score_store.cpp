#include "training/score_store.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "grid/geometry.hpp"
#include "parallel/thread_pool.hpp"
#include "training/rows.hpp"
#include "training/spill_file.hpp"

namespace mlarray::training {
namespace {

// Rows are added in pieces, each step in a loop of its own, which is vectorised.
constexpr std::int64_t kPiece = 256;

template <class T, class Score>
void add_row(T* to, const Score* from, const float* weights, float weight, std::int64_t count) {
  std::array<float, kPiece> sum, scores;
  for (std::int64_t first = 0; first < count; first += kPiece) {
    const auto length = static_cast<std::size_t>(std::min(kPiece, count - first));
    to_floats(to + first, sum.data(), length);
    to_floats(from + first, scores.data(), length);
    for (std::size_t i = 0; i < length; ++i) {
      sum[i] += (weight * weights[first + static_cast<std::int64_t>(i)]) * scores[i];
    }
    for (std::size_t i = 0; i < length; ++i)
      store(sum[i], to[first + static_cast<std::int64_t>(i)]);
  }
}

template <class T>
class Store final : public ScoreStore {
 public:
  Store(const AggregatorPlan& plan, const ScoreStoreOptions& options)
      : plan_(plan),
        classes_(options.classes),
        counting_(options.counting),
        most_bytes_(options.most_bytes),
        file_(options.path) {
    std::size_t cells = 1;
    for (const AxisPlan& axis : plan_.axes) cells *= axis.cuts.size() - 1;
    cells_.resize(cells);
  }

  void begin(std::size_t k) override {
    const Box covered = covered_by(plan_, k);
    std::int64_t more = 0;
    for_cells(covered, [&](std::size_t number, const Box& box) {
      const Cell& cell = cells_[number];
      if (!cell.held || cell.away) more += bytes_of(box);
    });
    make_room(k, more);
    for_cells(covered, [&](std::size_t number, const Box& box) {
      Cell& cell = cells_[number];
      if (cell.held && !cell.away) return;
      cell.scores = allocate(box);
      in_memory_.insert(number);
      cell.fresh = !cell.held;
      if (cell.away && !counting_) file_.take(cell.place, bytes_in(cell, box));
      cell.held = true;
      cell.away = false;
    });
  }

  void add(std::size_t k, const float* scores, int threads) override {
    add_scores(k, scores, threads);
  }
  void add(std::size_t k, const Half* scores, int threads) override {
    add_scores(k, scores, threads);
  }

  void read(std::size_t k, std::int64_t label, const Box& part, float* out) const override {
    const Box ended = ended_by(plan_, k);
    const Box inside = grid::intersect(part, ended);
    if (!inside.empty()) {
      for_cells(ended, [&](std::size_t number, const Box& box) {
        copy(cells_[number].scores.get(), box, label, grid::intersect(box, inside), part, out);
      });
    }
    // What lies one voxel before along some of the axes is in slices.
    const std::size_t subsets = std::size_t{1} << plan_.axes.size();
    for (std::size_t subset = 1; subset < subsets; ++subset) {
      Box before = part;
      for (std::size_t a = 0; a < plan_.axes.size(); ++a) {
        if ((subset >> a & 1) != 0) {
          before.stop[a] = std::min(part.stop[a], ended.start[a]);
        } else {
          before.start[a] = std::max(part.start[a], ended.start[a]);
        }
      }
      if (before.empty()) continue;
      const auto [box, axis] = slice_before(k, subset);
      const Slice& slice = slices_.at({box, axis});
      copy(slice.scores.get(), slice.box, label, before, part, out);
    }
  }

  void release(std::size_t k) override {
    keep_slices(k);
    drop_slices(k);
    for_cells(ended_by(plan_, k), [&](std::size_t number, const Box& box) {
      Cell& cell = cells_[number];
      cell.scores.reset();
      cell.held = false;
      in_memory_.erase(number);
      hold(-bytes_of(box));
    });
  }

 private:
  using Scores = std::unique_ptr<T[]>;
  struct Cell {
    Scores scores;  // (classes, *box), C order
    bool held = false;
    bool fresh = false;  // not written yet
    bool away = false;   // held in the file, at `place`
    std::uint64_t place = 0;
  };
  // The last voxels along one axis of what a box has ended.
  struct Slice {
    Box box;
    Scores scores;
    int readers = 0;  // boxes that have not read it
  };

  std::int64_t count_of(const Box& box) const { return classes_ * element_count(box.shape()); }
  std::int64_t bytes_of(const Box& box) const {
    return count_of(box) * static_cast<std::int64_t>(sizeof(T));
  }
  Scores allocate(const Box& box) {
    Scores scores;
    if (!counting_) {
      scores = std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(count_of(box)));
    }
    hold(bytes_of(box));
    return scores;
  }

  std::span<std::byte> bytes_in(const Cell& cell, const Box& box) const {
    return std::as_writable_bytes(
        std::span(cell.scores.get(), static_cast<std::size_t>(count_of(box))));
  }

  // The next box behind box k that covers the cell.
  std::size_t next_use(std::size_t k, const Box& cell) const {
    const auto now = plan_.digits(k);
    auto next = now;
    std::size_t found = plan_.boxes.size();
    bool same = true;  // boxes may have the digits of box k along all slower axes
    std::vector<std::size_t> first(now.size()), last(now.size());
    for (std::size_t a = 0; a < now.size(); ++a) {
      const AxisPlan& axis = plan_.axes[a];
      const auto begin = std::ranges::upper_bound(axis.starts, cell.stop[a] - axis.patch - 1);
      const auto end = std::ranges::upper_bound(axis.starts, cell.start[a]);
      first[a] = static_cast<std::size_t>(begin - axis.starts.begin());
      last[a] = static_cast<std::size_t>(end - axis.starts.begin()) - 1;
    }
    // The more digits it shares with box k, the sooner it comes.
    for (std::size_t i = 0; i < now.size() && same; ++i) {
      const std::size_t axis = plan_.order[i];
      const std::size_t behind = std::max(first[axis], now[axis] + 1);
      if (behind <= last[axis]) {
        next = now;
        next[axis] = behind;
        for (std::size_t j = i + 1; j < now.size(); ++j) {
          next[plan_.order[j]] = first[plan_.order[j]];
        }
        found = plan_.number(next);
      }
      same = first[axis] <= now[axis] && now[axis] <= last[axis];
    }
    return found;
  }

  // Moves cells to the file until `more` bytes fit, but for those of box k.
  void make_room(std::size_t k, std::int64_t more) {
    if (most_bytes_ == 0 || bytes() + more <= most_bytes_) return;
    struct Candidate {
      std::size_t next;
      std::size_t number;
      Box box;
    };
    std::vector<Candidate> candidates;
    const Box covered = covered_by(plan_, k);
    for (const std::size_t number : in_memory_) {
      Box box = cell_box(number);
      if (!grid::intersect(box, covered).empty()) continue;
      candidates.push_back({next_use(k, box), number, std::move(box)});
    }
    std::ranges::sort(candidates, std::ranges::greater{}, &Candidate::next);
    for (const Candidate& one : candidates) {
      if (bytes() + more <= most_bytes_) return;
      Cell& cell = cells_[one.number];
      if (!counting_) cell.place = file_.put(bytes_in(cell, one.box));
      cell.scores.reset();
      cell.away = true;
      in_memory_.erase(one.number);
      hold(-bytes_of(one.box));
    }
  }

  Box cell_box(std::size_t number) const {
    const std::size_t n = plan_.axes.size();
    Box box{Shape(n), Shape(n)};
    for (std::size_t a = n; a-- > 0;) {
      const Shape& cuts = plan_.axes[a].cuts;
      const std::size_t i = number % (cuts.size() - 1);
      number /= cuts.size() - 1;
      box.start[a] = cuts[i];
      box.stop[a] = cuts[i + 1];
    }
    return box;
  }

  // Calls body(number, box) for the cells of `box`, whose sides lie at cuts.
  template <class Body>
  void for_cells(const Box& box, Body body) const {
    const std::size_t n = plan_.axes.size();
    Shape first(n), end(n);
    for (std::size_t a = 0; a < n; ++a) {
      first[a] = static_cast<std::int64_t>(plan_.axes[a].cell_at(box.start[a]));
      end[a] = static_cast<std::int64_t>(plan_.axes[a].cell_at(box.stop[a] - 1)) + 1;
    }
    for_rows({first, end}, [&](const Shape& row) {
      for (Shape at = row; at.back() < end.back(); ++at.back()) {
        std::size_t number = 0;
        Box cell{at, at};
        for (std::size_t a = 0; a < n; ++a) {
          const Shape& cuts = plan_.axes[a].cuts;
          const auto i = static_cast<std::size_t>(at[a]);
          number = number * (cuts.size() - 1) + i;
          cell.start[a] = cuts[i];
          cell.stop[a] = cuts[i + 1];
        }
        body(number, cell);
      }
    });
  }

  template <class Score>
  void add_scores(std::size_t k, const Score* scores, int threads) {
    struct Job {
      Cell* cell;
      Box box;
    };
    std::vector<Job> jobs;
    for_cells(covered_by(plan_, k), [&](std::size_t number, const Box& box) {
      jobs.push_back({&cells_[number], box});
    });
    const Box& patch = plan_.boxes[k];
    const auto digits = plan_.digits(k);
    const std::int64_t patch_count = element_count(patch.shape());
    const std::size_t last = plan_.axes.size() - 1;
    const auto classes = static_cast<std::size_t>(classes_);
    parallel::parallel_for(jobs.size() * classes, threads, [&](std::size_t i, int) {
      const Job& job = jobs[i / classes];
      const auto label = static_cast<std::int64_t>(i % classes);
      const std::int64_t count = element_count(job.box.shape());
      T* const to = job.cell->scores.get() + label * count;
      const Score* const from = scores + label * patch_count;
      if (job.cell->fresh) std::fill_n(to, count, T{});
      const std::int64_t length = job.box.stop[last] - job.box.start[last];
      const auto shift = static_cast<std::size_t>(job.box.start[last] - patch.start[last]);
      const float* const weights = plan_.axes[last].weights[digits[last]].data() + shift;
      for_rows(job.box, [&](const Shape& at) {
        float weight = 1;
        for (std::size_t a = 0; a < last; ++a) {
          weight *= plan_.axes[a]
                        .weights[digits[a]][static_cast<std::size_t>(at[a] - patch.start[a])];
        }
        add_row(to + offset_in(job.box, at), from + offset_in(patch, at), weights, weight,
                length);
      });
    });
    for (Job& job : jobs) job.cell->fresh = false;
  }

  // Copies the voxels of `what` of one class: from scores of `box` to floats of `part`.
  void copy(const T* scores, const Box& box, std::int64_t label, const Box& what,
            const Box& part, float* out) const {
    if (what.empty()) return;
    const T* const from = scores + label * element_count(box.shape());
    const auto length = static_cast<std::size_t>(what.stop.back() - what.start.back());
    for_rows(what, [&](const Shape& at) {
      to_floats(from + offset_in(box, at), out + offset_in(part, at), length);
    });
  }

  // The slice with the voxels before box k along the axes of `subset`: of which box, and along
  // which axis: the slowest of them.
  std::pair<std::size_t, std::size_t> slice_before(std::size_t k, std::size_t subset) const {
    auto digits = plan_.digits(k);
    for (std::size_t a = 0; a < digits.size(); ++a) {
      if ((subset >> a & 1) != 0) --digits[a];
    }
    const auto axis = std::ranges::find_if(
        plan_.order, [&](std::size_t a) { return (subset >> a & 1) != 0; });
    return {plan_.number(digits), *axis};
  }
  // The axes along which a box behind box k (`ahead`), or before it, will want slices.
  std::size_t neighbours(std::size_t k, bool ahead) const {
    const auto digits = plan_.digits(k);
    std::size_t found = 0;
    for (std::size_t a = 0; a < digits.size(); ++a) {
      const AxisPlan& axis = plan_.axes[a];
      const bool there = ahead ? digits[a] + 1 < axis.boxes() : digits[a] > 0;
      if (!axis.same && there) found |= std::size_t{1} << a;
    }
    return found;
  }

  void keep_slices(std::size_t k) {
    const std::size_t ahead = neighbours(k, true);
    const Box ended = ended_by(plan_, k);
    int readers = 1;  // subsets of the axes that are faster
    for (std::size_t i = plan_.order.size(); i-- > 0;) {
      const std::size_t a = plan_.order[i];
      if ((ahead >> a & 1) == 0) continue;
      Slice slice{ended, {}, readers};
      readers *= 2;
      slice.box.start[a] = slice.box.stop[a] - 1;
      make_room(k, bytes_of(slice.box));
      slice.scores = allocate(slice.box);
      if (!counting_) fill(slice, ended);
      slices_.emplace(std::pair{k, a}, std::move(slice));
    }
  }
  void fill(Slice& slice, const Box& ended) const {
    const std::int64_t to_count = element_count(slice.box.shape());
    for_cells(ended, [&](std::size_t number, const Box& box) {
      const Box what = grid::intersect(box, slice.box);
      if (what.empty()) return;
      const std::int64_t from_count = element_count(box.shape());
      const auto length = static_cast<std::size_t>(what.stop.back() - what.start.back());
      for (std::int64_t label = 0; label < classes_; ++label) {
        for_rows(what, [&](const Shape& at) {
          std::copy_n(cells_[number].scores.get() + label * from_count + offset_in(box, at),
                      length, slice.scores.get() + label * to_count + offset_in(slice.box, at));
        });
      }
    });
  }
  void drop_slices(std::size_t k) {
    const std::size_t before = neighbours(k, false);
    for (std::size_t subset = before; subset != 0; subset = (subset - 1) & before) {
      const auto found = slices_.find(slice_before(k, subset));
      if (--found->second.readers > 0) continue;
      hold(-bytes_of(found->second.box));
      slices_.erase(found);
    }
  }

  const AggregatorPlan& plan_;
  const std::int64_t classes_;
  const bool counting_;
  const std::int64_t most_bytes_;  // 0: no limit
  SpillFile file_;
  std::vector<Cell> cells_;
  std::set<std::size_t> in_memory_;                              // held, and not away
  std::map<std::pair<std::size_t, std::size_t>, Slice> slices_;  // of box, along axis
};

}  // namespace

Box covered_by(const AggregatorPlan& plan, std::size_t k) {
  Box box = plan.boxes[k];
  for (std::size_t a = 0; a < plan.axes.size(); ++a) {
    box.start[a] = std::max<std::int64_t>(box.start[a], 0);
    box.stop[a] = std::min(box.stop[a], plan.axes[a].size);
  }
  return box;
}

Box ended_by(const AggregatorPlan& plan, std::size_t k) {
  const auto digits = plan.digits(k);
  Box box;
  for (std::size_t a = 0; a < plan.axes.size(); ++a) {
    box.start.push_back(plan.axes[a].own[digits[a]]);
    box.stop.push_back(plan.axes[a].own[digits[a] + 1]);
  }
  return box;
}

template <class Score>
std::string wrong_score(const AggregatorPlan& plan, std::size_t k, std::int64_t classes,
                        const Score* scores, float limit, int threads) {
  const Box box = covered_by(plan, k);
  const Box& patch = plan.boxes[k];
  const std::int64_t count = element_count(patch.shape());
  const std::int64_t length = box.stop.back() - box.start.back();
  std::atomic<std::int64_t> first = classes;  // class with one
  // Calls body with each row of a class, its first voxel.
  const auto rows = [&](std::int64_t label, auto body) {
    for_rows(box,
             [&](const Shape& at) { body(scores + label * count + offset_in(patch, at), at); });
  };
  parallel::parallel_for(static_cast<std::size_t>(classes), threads, [&](std::size_t i, int) {
    const auto label = static_cast<std::int64_t>(i);
    int wrong = 0;
    rows(label, [&](const Score* row, const Shape&) {
      for (std::int64_t x = 0; x < length; ++x) {
        wrong |= static_cast<int>(!(std::abs(to_float(row[x])) <= limit));
      }
    });
    if (wrong == 0) return;
    std::int64_t now = first;
    while (label < now && !first.compare_exchange_weak(now, label)) {
    }
  });
  if (first == classes) return {};
  std::string text;
  rows(first, [&](const Score* row, const Shape& at) {
    for (std::int64_t x = 0; x < length && text.empty(); ++x) {
      const float score = to_float(row[x]);
      if (std::abs(score) <= limit) continue;
      Shape voxel = at;
      voxel.back() += x;
      text = std::to_string(score) + ", of class " + std::to_string(first) + " at voxel " +
             to_string(voxel);
    }
  });
  return text;
}

template std::string wrong_score(const AggregatorPlan&, std::size_t, std::int64_t, const float*,
                                 float, int);
template std::string wrong_score(const AggregatorPlan&, std::size_t, std::int64_t, const Half*,
                                 float, int);

std::unique_ptr<ScoreStore> make_score_store(const AggregatorPlan& plan,
                                             const ScoreStoreOptions& options) {
  if (options.half_scores) return std::make_unique<Store<Half>>(plan, options);
  return std::make_unique<Store<float>>(plan, options);
}

}  // namespace mlarray::training
