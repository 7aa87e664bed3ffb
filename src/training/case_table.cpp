#include "training/case_table.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "mlarray/error.hpp"

namespace mlarray::training {
namespace {

std::string text_of(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return {text.begin(), text.end()};
}

std::filesystem::path path_of(std::string_view text) {
  return std::filesystem::path(std::u8string(text.begin(), text.end()));
}

// Of paths that are kept together: large enough that few are left half empty.
constexpr std::size_t kPieceBytes = std::size_t{256} << 10;

void put_number(std::string& to, std::size_t number) {
  const auto value = static_cast<std::uint32_t>(number);
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  to.append(bytes, sizeof value);
}

void put(std::string& to, std::string_view text) {
  put_number(to, text.size());
  to += text;
}

void put(std::string& to, const std::vector<std::filesystem::path>& files) {
  put_number(to, files.size());
  for (const std::filesystem::path& file : files) put(to, text_of(file));
}

// Reads what put() has written.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::uint32_t number() {
    std::uint32_t value = 0;
    std::memcpy(&value, text_.data(), sizeof value);
    text_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view text() {
    const std::uint32_t length = number();
    const std::string_view found = text_.substr(0, length);
    text_.remove_prefix(length);
    return found;
  }
  std::vector<std::filesystem::path> files() {
    std::vector<std::filesystem::path> found(number());
    for (std::filesystem::path& file : found) file = path_of(text());
    return found;
  }

 private:
  std::string_view text_;
};

[[noreturn]] void fail(std::size_t i, const Case& bad, const std::string& what) {
  throw Error(ErrorKind::invalid_value, "case " + std::to_string(i) +
                                            (bad.name.empty() ? "" : " (" + bad.name + ")") +
                                            " " + what);
}

}  // namespace

std::string stem_of(const std::filesystem::path& path) {
  const std::string suffix = text_of(path.extension());
  const bool known = suffix == ".mla" || suffix == ".b2nd";
  return text_of(known ? path.stem() : path.filename());
}

void CaseTable::add(std::string_view text) {
  if (text.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ErrorKind::invalid_value, "a case whose paths have more than 2^32 bytes");
  }
  if (pieces_.empty() || pieces_.back().capacity() - pieces_.back().size() < text.size()) {
    pieces_.emplace_back().reserve(std::max(kPieceBytes, text.size()));
  }
  std::string& piece = pieces_.back();
  starts_.push_back({static_cast<std::uint32_t>(pieces_.size() - 1),
                     static_cast<std::uint32_t>(piece.size())});
  piece += text;
}

std::string_view CaseTable::text(std::int64_t i) const {
  const Place place = starts_[static_cast<std::size_t>(i)];
  return std::string_view(pieces_[place.piece]).substr(place.first);
}

void CaseTable::check(const Case& one) {
  const std::size_t i = starts_.size();
  if (i == 0) {
    has_labels_ = !one.label.empty();
    for (const auto& [name, files] : one.extra) {
      if (name.empty() || name == "image" || name == "label" || name == "inside" ||
          std::find(extras_.begin(), extras_.end(), name) != extras_.end()) {
        fail(0, one,
             "has an extra named " + base::quote(name) +
                 "; names are different, not empty, and not image, label or inside");
      }
      extras_.push_back(name);
    }
  }
  if (one.image.empty()) fail(i, one, "has no image");
  if (one.label.empty() == has_labels_) {
    fail(i, one,
         has_labels_ ? "has no label, but the first case has one"
                     : "has a label, but the first case has none");
  }
}

CaseTable::CaseTable(const CaseSource& next) {
  std::string text;
  while (const std::optional<Case> one = next()) {
    check(*one);
    text.clear();
    put(text, one->name);
    put(text, one->image);
    put(text, one->label);
    put(text, text_of(one->class_locations));
    for (const std::string& name : extras_) {
      const auto extra = std::find_if(one->extra.begin(), one->extra.end(),
                                      [&](const auto& it) { return it.first == name; });
      if (extra == one->extra.end() || extra->second.empty()) {
        fail(starts_.size(), *one, "has no files of the extra " + base::quote(name));
      }
      put(text, extra->second);
    }
    if (one->extra.size() != extras_.size()) {
      fail(starts_.size(), *one, "has other extras than the first case");
    }
    add(text);
  }
  if (starts_.empty()) throw Error(ErrorKind::invalid_value, "there are no cases");
}

CaseSource each_of(const std::vector<Case>& cases) {
  return [&cases, i = std::size_t{0}]() mutable -> std::optional<Case> {
    if (i == cases.size()) return std::nullopt;
    return cases[i++];
  };
}

void CaseTable::check_index(std::int64_t i) const {
  if (i < 0 || i >= count()) {
    throw Error(ErrorKind::out_of_bounds,
                "case " + std::to_string(i) + " of " + std::to_string(count()));
  }
}

Case CaseTable::at(std::int64_t i) const {
  check_index(i);
  Reader reader(text(i));
  Case found;
  found.name = reader.text();
  found.image = reader.files();
  found.label = reader.files();
  found.class_locations = path_of(reader.text());
  for (const std::string& name : extras_) found.extra.emplace_back(name, reader.files());
  if (found.name.empty()) found.name = stem_of(found.image.front());
  return found;
}

std::string CaseTable::name(std::int64_t i) const {
  check_index(i);
  Reader reader(text(i));
  std::string name(reader.text());
  if (!name.empty()) return name;
  reader.number();
  return stem_of(path_of(reader.text()));
}

}  // namespace mlarray::training
