#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "base/naming.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "session/inside.hpp"
#include "statistics/element_types.hpp"
#include "statistics/voxel_scan.hpp"
#include "training/impl.hpp"
#include "training/label_counter.hpp"

namespace mlarray::training {
namespace {

using session::Snapshot;

// Of the type's labels; else an error.
template <class Body>
void with_label_type(const DType& dtype, Body body) {
  const char kind = dtype.kind();
  if (dtype.structured() || (kind != 'b' && kind != 'i' && kind != 'u')) {
    throw Error(ErrorKind::invalid_type,
                "elements of dtype " + dtype.text() +
                    " are no labels: they must be bool or integers of up to 8 bytes; convert "
                    "the array first");
  }
  statistics::with_type(dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T>) body.template operator()<T>();
  });
}

// What threads have counted, put together.
std::vector<CountedClass> put_together(std::vector<std::vector<CountedClass>>& parts) {
  std::unordered_map<std::int64_t, std::size_t> places;
  std::vector<CountedClass> out;
  for (std::vector<CountedClass>& part : parts) {
    for (CountedClass& one : part) {
      const auto [place, is_new] = places.emplace(one.label, out.size());
      if (is_new) {
        out.push_back(std::move(one));
      } else {
        out[place->second].count += one.count;
        out[place->second].positions.take(one.positions);
      }
    }
    part.clear();
  }
  if (out.size() > kMostClasses) {
    throw Error(ErrorKind::unsupported,
                "it has " + std::to_string(out.size()) +
                    " different values, so it is no label map (65536 are possible); give the "
                    "labels, not the image");
  }
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.label < b.label; });
  return out;
}

class Builder {
 public:
  Builder(const Snapshot& state, const LabelIndexOptions& options)
      : state_(state), options_(options), without_(options.background) {
    index_.shape = state.geometry().shape();
    index_.voxels = element_count(index_.shape);
    index_.most_positions = options.positions;
    index_.background = options.background;
    index_.joined = LabelIndex::Impl::joined_of(options);
    if (options.positions < 0) {
      throw Error(ErrorKind::invalid_value, "positions is " +
                                                std::to_string(options.positions) +
                                                ": give 0, for counts alone, or more");
    }
    for (const auto& labels : index_.joined) {
      for (const std::int64_t label : labels) {
        if (label == without_) without_.reset();  // a joined class draws from it
      }
    }
  }

  LabelIndex build(bool verify, int threads) {
    const DType& dtype = state_.array->dtype;
    with_label_type(dtype, [&]<class T>() { count<T>(dtype, verify, threads); });
    finish(threads);
    return LabelIndex::Impl::make(std::move(index_));
  }

 private:
  template <class T>
  void count(const DType& dtype, bool verify, int threads) {
    const statistics::VoxelScan scan({&state_, verify, nullptr, dtype, {}}, {}, {}, threads);
    std::vector<std::unique_ptr<LabelCounter<T>>> workers(
        static_cast<std::size_t>(scan.threads()));
    scan.run([&](int worker, std::size_t, const statistics::Elements& elements) {
      auto& counter = workers[static_cast<std::size_t>(worker)];
      if (!counter) {
        counter = std::make_unique<LabelCounter<T>>(index_.shape, options_.positions, without_,
                                                    index_.joined.size());
      }
      counter->add(*elements.box, elements.bytes);
    });
    std::vector<std::vector<CountedClass>> parts;
    for (auto& worker : workers) {
      if (worker) parts.push_back(std::move(worker->counted()));
    }
    workers.clear();
    counted_ = put_together(parts);
  }

