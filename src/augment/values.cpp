// Pipelines and draws as trees of plain data, and the checks of both.
#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "augment/labels.hpp"
#include "base/text.hpp"
#include "mlarray/augment/pipeline.hpp"
#include "mlarray/error.hpp"

namespace mlarray::augment {
namespace {

// ---- the fields of each struct, in one place ----

constexpr std::array<std::string_view, 6> kNames = {
    "gaussian_noise", "gaussian_blur", "brightness", "contrast", "low_resolution", "gamma"};

template <class F>
void fields(F& f, Spatial& t) {
  f("p_rotation", t.p_rotation);
  f("rotation", t.rotation);
  f("p_scaling", t.p_scaling);
  f("scaling", t.scaling);
  f("same_scale", t.same_scale);
  f("planar", t.planar);
}
template <class F, class T>
void common(F& f, T& t) {
  f("p", t.p);
  f("p_channel", t.p_channel);
  f("same_channels", t.same_channels);
}
template <class F>
void fields(F& f, GaussianNoise& t) {
  common(f, t);
  f("sigma", t.sigma);
}
template <class F>
void fields(F& f, GaussianBlur& t) {
  common(f, t);
  f("same_axes", t.same_axes);
  f("sigma", t.sigma);
}
template <class F>
void fields(F& f, Brightness& t) {
  common(f, t);
  f("factor", t.factor);
}
template <class F>
void fields(F& f, Contrast& t) {
  common(f, t);
  f("factor", t.factor);
  f("keep_range", t.keep_range);
}
template <class F>
void fields(F& f, LowResolution& t) {
  common(f, t);
  f("same_axes", t.same_axes);
  f("scale", t.scale);
  f("fixed_axes", t.fixed_axes);
}
template <class F>
void fields(F& f, Gamma& t) {
  common(f, t);
  f("gamma", t.gamma);
  f("p_invert", t.p_invert);
  f("p_keep_stats", t.p_keep_stats);
}
template <class F>
void fields(F& f, Labels& t) {
  f("masked_channels", t.masked_channels);
  f("remove_outside", t.remove_outside);
  f("previous", t.previous);
  f("regions", t.regions);
  f("scales", t.scales);
}
template <class F>
void fields(F& f, Pipeline& t) {
  f("patch", t.patch);
  f("initial", t.initial);
  f("spatial", t.spatial);
  f("intensity", t.intensity);
  f("mirror_axes", t.mirror_axes);
  f("labels", t.labels);
}
template <class F>
void fields(F& f, Drawn::Step& t) {
  f("transform", t.transform);
  f("channel", t.channel);
  f("values", t.values);
  f("invert", t.invert);
  f("keep_stats", t.keep_stats);
}
template <class F>
void fields(F& f, Drawn& t) {
  f("seed", t.seed);
  f("matrix", t.matrix);
  f("flips", t.flips);
  f("steps", t.steps);
}

struct Nothing {
  template <class T>
  void operator()(std::string_view, T&) {}
};
template <class T>
concept Fields = requires(Nothing& f, T& t) { fields(f, t); };

// ---- to a tree ----

Value written(bool value) { return value; }
Value written(double value) { return value; }
Value written(std::int64_t value) { return value; }
// As the signed number of the same bits: JSON readers differ above 2^63.
Value written(std::uint64_t value) { return static_cast<std::int64_t>(value); }
Value written(const Range& range) {
  List list{{range.low, range.high}};
  if (range.law == Range::Law::halves) list.items.emplace_back("halves");
  return list;
}
template <Fields T>
Value written(const T& value);
Value written(const Intensity& value);
template <class T>
Value written(const std::vector<T>& values);
template <class T, std::size_t N>
Value written(const std::array<T, N>& values) {
  return written(std::vector<T>(values.begin(), values.end()));
}
template <class T>
Value written(const std::optional<T>& value) {
  return value ? written(*value) : Value();
}

struct Writer {
  Map map;
  template <class T>
  void operator()(std::string_view name, const T& value) {
    map.set(name, written(value));
  }
};

template <Fields T>
Value written(const T& value) {
  Writer writer;
  T copy = value;
  fields(writer, copy);
  return std::move(writer.map);
}
Value written(const Intensity& value) {
  Writer writer;
  writer.map.set("transform", Value(kNames[value.index()]));
  Intensity copy = value;
  std::visit([&](auto& t) { fields(writer, t); }, copy);
  return std::move(writer.map);
}
template <class T>
Value written(const std::vector<T>& values) {
  List list;
  for (const T& value : values) list.items.push_back(written(value));
  return list;
}

// ---- from a tree ----

[[noreturn]] void refuse(ErrorKind kind, const std::string& where, const std::string& what) {
  throw Error(kind, (where.empty() ? "the pipeline" : where) + " " + what);
}
[[noreturn]] void refuse_type(const std::string& where, const Value& value,
                              const std::string& wanted) {
  refuse(ErrorKind::invalid_type, where,
         "is a " + value.type_name() + "; " + wanted + " is needed");
}

const List& list_of(const Value& value, const std::string& where) {
  const List* list = value.get_if<List>();
  if (list == nullptr) refuse_type(where, value, "a list");
  return *list;
}

void read(const Value& value, const std::string& where, bool& out) {
  const bool* found = value.get_if<bool>();
  if (found == nullptr) refuse_type(where, value, "true or false");
  out = *found;
}
void read(const Value& value, const std::string& where, double& out) {
  const auto number = value.number();
  if (!number) refuse_type(where, value, "a number");
  out = *number;
}
void read(const Value& value, const std::string& where, std::int64_t& out) {
  const auto* number = value.get_if<std::int64_t>();
  if (number == nullptr) refuse_type(where, value, "a whole number below 2^63");
  out = *number;
}
void read(const Value& value, const std::string& where, std::uint64_t& out) {
  std::int64_t number = 0;
  read(value, where, number);
  out = static_cast<std::uint64_t>(number);
}
void read(const Value& value, const std::string& where, Range& out) {
  if (const auto number = value.number()) {
    out = {*number, *number};
    return;
  }
  const List& list = list_of(value, where);
  const std::string* law =
      list.items.size() == 3 ? list.items[2].get_if<std::string>() : nullptr;
  const bool fits = list.items.size() == 2 || (law != nullptr && *law == "halves");
  if (!fits) {
    refuse(ErrorKind::invalid_value, where,
           "is no range: a number, [low, high] or [low, high, \"halves\"] is needed");
  }
  read(list.items[0], where + "[0]", out.low);
  read(list.items[1], where + "[1]", out.high);
  out.law = law != nullptr ? Range::Law::halves : Range::Law::uniform;
}
template <Fields T>
void read(const Value& value, const std::string& where, T& out);
void read(const Value& value, const std::string& where, Intensity& out);
template <class T>
void read(const Value& value, const std::string& where, std::vector<T>& out) {
  const List& list = list_of(value, where);
  out.clear();
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    T item{};
    read(list.items[i], where + "[" + std::to_string(i) + "]", item);
    out.push_back(std::move(item));
  }
}
template <class T, std::size_t N>
void read(const Value& value, const std::string& where, std::array<T, N>& out) {
  std::vector<T> items;
  read(value, where, items);
  constexpr bool kExactly = N == 9;  // a matrix
  if (items.size() > N || (kExactly && items.size() < N)) {
    refuse(ErrorKind::invalid_value, where,
           "has " + std::to_string(items.size()) + " numbers; " + (kExactly ? "" : "at most ") +
               std::to_string(N) + " are needed");
  }
  std::copy(items.begin(), items.end(), out.begin());
}
template <class T>
void read(const Value& value, const std::string& where, std::optional<T>& out) {
  out.reset();
  if (value.is_none()) return;
  read(value, where, out.emplace());
}

struct Reader {
  const Map& map;
  const std::string& where;
  std::vector<std::string> known;

