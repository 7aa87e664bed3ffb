// Compiled once as it is, which has to succeed, and once for each MISUSE, which has to fail.
#include <string>

#include "mlarray/mlarray.hpp"

mlarray::Value value_of();
mlarray::Map map_of();
mlarray::Metadata metadata_of();

void use() {
  const mlarray::Value value = value_of();
  const mlarray::Map map = map_of();
  [[maybe_unused]] const auto* text = value.get_if<std::string>();
  [[maybe_unused]] const auto* entry = map.find("key");
  [[maybe_unused]] const mlarray::Value copy = metadata_of().get("spatial", "spacing");
  // Bound to a copy whose life is extended, not into the temporary.
  [[maybe_unused]] const std::string& name = mlarray::DType::parse("<i2").text();
#if MISUSE == 1  // points into a temporary
  [[maybe_unused]] const auto* dangling = value_of().get_if<std::string>();
#elif MISUSE == 2
  [[maybe_unused]] const auto* dangling = map_of().find("key");
#elif MISUSE == 3
  [[maybe_unused]] const auto* dangling = metadata_of().get("a", "b").get_if<std::string>();
#elif MISUSE == 4  // would become true
  [[maybe_unused]] const mlarray::Value pointer(&value);
#elif MISUSE == 5  // would be read as text
  [[maybe_unused]] const mlarray::Value none(nullptr);
#endif
}
