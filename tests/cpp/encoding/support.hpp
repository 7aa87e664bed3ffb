// Helpers of the encoding tests: bytes from text, checked-in tables, expected errors.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mlarray/error.hpp"
#include "support/bytes.hpp"

namespace mlarray::encoding {

using test::bytes_of;

inline int hex_digit(char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; }

inline std::string from_hex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(hex_digit(hex[i]) * 16 + hex_digit(hex[i + 1]));
  }
  return out;
}

inline std::string to_hex(std::string_view data) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char byte : data) {
    out += kDigits[static_cast<unsigned char>(byte) >> 4];
    out += kDigits[static_cast<unsigned char>(byte) & 0xF];
  }
  return out;
}

// The rows of a table of data/, cut at tabs.
inline std::vector<std::vector<std::string>> read_table(const std::string& name) {
  std::ifstream file(MLARRAY_ENCODING_TEST_DATA "/" + name);
  EXPECT_TRUE(file.is_open()) << name;
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> cells(1);
    for (const char letter : line) {
      if (letter == '\t') {
        cells.emplace_back();
      } else {
        cells.back() += letter;
      }
    }
    rows.push_back(std::move(cells));
  }
  EXPECT_FALSE(rows.empty()) << name;
  return rows;
}

// The message of the Error that `call` throws, which must be of `kind`.
inline std::string expect_error(ErrorKind kind, const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

inline void expect_contains(const std::string& message, std::string_view part) {
  EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks " << part;
}

}  // namespace mlarray::encoding
