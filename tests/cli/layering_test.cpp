// Who may include whom (docs/architecture.md, "Folders"): read from the sources, so that a forbidden
// edge fails here before it becomes a habit.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace {

namespace fs = std::filesystem;
using Modules = std::set<std::string>;

const std::map<std::string, Modules>& allowed() {
  static const std::map<std::string, Modules> table = {
      {"base", {}},
      {"config", {"base"}},
      {"record", {"base"}},
      {"stats", {"base"}},
      {"data", {"base"}},
      {"plan", {"config", "record", "stats", "base"}},
      {"launch", {"plan", "config", "record", "metrics", "data", "base", "engine.h"}},
      {"metrics", {"record", "base"}},
      {"analysis", {"record", "stats", "config", "plan", "base"}},
      {"report", {"analysis", "record", "base"}},
      {"cli",
       {"base", "config", "record", "stats", "data", "plan", "launch", "metrics", "analysis", "report"}},
      {"engine",
       {"engine.h", "engine/base", "engine/rank", "engine/comm", "engine/bench", "engine/gpu",
        "engine/kernel_bench", "engine/locate", "engine/train", "plan", "base"}},
      {"engine/base", {"engine.h", "engine/comm", "record", "base"}},
      {"engine/rank", {"engine/base", "engine/comm", "plan", "base"}},
      {"engine/kernels", {}},
      {"engine/comm", {"engine/base", "engine/kernels", "base"}},
      {"engine/blas", {"engine/base", "engine/comm"}},
      {"engine/attention", {"engine/train", "config"}},
      {"engine/gpu",
       {"engine/base", "engine/comm", "engine/blas", "engine/kernels", "engine/attention", "config", "plan",
        "stats", "base"}},
      {"engine/bench",
       {"engine/base", "engine/comm", "engine/kernels", "record", "config", "plan", "stats", "base"}},
      {"engine/locate",
       {"engine/base", "engine/rank", "engine/comm", "engine/bench", "engine/kernels", "record", "config",
        "stats", "plan", "base"}},
      {"engine/kernel_bench", {"engine/train", "engine/comm", "config", "base"}},
      {"engine/train",
       {"engine/base", "engine/attention", "engine/comm", "engine/blas", "engine/kernels", "data", "record",
        "config", "plan", "base"}},
  };
  return table;
}

/// "base/text.h" -> "base"; "engine/comm/nccl/x.h" -> "engine/comm"; "sxbench/engine.h" -> "engine.h"; a
/// foreign header -> "".
std::string module_of(const std::string& include) {
  if (include == "sxbench/engine.h") return "engine.h";
  const std::size_t slash = include.find('/');
  if (slash == std::string::npos) return "";
  const std::string first = include.substr(0, slash);
  if (first == "engine") {
    const std::size_t second = include.find('/', slash + 1);
    return second == std::string::npos ? first : include.substr(0, second);
  }
  return allowed().count(first) != 0 ? first : "";
}

bool is_source(const fs::path& path) {
  static const std::set<std::string> extensions = {".cpp", ".h", ".cu", ".cuh"};
  return extensions.count(path.extension().string()) != 0;
}

template <typename Each>
void for_each_include(const fs::path& root, Each each) {
  static const std::regex pattern(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file() || !is_source(entry.path())) continue;
    const std::string relative = fs::relative(entry.path(), root).string();
    std::ifstream in(entry.path());
    std::smatch match;
    for (std::string line; std::getline(in, line);) {
      if (std::regex_search(line, match, pattern)) each(relative, match[1].str());
    }
  }
}

void check_tree(const fs::path& root) {
  int edges = 0;
  for_each_include(root, [&](const std::string& file, const std::string& include) {
    const std::string from = module_of(file), to = module_of(include);
    if (from.empty() || to.empty() || from == to) return;
    ++edges;
    const auto rule = allowed().find(from);
    ASSERT_NE(rule, allowed().end()) << file << ": folder " << from << " is not in the table of this test";
    EXPECT_EQ(rule->second.count(to), 1u)
        << file << " includes " << include << ": " << from << " may not use " << to;
  });
  EXPECT_GT(edges, 0) << root;
}

TEST(Layering, SourcesIncludeOnlyWhatTheirFolderMayUse) { check_tree(fs::path(SXB_SOURCE_DIR) / "src"); }

TEST(Layering, OnlyTheEngineKnowsTorchAndCuda) {
  const std::regex device(R"(^(torch|ATen|c10|c10d|gloo|cuda|nccl|cudnn|cublas).*)");
  for_each_include(fs::path(SXB_SOURCE_DIR) / "src",
                   [&](const std::string& file, const std::string& include) {
                     if (file.rfind("engine/", 0) == 0) return;
                     EXPECT_FALSE(std::regex_match(include, device)) << file << " includes " << include;
                   });
}

TEST(Layering, KernelsAreFreeOfTorchAndOfOurLibraries) {
  const std::regex heavy(R"(^(torch|ATen|c10|fmt|nlohmann)/.*)");
  for_each_include(fs::path(SXB_SOURCE_DIR) / "src" / "engine" / "kernels",
                   [&](const std::string& file, const std::string& include) {
                     EXPECT_FALSE(std::regex_match(include, heavy)) << file << " includes " << include;
                   });
}

TEST(Layering, NoFileIsLongerThanItShouldBe) {
  for (const char* folder : {"src", "include"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(SXB_SOURCE_DIR) / folder)) {
      if (!entry.is_regular_file() || !is_source(entry.path())) continue;
      std::ifstream in(entry.path());
      int lines = 0;
      for (std::string line; std::getline(in, line);) ++lines;
      EXPECT_LE(lines, 400) << entry.path();
    }
  }
}

}  // namespace
