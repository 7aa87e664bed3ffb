// Python literals, and the element types that are written as one.
#include <cmath>

#include "encoding/literal.hpp"
#include "fuzz.hpp"
#include "mlarray/types.hpp"

using namespace mlarray;

void fuzz_input(fuzz::Input input) {
  const std::string_view text = fuzz::as_text(input);
  fuzz::accepts([&] { to_json(encoding::decode_literal(text)); });

  DType dtype;
  if (!fuzz::accepts([&] { dtype = DType::parse(text); })) return;
  fuzz::require(dtype.itemsize() >= 0, "no size is negative");
  fuzz::require(DType::parse(dtype.text()) == dtype, "a dtype's text is the dtype");
}
