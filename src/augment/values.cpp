// Pipelines and draws as trees of plain data.
#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "augment/checks.hpp"
#include "augment/fields.hpp"
#include "base/text.hpp"
#include "mlarray/augment/pipeline.hpp"
#include "mlarray/error.hpp"

namespace mlarray::augment {
namespace {

struct Nothing {
  template <class T>
  void operator()(std::string_view, T&) {}
};
template <class T>
concept Fields = requires(Nothing& f, T& t) { fields(f, t); };

template <class T>
concept Words = std::is_enum_v<T> && !kWords<T>.empty();

// ---- to a tree ----

Value written(bool value) { return value; }
Value written(double value) { return value; }
Value written(std::int64_t value) { return value; }
// As the signed number of the same bits: JSON readers differ above 2^63.
Value written(std::uint64_t value) { return static_cast<std::int64_t>(value); }
Value written(const Range& range) {
  List list{{range.low, range.high}};
  if (range.law == Range::Law::halves) list.items.emplace_back("halves");
  if (range.law == Range::Law::normal) list.items.emplace_back("normal");
  return list;
}
template <Words T>
Value written(const T& value) {
  return Value(kWords<T>[static_cast<std::size_t>(value)]);
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
  const bool normal = law != nullptr && *law == "normal";
  const bool fits = list.items.size() == 2 || (law != nullptr && *law == "halves") || normal;
  if (!fits) {
    refuse(ErrorKind::invalid_value, where,
           "is no range: a number, [low, high], [low, high, \"halves\"] or [mean, deviation, "
           "\"normal\"] is needed");
  }
  read(list.items[0], where + "[0]", out.low);
  read(list.items[1], where + "[1]", out.high);
  out.law = normal           ? Range::Law::normal
            : law != nullptr ? Range::Law::halves
                             : Range::Law::uniform;
}
template <Words T>
void read(const Value& value, const std::string& where, T& out) {
  const std::string* word = value.get_if<std::string>();
  if (word == nullptr) refuse_type(where, value, "a word");
  std::string known;
  for (std::size_t i = 0; i < kWords<T>.size(); ++i) {
    if (*word == kWords<T>[i]) {
      out = static_cast<T>(i);
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(kWords<T>[i]);
  }
  refuse(ErrorKind::invalid_value, where,
         "is " + base::quote(*word) + ", which is not one of " + known);
}
template <Fields T>
void read(const Value& value, const std::string& where, T& out);
void read(const Value& value, const std::string& where, Intensity& out);
template <class T, std::size_t N>
void read(const Value& value, const std::string& where, std::array<T, N>& out);
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
  out = T{};
  read(value, where, *out);
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

}  // namespace

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