  template <class T>
  void operator()(std::string_view name, T& out) {
    known.emplace_back(name);
    if (const Value* value = map.find(name)) {
      read(*value, where.empty() ? std::string(name) : where + "." + std::string(name), out);
    }
  }
  void refuse_others() const {
    for (const auto& [key, value] : map.items) {
      const std::string* name = key.get_if<std::string>();
      if (name != nullptr && std::find(known.begin(), known.end(), *name) != known.end()) {
        continue;
      }
      std::string list;
      for (const std::string& one : known) list += (list.empty() ? "" : ", ") + one;
      refuse(ErrorKind::invalid_value, where,
             "has " + (name != nullptr ? base::quote(*name) : "a key that is no text") +
                 ", which is not one of " + list);
    }
  }
};

const Map& map_of(const Value& value, const std::string& where) {
  const Map* map = value.get_if<Map>();
  if (map == nullptr) refuse_type(where, value, "a map");
  return *map;
}

template <Fields T>
void read(const Value& value, const std::string& where, T& out) {
  Reader reader{map_of(value, where), where, {}};
  fields(reader, out);
  reader.refuse_others();
}

template <std::size_t I = 0>
Intensity by_name(std::string_view name, const std::string& where) {
  if constexpr (I == std::variant_size_v<Intensity>) {
    std::string list;
    for (const std::string_view one : kNames) {
      list += (list.empty() ? "" : ", ") + std::string(one);
    }
    refuse(ErrorKind::invalid_value, where,
           "is " + base::quote(name) + ", which is not one of " + list);
  } else {
    if (name == kNames[I]) return Intensity(std::in_place_index<I>);
    return by_name<I + 1>(name, where);
  }
}

void read(const Value& value, const std::string& where, Intensity& out) {
  const Map& map = map_of(value, where);
  const Value* named = map.find("transform");
  const std::string* name = named != nullptr ? named->get_if<std::string>() : nullptr;
  if (name == nullptr) {
    refuse(ErrorKind::invalid_value, where, "names no \"transform\"");
  }
  out = by_name(*name, where + ".transform");
  Reader reader{map, where, {"transform"}};
  std::visit([&](auto& t) { fields(reader, t); }, out);
  reader.refuse_others();
}

// ---- checks ----

struct Checker {
  std::string where;
  double most_sigma = std::numeric_limits<double>::max();

