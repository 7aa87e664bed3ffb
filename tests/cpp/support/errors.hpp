// What a call throws.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "mlarray/error.hpp"

namespace mlarray::test {

// Runs `call`, which must throw an Error.
template <typename Call>
std::optional<Error> error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

// The errno and the path of what `call` throws, as "2 a/b.mla".
template <typename Call>
std::string system_error_of(Call call) {
  const std::optional<Error> error = error_of(call);
  return error ? std::to_string(error->system_error()) + " " + error->path() : "no Error";
}

}  // namespace mlarray::test

// Checks that `expression` throws an Error of this kind whose message holds every further text.
#define EXPECT_ERROR(expression, expected_kind, ...)                                      \
  do {                                                                                    \
    const auto mlarray_error = ::mlarray::test::error_of([&] { (void)(expression); });    \
    ASSERT_TRUE(mlarray_error.has_value()) << "no Error from " #expression;               \
    EXPECT_EQ(mlarray_error->kind(), expected_kind) << mlarray_error->what();             \
    for (const std::string& mlarray_text : std::vector<std::string>{__VA_ARGS__}) {       \
      EXPECT_NE(std::string(mlarray_error->what()).find(mlarray_text), std::string::npos) \
          << mlarray_error->what() << "\ndoes not name " << mlarray_text;                 \
    }                                                                                     \
  } while (false)
