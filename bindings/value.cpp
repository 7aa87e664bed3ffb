#include "value.hpp"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlarray/error.hpp"
#include "mlarray/metadata.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlarray::bindings {
namespace {

// Room for the sections and fields around the deepest value that a field may hold.
constexpr std::size_t kMaxDepth = kMaxFieldDepth + 8;

nb::object checked(PyObject* fresh) {
  if (!fresh) throw nb::python_error();
  return nb::steal(fresh);
}

std::string text_of(nb::handle text) {
  const nb::object bytes =
      checked(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogatepass"));
  return {PyBytes_AsString(bytes.ptr()), static_cast<std::size_t>(PyBytes_Size(bytes.ptr()))};
}

std::string type_of(nb::handle object) { return nb::cast<std::string>(nb::inst_name(object)); }

class Converter {
 public:
  Value convert(nb::handle object, const std::string& path) {
    PyObject* raw = object.ptr();
    if (object.is_none()) return {};
    if (PyBool_Check(raw)) return raw == Py_True;
    if (PyLong_Check(raw)) return integer(object);
    if (PyFloat_Check(raw)) return PyFloat_AsDouble(raw);
    if (PyUnicode_Check(raw)) return text_of(object);
    if (PyBytes_Check(raw)) {
      return Bytes{{PyBytes_AsString(raw), static_cast<std::size_t>(PyBytes_Size(raw))}};
    }
    if (PyList_Check(raw) || PyTuple_Check(raw)) return sequence(object, path);
    if (PyDict_Check(raw)) return mapping(object, path);
    if (nb::isinstance<Opaque>(object)) return nb::cast<Opaque>(object);
    if (nb::hasattr(object, "dtype") && nb::hasattr(object, "tolist")) {
      return array_like(object, path);
    }
    if (nb::hasattr(object, "keys") && PyMapping_Check(raw)) {
      const nb::dict copy;
      if (PyDict_Update(copy.ptr(), raw) != 0) throw nb::python_error();
      return mapping(copy, path);
    }
    throw Error(ErrorKind::invalid_type,
                path + ": a value of type " + type_of(object) +
                    " cannot be stored; use None, bool, int, float, str, list, tuple or dict");
  }

 private:
  // Marks a container as being converted, for as long as it is.
  class Entered {
   public:
    Entered(std::vector<PyObject*>& active, nb::handle object, const std::string& path)
        : active_(active) {
      if (std::ranges::find(active, object.ptr()) != active.end()) {
        throw Error(ErrorKind::invalid_value, path + ": a container that contains itself");
      }
      if (active.size() >= kMaxDepth) {
        throw Error(ErrorKind::invalid_value,
                    path + ": nested more than " + std::to_string(kMaxDepth) + " levels deep");
      }
      active_.push_back(object.ptr());
    }
    ~Entered() { active_.pop_back(); }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;

   private:
    std::vector<PyObject*>& active_;
  };

  static Value integer(nb::handle object) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(object.ptr(), &overflow);
    if (overflow == 0) {
      if (number == -1 && PyErr_Occurred()) throw nb::python_error();
      return static_cast<std::int64_t>(number);
    }
    return BigInt{text_of(checked(PyNumber_ToBase(object.ptr(), 10)))};
  }

  Value sequence(nb::handle object, const std::string& path) {
    const Entered entered(active_, object, path);
    List list;
    list.is_tuple = PyTuple_Check(object.ptr());
    // The length is asked anew each time: converting an item may run Python code.
    for (Py_ssize_t i = 0; i < PySequence_Size(object.ptr()); ++i) {
      const nb::object item = checked(PySequence_GetItem(object.ptr(), i));
      list.items.push_back(convert(item, item_path(path, static_cast<std::size_t>(i))));
    }
    return list;
  }

  Value mapping(nb::handle object, const std::string& path) {
    const Entered entered(active_, object, path);
    const nb::object items = checked(PyDict_Items(object.ptr()));
    Map map;
    for (const nb::handle pair : items) {
      Value key = convert(pair[0], path);
      Value item = convert(pair[1], item_path(path, key));
      map.items.emplace_back(std::move(key), std::move(item));
    }
    return map;
  }

  // One level: what tolist() returns is plain, or else refused as above.
  Value array_like(nb::handle object, const std::string& path) {
    const nb::object plain = object.attr("tolist")();
    if (nb::hasattr(plain, "dtype")) {
      throw Error(ErrorKind::invalid_type,
                  path + ": a value of type " + type_of(object) + " cannot be stored");
    }
    return convert(plain, path);
  }

  std::vector<PyObject*> active_;
};

struct ToPython {
  nb::object operator()(std::monostate) const { return nb::none(); }
  nb::object operator()(bool value) const { return nb::bool_(value); }
  nb::object operator()(std::int64_t value) const { return nb::int_(value); }
  nb::object operator()(double value) const { return nb::float_(value); }
  nb::object operator()(const BigInt& value) const {
    return checked(PyLong_FromString(value.decimal.c_str(), nullptr, 10));
  }
  nb::object operator()(const std::string& text) const {
    return checked(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()),
                                        "surrogatepass"));
  }
  nb::object operator()(const Bytes& bytes) const {
    return nb::bytes(bytes.data.data(), bytes.data.size());
  }
  nb::object operator()(const List& list) const {
    nb::list items;
    for (const Value& item : list.items) items.append(value_to_python(item));
    if (list.is_tuple) return nb::tuple(items);
    return items;
  }
  nb::object operator()(const Map& map) const {
    nb::dict dict;
    for (const auto& [key, item] : map.items) dict[key_to_python(key)] = value_to_python(item);
    return dict;
  }
  nb::object operator()(const Opaque& object) const { return nb::cast(object); }

 private:
  // A list cannot be a key: msgpack, where it can, is read as Python's strict reader would
  // have written it, a tuple.
  static nb::object key_to_python(const Value& key) {
    nb::object object = value_to_python(key);
    return PyList_Check(object.ptr()) ? nb::object(nb::tuple(object)) : object;
  }
};

}  // namespace

