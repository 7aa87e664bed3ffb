#pragma once

#include <gtest/gtest.h>

#include <string>

#include "mlarray/error.hpp"

namespace mlarray::codec::test {

// `call` throws an Error of `kind` whose message holds `text`.
template <typename Call>
void expect_error(Call&& call, ErrorKind kind, const std::string& text) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    return;
  }
  ADD_FAILURE() << "no error; expected one with: " << text;
}

}  // namespace mlarray::codec::test