  std::string at(std::string_view name) const {
    return where.empty() ? std::string(name) : where + "." + std::string(name);
  }
  void operator()(std::string_view name, double value) const {
    if (!(value >= 0 && value <= 1)) {
      refuse(ErrorKind::invalid_value, at(name),
             "is " + base::float_repr(value) + "; a probability from 0 to 1 is needed");
    }
  }
  void operator()(std::string_view name, const Range& range) const {
    // Angles are the only ones below 0; factors and sizes of nothing make no image.
    const bool above = name != "rotation";
    const double least = name == "sigma" ? 0 : std::numeric_limits<double>::min();
    if (!(std::isfinite(range.low) && std::isfinite(range.high) && range.low <= range.high) ||
        (above && range.low < least)) {
      refuse(ErrorKind::invalid_value, at(name),
             "is from " + base::float_repr(range.low) + " to " + base::float_repr(range.high) +
                 "; two finite numbers, the lower one first" +
                 (above ? (least > 0 ? ", above 0" : ", from 0 on") : "") + ", are needed");
    }
    if (range.law == Range::Law::halves && range.high < 1) {
      refuse(ErrorKind::invalid_value, at(name),
             "goes up to " + base::float_repr(range.high) +
                 "; \"halves\" needs a number of 1 or above");
    }
    if (name == "scale" && range.high > 1) {
      refuse(ErrorKind::invalid_value, at(name),
             "goes up to " + base::float_repr(range.high) + "; the limit is 1");
    }
    if (name == "sigma" && range.high > most_sigma) {
      refuse(ErrorKind::invalid_value, at(name),
             "goes up to " + base::float_repr(range.high) + "; the limit is " +
                 base::float_repr(most_sigma));
    }
  }
  template <class T>
  void operator()(std::string_view, const T&) const {}
};

void check_axes(const std::vector<std::int64_t>& axes, const std::string& where,
                std::size_t count) {
  for (const std::int64_t axis : axes) {
    if (axis < 0 || axis >= static_cast<std::int64_t>(count)) {
      refuse(ErrorKind::invalid_value, where,
             "has axis " + std::to_string(axis) + "; the patch has axes 0 to " +
                 std::to_string(count - 1));
    }
    if (std::count(axes.begin(), axes.end(), axis) > 1) {
      refuse(ErrorKind::invalid_value, where, "has axis " + std::to_string(axis) + " twice");
    }
  }
}

void check_label(std::int64_t label, const std::string& where) {
  if (label < std::numeric_limits<std::int16_t>::min() ||
      label > std::numeric_limits<std::int16_t>::max()) {
    refuse(ErrorKind::invalid_value, where,
           "has label " + std::to_string(label) + "; labels are from -32768 to 32767");
  }
}

void check_sizes(const Pipeline& pipeline) {
  constexpr std::int64_t kLongest = 1 << 20;
  const std::size_t axes = pipeline.patch.size();
  if ((axes != 2 && axes != 3) || pipeline.initial.size() != axes) {
    refuse(ErrorKind::invalid_value, "patch",
           "is " + to_string(pipeline.patch) + " and initial " + to_string(pipeline.initial) +
               "; both need two lengths, or both three");
  }
  for (const Shape* shape : {&pipeline.patch, &pipeline.initial}) {
    for (const std::int64_t length : *shape) {
      if (length < 1 || length > kLongest) {
        refuse(
            ErrorKind::invalid_value, shape == &pipeline.patch ? "patch" : "initial",
            "is " + to_string(*shape) + "; lengths are from 1 to " + std::to_string(kLongest));
      }
    }
    if (element_count(*shape) > std::numeric_limits<std::int32_t>::max()) {
      refuse(ErrorKind::invalid_value, shape == &pipeline.patch ? "patch" : "initial",
             "is " + to_string(*shape) + "; the limit is 2^31 - 1 voxels");
    }
  }
  if (pipeline.spatial.planar && axes == 3 && pipeline.patch[0] != pipeline.initial[0]) {
    refuse(ErrorKind::invalid_value, "initial",
           "is " + to_string(pipeline.initial) + "; a planar transform of the patch " +
               to_string(pipeline.patch) + " needs the same first length");
  }
}

void check_labels(const Labels& labels, std::size_t axes, const Shape& patch) {
  for (const std::int64_t channel : labels.masked_channels) {
    if (channel < 0) {
      refuse(ErrorKind::invalid_value, "labels.masked_channels",
             "has channel " + std::to_string(channel) + "; they count from 0");
    }
  }
  for (const std::int64_t label : labels.previous) check_label(label, "labels.previous");
  for (const auto& region : labels.regions) {
    for (const std::int64_t label : region) check_label(label, "labels.regions");
  }
  for (std::size_t k = 0; k < labels.scales.size(); ++k) {
    const std::string where = "labels.scales[" + std::to_string(k) + "]";
    const std::vector<double>& factors = labels.scales[k];
    if (factors.size() != axes) {
      refuse(ErrorKind::invalid_value, where,
             "has " + std::to_string(factors.size()) + " factors; the patch has " +
                 std::to_string(axes) + " axes");
    }
    for (std::size_t axis = 0; axis < axes; ++axis) {
      if (!(factors[axis] > 0 && factors[axis] <= 1) ||
          scaled_length(patch[axis], factors[axis]) < 1) {
        refuse(ErrorKind::invalid_value, where,
               "has " + base::float_repr(factors[axis]) +
                   "; factors up to 1 that leave a voxel of " + std::to_string(patch[axis]) +
                   " are needed");
      }
    }
  }
}

}  // namespace

