// A folder that lives as long as the test.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "base/secret.h"

namespace sxb::data {

class TempDir : public ::testing::Test {
 protected:
  TempDir() { std::filesystem::create_directories(dir_); }
  ~TempDir() override { std::filesystem::remove_all(dir_); }
  std::filesystem::path dir_ = std::filesystem::path(::testing::TempDir()) / ("sxb-" + random_token());
};

}  // namespace sxb::data
