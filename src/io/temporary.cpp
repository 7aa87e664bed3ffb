#include "io/temporary.hpp"

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "base/mutants.hpp"
#include "io/system.hpp"

namespace mlarray::io {
namespace {

// File names end at 255 bytes, on some encrypted file systems at 143.
constexpr std::size_t kMaxCarriedName = 80;
constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kEnd = ".tmp";
constexpr std::size_t kRandomDigits = 12;
// A folder may hold a hundred thousand images, and saving each of them must not list them all.
constexpr std::chrono::minutes kPause{1};

// FNV-1a, as eight digits.
std::string digits_of(std::string_view text) {
  std::uint32_t hash = 2166136261u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  std::string digits;
  for (int shift = 28; shift >= 0; shift -= 4) digits += kHex[(hash >> shift) & 15u];
  return digits;
}

const std::string& this_machine() {
  static const std::string* digits = new std::string(digits_of(system::machine()));
  return *digits;
}

// What is left of `text` before `count` hexadecimal digits at its end.
std::optional<std::string_view> before_hex(std::string_view text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  const std::string_view digits = text.substr(text.size() - count);
  if (digits.find_first_not_of(kHex) != std::string_view::npos) return std::nullopt;
  return text.substr(0, text.size() - count);
}

// The process that a name of ours from this machine speaks of.
std::optional<std::int64_t> writer_of(std::string_view name) {
  if (!name.starts_with('.') || !name.ends_with(kEnd)) return std::nullopt;
  name.remove_suffix(kEnd.size());
  const auto rest = before_hex(name, kRandomDigits);
  const std::string middle = "-" + this_machine() + "-";
  if (!rest || !rest->ends_with(middle)) return std::nullopt;
  name = rest->substr(0, rest->size() - middle.size());
  const std::size_t dot = name.rfind('.');
  if (dot < 2 || dot == std::string_view::npos) return std::nullopt;  // ".<name>." at least
  const std::string_view number = name.substr(dot + 1);
  std::int64_t pid = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), pid);
  if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
  // Exactly as it was written: no leading zero, no sign.
  return pid > 0 && std::to_string(pid) == number ? std::optional(pid) : std::nullopt;
}

// When each folder was looked through, in the last minute.
struct Looked {
  std::mutex mutex;
  std::map<std::filesystem::path, std::chrono::steady_clock::time_point> at;  // under mutex
};

Looked& looked() {
  static Looked* const one = new Looked;
  return *one;
}

// True once a minute for each folder.
bool is_due(const std::filesystem::path& folder) {
  const auto now = std::chrono::steady_clock::now();
  Looked& last = looked();
  const std::lock_guard lock(last.mutex);
  std::erase_if(last.at, [&](const auto& entry) { return now - entry.second >= kPause; });
  return last.at.try_emplace(std::filesystem::absolute(folder), now).second;
}

}  // namespace

std::filesystem::path temporary_name(const std::filesystem::path& target) {
  std::u8string carried = target.filename().u8string();
  if (carried.size() > kMaxCarriedName) {
    std::size_t end = kMaxCarriedName;
    while (end > 0 && (static_cast<unsigned>(carried[end]) & 0xC0u) == 0x80u) --end;
    carried.resize(end);
  }
  std::random_device random;
  std::string suffix = "." + std::to_string(system::process_id()) + "-" + this_machine() + "-";
  for (std::size_t i = 0; i < kRandomDigits; ++i) suffix += kHex[random() & 15u];
  suffix += kEnd;
  std::filesystem::path name(u8".");
  name += carried;
  name += suffix;
  return target.parent_path() / name;
}

void remove_leftovers(const std::filesystem::path& folder) noexcept {
  try {
    if (!is_due(folder) || base::mutant("leftovers_stay")) return;
    for (const std::string& name : system::list_folder(folder)) {
      const auto writer = writer_of(name);
      if (!writer || system::may_be_running(*writer)) continue;
      const std::filesystem::path path = folder / std::u8string(name.begin(), name.end());
      if (system::type_of_name(path) != system::FileType::regular) continue;
      const system::Descriptor file = system::open_to_read(path);
      if (!system::is_surely_unlocked(file.get())) continue;
      system::remove_quietly(path);  // with its lock held
    }
  } catch (...) {
    // Somebody else's rubbish is no reason not to save.
  }
}

void forget_folders() {
  const std::lock_guard lock(looked().mutex);
  looked().at.clear();
}

}  // namespace mlarray::io
