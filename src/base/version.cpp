#include "mlarray/version.hpp"

#define MLARRAY_TEXT_OF(number) #number
#define MLARRAY_TEXT(number) MLARRAY_TEXT_OF(number)

namespace mlarray {

static_assert(std::string_view(MLARRAY_VERSION) ==
                  MLARRAY_TEXT(MLARRAY_VERSION_MAJOR) "." MLARRAY_TEXT(
                      MLARRAY_VERSION_MINOR) "." MLARRAY_TEXT(MLARRAY_VERSION_PATCH),
              "version.hpp: MLARRAY_VERSION and its parts must agree");

std::string_view version() noexcept { return MLARRAY_VERSION; }

}  // namespace mlarray
