// Who may include whom (docs/architecture.md), read from the sources.
#include "style/layers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "style/source_text.h"

namespace sxb::style {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Layers, SourcesIncludeOnlyWhatTheirFolderMayUse) {
  const Layers layers = parse_layers(read_text(kTree / "tests/style/layers.txt"));
  EXPECT_GT(layers.size(), 10u);
  EXPECT_THAT(broken_layers(kTree, layers), IsEmpty());
}

/// The headers that sources outside `allowed` include although their name begins with one of `prefixes`.
std::vector<std::string> uses_of(const std::vector<std::string>& prefixes, const std::string& folder,
                                 const std::string& allowed) {
  std::vector<std::string> uses;
  for (const std::string& file : files_below(kTree, folder, source_extensions())) {
    if (!allowed.empty() && file.rfind(allowed, 0) == 0) continue;
    for (const Include& include : includes_of(read_text(kTree / file))) {
      for (const std::string& prefix : prefixes) {
        if (include.name.rfind(prefix, 0) == 0) uses.push_back(file + " includes " + include.name);
      }
    }
  }
  return uses;
}

TEST(Layers, OnlyTheEngineKnowsTorchAndCuda) {
  const std::vector<std::string> device = {"torch", "ATen",   "c10",   "gloo",
                                           "cuda",  "nccl.h", "cudnn", "cublas"};
  EXPECT_THAT(uses_of(device, "src", "src/engine/"), IsEmpty());
  EXPECT_FALSE(uses_of(device, "src", "").empty())
      << "the engine uses them: they are looked for by the wrong name";
}

TEST(Layers, KernelsAreFreeOfTorchAndOfOurLibraries) {
  const std::vector<std::string> heavy = {"torch/", "ATen/", "c10/", "fmt/", "nlohmann/", "base/json.h"};
  EXPECT_THAT(uses_of(heavy, "src/engine/kernels", ""), IsEmpty());
}

TEST(Layers, NoFileIsLongerThanItShouldBe) {
  for (const char* folder : {"src", "include", "tests"}) {
    for (const std::string& file : files_below(kTree, folder, source_extensions())) {
      const std::string text = read_text(kTree / file);
      EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 400) << file;
    }
  }
}

/// A tree of three rooms, in which errors can be planted.
class PlantedLayers : public testing::Test {
 protected:
  PlantedLayers() : root_(fs::path(testing::TempDir()) / fmt::format("sxb-layers-{}", ::getpid())) {
    fs::remove_all(root_);  // of an earlier process with this id
    fs::create_directories(root_ / "include");
    write("src/base/text.h", "#include <string>\n");
    write("src/plan/task.h", "#include \"base/text.h\"\n");
    write("src/plan/locate/trials.cpp", "// #include \"cli/app.h\"\n#include \"plan/task.h\"\n");
  }
  ~PlantedLayers() override { fs::remove_all(root_); }

  void write(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  std::vector<std::string> broken(const std::string& table) {
    return broken_layers(root_, parse_layers(table));
  }

  const std::string table_ = "base:\nplan: base  # may be\nplan/locate: plan base\n";
  fs::path root_;
};

TEST_F(PlantedLayers, AnOrderlyTreePasses) { EXPECT_THAT(broken(table_), IsEmpty()); }

TEST_F(PlantedLayers, ANewFolderCannotEscape) {
  write("src/news/first.cpp", "");
  write("src/plan/locate/deep/down.h", "");
  EXPECT_THAT(broken(table_), ElementsAre(HasSubstr("src/news"), HasSubstr("src/plan/locate/deep")));
}

TEST_F(PlantedLayers, AForbiddenIncludeIsNamed) {
  write("src/base/text.h", "#include <string>\n#  include <plan/task.h>\n");
  EXPECT_THAT(broken(table_), ElementsAre("src/base/text.h:2: base may not include plan/task.h"));
}

TEST_F(PlantedLayers, AnIncludeRelativeToItsFolderCounts) {
  write("src/base/text.h", "#include \"../plan/task.h\"\n");
  EXPECT_THAT(broken(table_), ElementsAre(HasSubstr("base may not include ../plan/task.h")));
}

TEST_F(PlantedLayers, RoomsMustNotFormACircle) {
  EXPECT_THAT(broken("base: plan/locate\nplan: base\nplan/locate: plan base\n"),
              ElementsAre(HasSubstr("circle: base")));
}

TEST_F(PlantedLayers, ALineWithoutAFolderIsNamed) {
  EXPECT_THAT(broken(table_ + "gone: base\n"), ElementsAre(HasSubstr("has gone")));
}

TEST_F(PlantedLayers, AStarStandsForAllRoomsOfAModule) {
  write("src/cli/app.h", "#include \"plan/task.h\"\n#include \"plan/locate/trials.cpp\"\n");
  EXPECT_THAT(broken(table_ + "cli: plan/*\n"), IsEmpty());
  EXPECT_THAT(broken(table_ + "cli: plan\n"),
              ElementsAre(HasSubstr("cli may not include plan/locate/trials.cpp")));
}

TEST(LayersTable, MistakesAreNamed) {
  EXPECT_THROW(parse_layers("base\n"), std::runtime_error);
  EXPECT_THROW(parse_layers("base:\nbase:\n"), std::runtime_error);
  EXPECT_THROW(parse_layers("plan: base\n"), std::runtime_error);
}

}  // namespace
}  // namespace sxb::style
