#include "training/case_table.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
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

// Reads what CaseTable::put() has written.
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

void CaseTable::put(std::string_view text) {
  if (text.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ErrorKind::invalid_value, "a path of more than 2^32 bytes");
  }
  const auto length = static_cast<std::uint32_t>(text.size());
  char bytes[sizeof length];
  std::memcpy(bytes, &length, sizeof length);
  text_.append(bytes, sizeof length);
  text_ += text;
}

void CaseTable::put(const std::vector<std::filesystem::path>& files) {
  const auto count = static_cast<std::uint32_t>(files.size());
  char bytes[sizeof count];
  std::memcpy(bytes, &count, sizeof count);
  text_.append(bytes, sizeof count);
  for (const std::filesystem::path& file : files) put(text_of(file));
}

CaseTable::CaseTable(const std::vector<Case>& cases) {
  if (cases.empty()) throw Error(ErrorKind::invalid_value, "there are no cases");
  for (const auto& [name, files] : cases.front().extra) {
    if (name.empty() || name == "image" || name == "label" || name == "inside" ||
        std::find(extras_.begin(), extras_.end(), name) != extras_.end()) {
      fail(0, cases.front(),
           "has an extra named " + base::quote(name) +
               "; names are different, not empty, and not image, label or inside");
    }
    extras_.push_back(name);
  }
  starts_.reserve(cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& one = cases[i];
    if (one.image.empty()) fail(i, one, "has no image");
    if (one.label.empty() != cases.front().label.empty()) {
      fail(i, one,
           one.label.empty() ? "has no label, but the first case has one"
                             : "has a label, but the first case has none");
    }
    starts_.push_back(text_.size());
    put(one.name);
    put(one.image);
    put(one.label);
    put(text_of(one.class_locations));
    for (const std::string& name : extras_) {
      const auto extra = std::find_if(one.extra.begin(), one.extra.end(),
                                      [&](const auto& it) { return it.first == name; });
      if (extra == one.extra.end() || extra->second.empty()) {
        fail(i, one, "has no files of the extra " + base::quote(name));
      }
      put(extra->second);
    }
    if (one.extra.size() != extras_.size()) {
      fail(i, one, "has other extras than the first case");
    }
  }
  text_.shrink_to_fit();
}

Case CaseTable::at(std::int64_t i) const {
  if (i < 0 || i >= count()) {
    throw Error(ErrorKind::out_of_bounds,
                "case " + std::to_string(i) + " of " + std::to_string(count()));
  }
  Reader reader(std::string_view(text_).substr(starts_[static_cast<std::size_t>(i)]));
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
  Reader reader(std::string_view(text_).substr(starts_[static_cast<std::size_t>(i)]));
  std::string name(reader.text());
  if (!name.empty()) return name;
  reader.number();
  return stem_of(path_of(reader.text()));
}

}  // namespace mlarray::training
