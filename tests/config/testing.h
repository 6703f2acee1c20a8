// What the tests of this folder share: JSON in, errors by place, a clean environment.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace sxb::config {

inline Json json_of(const std::string& text) {
  auto json = parse_json(text, "test");
  EXPECT_TRUE(json.ok()) << format_errors(json.errors());
  return json.ok() ? std::move(json).value() : Json();
}

/// The places of all errors, in order.
inline std::vector<std::string> places(const Errors& errors) {
  std::vector<std::string> out;
  for (const Error& error : errors) out.push_back(error.where);
  return out;
}

/// The error at `where`; fails the test and returns an empty one if there is none.
inline Error error_at(const Errors& errors, const std::string& where) {
  for (const Error& error : errors) {
    if (error.where == where) return error;
  }
  ADD_FAILURE() << "no error at " << where << " in\n" << format_errors(errors);
  return {};
}

/// An empty folder as working folder and home, the shipped configs of the source tree, and no other
/// setting of the person who runs the tests.
class CleanEnvironment : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"SXBENCH_CLUSTER", "SXBENCH_MODELS", "SXBENCH_NODES", "SXBENCH_OUT",
                             "SXBENCH_STEPS", "SXBENCH_MICRO_BATCH", "SXBENCH_METRICS_INTERVAL_MS",
                             "SLURM_JOB_NODELIST", "SLURM_JOB_ID", "SLURM_GPUS_ON_NODE"}) {
      ::unsetenv(name);
    }
    previous_ = std::filesystem::current_path();
    folder_ = testing::TempDir() + "sxb_config_XXXXXX";
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    std::filesystem::current_path(folder_);
    set("XDG_CONFIG_HOME", folder_ + "/home");
    set("SXBENCH_CONFIGS", SXB_SOURCE_DIR "/configs");
    set("SXBENCH_CACHE", folder_ + "/cache");
  }
  void TearDown() override {
    std::filesystem::current_path(previous_);
    std::filesystem::remove_all(folder_);
  }
  static void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }
  /// Writes a file under the folder and returns its path.
  std::string write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = std::filesystem::path(folder_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }

  std::string folder_;

 private:
  std::filesystem::path previous_;
};

}  // namespace sxb::config
