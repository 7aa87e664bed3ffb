// The table of checksums.
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "fuzz.hpp"
#include "io/byte_source.hpp"
#include "mlarray/error.hpp"
#include "store/checksums.hpp"

using namespace mlarray;

void fuzz_input(fuzz::Input input) {
  fuzz::Choices choices(input);
  const std::int64_t chunks = choices.number(0, std::int64_t{1} << 28);
  const std::int64_t blocks = choices.number(0, std::int64_t{1} << 31);
  const auto owner =
      std::make_shared<std::vector<std::byte>>(choices.rest().begin(), choices.rest().end());
  const std::shared_ptr<io::ByteSource> file = io::from_memory(*owner, "<fuzz>");
  const auto table = store::ChecksumTable::parse({*owner, owner}, file, chunks, blocks);
  for (const std::int64_t chunk : {std::int64_t{0}, chunks / 2, chunks - 1}) {
    if (chunk < 0) continue;
    try {
      const std::span<const std::byte> sums = table.of_chunk(chunk).stored();
      fuzz::require(sums.empty() || sums.size() == 4 * static_cast<std::size_t>(blocks),
                    "a chunk has one sum for each block");
      if (!sums.empty()) table.of_chunk(chunk).of_block(static_cast<std::int32_t>(blocks - 1));
    } catch (const Error& error) {
      fuzz::require(error.kind() == ErrorKind::corruption, "a page is damaged");
    }
  }
  if (table.pages() != nullptr || table.of_chunk(0).stored().empty()) return;
  store::ChecksumBuilder builder(chunks, blocks);
  builder.set(0, table.of_chunk(0).stored());
  std::vector<std::byte> none;
  store::PageList list;
  const std::vector<std::byte> again = std::move(builder).build(none, 0, list);
  if (again.empty()) return;  // a large table has pages
  fuzz::require(store::ChecksumTable::parse({again, nullptr}, nullptr, chunks, blocks)
                        .of_chunk(0)
                        .of_block(0) == table.of_chunk(0).of_block(0),
                "what was read can be written");
}