  void finish(int threads) {
    const std::size_t most =
        positions_of_each(options_.positions, counted_.size() + index_.joined.size());
    for (CountedClass& one : counted_) one.positions.shrink(most);
    struct Made {
      LabelClass facts;
      PositionChoice positions;
    };
    std::vector<Made> made;
    for (const CountedClass& one : counted_) made.push_back({{{one.label}, one.count, 0}, {}});
    // The smallest of a union are among the smallest of its parts.
    for (const auto& labels : index_.joined) {
      Made joined{{labels, 0, 0}, {}};
      for (const std::int64_t label : labels) {
        const auto found = std::lower_bound(
            counted_.begin(), counted_.end(), label,
            [](const CountedClass& one, std::int64_t wanted) { return one.label < wanted; });
        if (found == counted_.end() || found->label != label) continue;
        joined.facts.count += found->count;
        joined.positions.take(found->positions);
        joined.positions.shrink(most);
      }
      if (joined.facts.count > 0) made.push_back(std::move(joined));
    }
    for (std::size_t i = 0; i < counted_.size(); ++i) {
      if (counted_[i].label == options_.background) continue;
      made[i].positions = std::move(counted_[i].positions);
    }
    index_.positions.resize(made.size());
    parallel::parallel_for(made.size(), threads, [&](std::size_t i, int) {
      index_.positions[i] = {made[i].positions.numbers(), index_.voxels};
      made[i].facts.positions = index_.positions[i].size();
    });
    index_.singles = counted_.size();
    for (Made& one : made) index_.classes.push_back(std::move(one.facts));
    index_.finish();
  }

  const Snapshot& state_;
  const LabelIndexOptions& options_;
  std::optional<std::int64_t> without_;  // no positions of this one are needed
  LabelIndex::Impl index_;
  std::vector<CountedClass> counted_;
};

}  // namespace

std::vector<std::vector<std::int64_t>> LabelIndex::Impl::joined_of(
    const LabelIndexOptions& options) {
  std::vector<std::vector<std::int64_t>> joined = options.joined;
  if (joined.size() > kMostClasses) {
    throw Error(ErrorKind::invalid_value,
                std::to_string(joined.size()) +
                    " joined classes are asked for: at most 65536 are possible");
  }
  for (std::size_t i = 0; i < joined.size(); ++i) {
    std::sort(joined[i].begin(), joined[i].end());
    joined[i].erase(std::unique(joined[i].begin(), joined[i].end()), joined[i].end());
    if (joined[i].empty()) {
      throw Error(ErrorKind::invalid_value,
                  "joined class " + std::to_string(i) + " has no labels: give it one or more");
    }
  }
  return joined;
}

LabelIndex LabelIndex::Impl::build(const Snapshot& state, const LabelIndexOptions& options,
                                   bool verify, int threads) {
  return io::checked(*state.chunks, [&] {
    return Builder(state, options)
        .build(verify, options.threads > 0 ? options.threads : threads);
  });
}

LabelIndex LabelIndex::Impl::anew(const Array& labels, const LabelIndex& old, int threads) {
  const Impl& was = of(old);
  LabelIndexOptions options{was.most_positions, was.background, was.joined, threads};
  if (!old.listed()) return LabelIndex::build(labels, options);
  // Of lists: they name what is drawn from, which is not all that there is.
  options.background.reset();
  options.positions = std::max(options.positions, LabelIndexOptions{}.positions);
  const LabelIndex all = LabelIndex::build(labels, options);
  std::vector<Listed> lists;
  for (const LabelClass& one : was.classes) {
    Listed listed{one.labels, {}};
    for (std::size_t i = 0; i < all.classes().size(); ++i) {
      const LabelClass& now = all.classes()[i];
      if (now.labels != one.labels) continue;
      for (std::int64_t k = 0; k < now.positions; ++k) {
        const Shape voxel = all.voxel(i, k);
        listed.voxels.insert(listed.voxels.end(), voxel.begin(), voxel.end());
      }
      break;
    }
    lists.push_back(std::move(listed));
  }
  return from_lists(labels.shape(), lists);
}

LabelIndex LabelIndex::build(const Array& labels, const LabelIndexOptions& options) {
  const parallel::OperationGuard guard;
  const Array::Impl& array = Array::Inside::impl(labels);
  const auto state = array.open_snapshot();
  return base::naming(array.path, [&] {
    return Impl::build(*state, options, array.verifies(), array.threads);
  });
}

}  // namespace mlarray::training