Value value_from_python(nb::handle object, const std::string& path) {
  return Converter().convert(object, path);
}

nb::object value_to_python(const Value& value) {
  return std::visit(ToPython{}, value.storage());
}

void register_value(nb::module_& module) {
  nb::class_<Opaque>(module, "OpaqueValue",
                     "An object that a file holds and that is no plain data. It names the "
                     "class; nothing of it was imported or run.")
      .def_ro("class_name", &Opaque::class_name)
      .def("__repr__",
           [](const Opaque& self) { return "<not read: object of " + self.class_name + ">"; })
      .def(
          "__eq__",
          [](const Opaque& self, nb::object other) {
            return nb::isinstance<Opaque>(other) && self == nb::cast<const Opaque&>(other);
          },
          "other"_a.none(), nb::sig("def __eq__(self, other: object, /) -> bool"))
      .def("__hash__",
           [](const Opaque& self) { return std::hash<std::string>{}(self.class_name); })
      .def(
          "__getstate__",
          [](const Opaque& self) {
            return nb::make_tuple(self.class_name, value_to_python(List{self.state, false}));
          },
          nb::sig("def __getstate__(self) -> tuple[str, list[typing.Any]]"))
      .def(
          "__setstate__",
          [](Opaque& self, const nb::tuple& state) {
            Value items = value_from_python(state[1], "state");
            List* list = items.get_if<List>();
            if (!list) throw Error(ErrorKind::invalid_type, "state: expected a list");
            new (&self) Opaque{nb::cast<std::string>(state[0]), std::move(list->items)};
          },
          "state"_a,
          nb::sig("def __setstate__(self, state: tuple[str, list[typing.Any]]) -> None"));
}

}  // namespace mlarray::bindings