void check(const Pipeline& pipeline) {
  check_sizes(pipeline);
  Spatial spatial = pipeline.spatial;
  Checker checker{"spatial"};
  fields(checker, spatial);
  for (std::size_t i = 0; i < pipeline.intensity.size(); ++i) {
    checker.where = "intensity[" + std::to_string(i) + "]";
    Intensity copy = pipeline.intensity[i];
    // A blur reads as far as that; noise has the size that images have.
    const bool blurs = std::holds_alternative<GaussianBlur>(copy);
    checker.most_sigma = blurs ? 100 : std::numeric_limits<float>::max();
    std::visit([&](auto& t) { fields(checker, t); }, copy);
    if (const auto* low = std::get_if<LowResolution>(&copy)) {
      check_axes(low->fixed_axes, checker.at("fixed_axes"), pipeline.patch.size());
    }
  }
  check_axes(pipeline.mirror_axes, "mirror_axes", pipeline.patch.size());
  check_labels(pipeline.labels, pipeline.patch.size(), pipeline.patch);
}

Value to_value(const Pipeline& pipeline) { return written(pipeline); }
Value to_value(const Drawn& drawn) { return written(drawn); }

Pipeline pipeline_from(const Value& value) {
  Pipeline pipeline;
  read(value, "", pipeline);
  check(pipeline);
  return pipeline;
}

Drawn drawn_from(const Value& value) {
  Drawn drawn;
  read(value, "", drawn);
  return drawn;
}

}  // namespace mlarray::augment
