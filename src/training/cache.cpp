#include "training/cache.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <system_error>

#include "codec/checksum.hpp"
#include "io/byte_source.hpp"
#include "io/file.hpp"
#include "mlarray/error.hpp"

namespace mlarray::training {
namespace {

// A file: magic, bytes of the key (uint64), key, fingerprint of what follows, what was kept.
constexpr std::string_view kFileMagic = "mlacach1";
constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 30;
constexpr std::size_t kHashBytes = 16;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::array<std::byte, kHashBytes> hash_of(std::span<const std::byte> bytes) {
  const std::array<std::span<const std::byte>, 1> parts = {bytes};
  return codec::fingerprint(parts);
}

std::filesystem::path file_of(const std::filesystem::path& folder, const std::string& key) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string name;
  for (const std::byte b : hash_of(bytes_of(key))) {
    name += kDigits[std::to_integer<unsigned>(b) >> 4];
    name += kDigits[std::to_integer<unsigned>(b) & 15];
  }
  return folder / (name + ".label_index");
}

std::string head_of(const std::string& key) {
  std::string out(kFileMagic);
  for (int i = 0; i < 8; ++i) {
    out += static_cast<char>(static_cast<std::uint64_t>(key.size()) >> (8 * i) & 0xff);
  }
  return out + key;
}

}  // namespace

std::optional<std::vector<std::byte>> cached(const std::filesystem::path& folder,
                                             const std::string& key) {
  if (folder.empty() || key.empty()) return std::nullopt;
  try {
    const auto path = file_of(folder, key);
    std::error_code none;
    if (!std::filesystem::is_regular_file(path, none)) return std::nullopt;
    const auto source = io::open_file(path, Access::buffered, path.string());
    if (source->size() > kMostFileBytes) return std::nullopt;
    const io::Bytes file = source->get({0, source->size()});
    const std::string head = head_of(key);
    if (file.data.size() < head.size() + kHashBytes ||
        !std::ranges::equal(bytes_of(head), file.data.first(head.size()))) {
      return std::nullopt;
    }
    const auto hash = file.data.subspan(head.size(), kHashBytes);
    const auto kept = file.data.subspan(head.size() + kHashBytes);
    if (!std::ranges::equal(hash, hash_of(kept))) return std::nullopt;
    return std::vector<std::byte>(kept.begin(), kept.end());
  } catch (const Error&) {
    return std::nullopt;
  }
}

void keep_in_cache(const std::filesystem::path& folder, const std::string& key,
                   std::span<const std::byte> bytes) {
  if (folder.empty() || key.empty() || bytes.size() > kMostFileBytes / 2) return;
  try {
    std::error_code ignored;
    std::filesystem::create_directories(folder, ignored);
    // It need not survive a power cut: what is half there has another hash.
    io::AtomicFile file(file_of(folder, key), CommitLevel::none);
    file.append(bytes_of(head_of(key)));
    file.append(hash_of(bytes));
    file.append(bytes);
    static_cast<void>(file.publish_and_close(false));
  } catch (const Error&) {
    // Read-only, full, or not a folder: it is made again the next time.
  }
}

std::string state_of_file(const std::filesystem::path& path) {
  if (path.empty()) return {};
  std::error_code failed;
  const auto absolute = std::filesystem::absolute(path, failed);
  if (failed) return {};
  const auto size = std::filesystem::file_size(absolute, failed);
  if (failed) return {};
  const auto time = std::filesystem::last_write_time(absolute, failed);
  if (failed) return {};
  return "file " + absolute.string() + "\nbytes " + std::to_string(size) + "\ntime " +
         std::to_string(time.time_since_epoch().count());
}

}  // namespace mlarray::training
