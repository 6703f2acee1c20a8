// Whatever a flag may be given for a file: what is none, or never ends, is an error with its place, soon.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/files.h"
#include "cli/app.h"

namespace sxb::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Inputs : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "sxb-inputs-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    ASSERT_EQ(::mkfifo((dir_ / "fifo").c_str(), 0600), 0);
    fs::create_symlink("itself", dir_ / "itself");
    std::ofstream(dir_ / "huge.json").put('{');
    fs::resize_file(dir_ / "huge.json", std::uintmax_t{10} << 30);  // a hole: takes no room on the disk
    std::ofstream(dir_ / "odd.json") << "{\"name\": 1e999, \"nodes\": \"\xff\"}";
    fs::create_directories(dir_ / "folder");
  }
  void TearDown() override { fs::remove_all(dir_); }

  struct Said {
    int code;
    std::string text;
  };
  static Said run(const std::vector<std::string>& words) {
    std::vector<const char*> argv = {"sxbench"};
    for (const std::string& word : words) argv.push_back(word.c_str());
    ::testing::internal::CaptureStderr();
    ::testing::internal::CaptureStdout();
    const int code = run_app(static_cast<int>(argv.size()), argv.data());
    ::testing::internal::GetCapturedStdout();
    return {code, ::testing::internal::GetCapturedStderr()};
  }

  fs::path dir_;
};

/// FILE stands for the input.
const std::vector<std::vector<std::string>>& flags_that_read() {
  static const std::vector<std::vector<std::string>> lines = {
      {"config", "show", "--cluster", "FILE"},
      {"config", "show", "--hostfile", "FILE"},
      {"config", "show", "--models", "FILE"},
      {"nccl", "alltoallv", "--cluster", "local-8", "--nodes", "2", "--alltoallv-matrix", "FILE", "--out",
       "r"},
      {"data", "prepare", "--dataset", "FILE", "--tokenizer", "cluster-ops", "--out", "prepared"},
      {"data", "prepare", "--dataset", "cluster-ops", "--tokenizer", "FILE", "--out", "prepared"},
      {"data", "info", "FILE"},
      {"plan", "--cluster", "local-8", "--models", "tiny", "--set", "data.dataset=FILE"},
      {"plan", "--cluster", "local-8", "--models", "tiny", "--set", "data.tokenizer=FILE"},
      {"plan", "--cluster", "local-8", "--models", "tiny", "--set", "init_from=FILE"},
      {"report", "FILE"},
      {"show", "FILE"},
      {"compare", "FILE", "FILE"},
      {"run", "--resume", "FILE"}};
  return lines;
}

TEST_F(Inputs, WhatIsNoFileOrHasNoEndIsRefusedAtItsPlace) {
  ::setenv("SXBENCH_CACHE", (dir_ / "cache").c_str(), 1);
  for (const fs::path& input : {fs::path("/dev/zero"), dir_ / "fifo", dir_ / "itself", dir_ / "folder",
                                dir_ / "huge.json", dir_ / "odd.json", dir_ / "none.json"}) {
    for (std::vector<std::string> line : flags_that_read()) {
      if (input.filename() == "odd.json" && line.front() == "plan") continue;  // nodes read what is in it
      for (std::string& word : line) {
        if (const std::size_t at = word.find("FILE"); at != std::string::npos)
          word.replace(at, 4, input.string());
      }
      const Said said = run(line);
      EXPECT_EQ(said.code, 2) << fmt::format("{}", fmt::join(line, " ")) << "\n" << said.text;
      EXPECT_THAT(said.text, HasSubstr(input.string())) << fmt::format("{}", fmt::join(line, " "));
      EXPECT_THAT(said.text, HasSubstr("help: ")) << fmt::format("{}", fmt::join(line, " "));
    }
  }
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 1 << 20) << "KiB: an input was read whole";
  ::unsetenv("SXBENCH_CACHE");
}

TEST_F(Inputs, APipeIsReadOnceAndIsEnough) {
  const std::string fifo = (dir_ / "fifo").string();
  const auto with = [&](const std::string& text, std::vector<std::string> words) {
    std::thread writer([&] { std::ofstream(fifo) << text; });
    words.push_back(fifo);
    const Said said = run(words);
    writer.join();
    EXPECT_EQ(said.code, 0) << said.text;
  };
  with("n1 slots=8\nn2 slots=8\n", {"config", "show", "--hostfile"});
  with(R"({"name": "c", "nodes": "n[1-2]"})", {"config", "show", "--cluster"});
  with(*read_file(SXB_SOURCE_DIR "/configs/models/tiny.json"),
       {"config", "show", "--cluster", "local", "--models"});
  with(*read_file(SXB_SOURCE_DIR "/configs/datasets/cluster-ops/data.json"),
       {"data", "prepare", "--tokenizer", SXB_SOURCE_DIR "/configs/datasets/cluster-ops/tokenizer.model",
        "--seq-len", "512", "--out", (dir_ / "prepared").string(), "--dataset"});
}

}  // namespace
}  // namespace sxb::cli
