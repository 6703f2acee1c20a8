// A command line that cannot be: in our words, with what to type instead, and nothing started.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/app.h"
#include "cli/explain.h"

namespace sxb::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class Usage : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "sxb-usage-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    before_ = fs::current_path();
    fs::current_path(dir_);
  }
  void TearDown() override {
    fs::current_path(before_);
    fs::remove_all(dir_);
  }
  /// What is said of a command line that ends with 2 and leaves nothing behind.
  std::string said(std::vector<std::string> words) const {
    std::vector<const char*> argv = {"sxbench"};
    for (const std::string& word : words) argv.push_back(word.c_str());
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(run_app(static_cast<int>(argv.size()), argv.data()), 2);
    EXPECT_FALSE(fs::exists(dir_ / "r")) << "something was started";
    return ::testing::internal::GetCapturedStderr();
  }
  /// The same for a sweep on CPU ranks.
  std::string of_sweep(std::vector<std::string> words) const {
    words.insert(words.begin(), {"nccl", "--cluster", "local-8", "--nodes", "2", "--out", "r"});
    return said(std::move(words));
  }

  fs::path dir_, before_;
};

TEST_F(Usage, TheHelpNamesTheWholeVerb) {
  EXPECT_THAT(said({"config", "show", "--foo"}),
              AllOf(HasSubstr("not an option of config show"), HasSubstr("sxbench config show --help")));
  EXPECT_THAT(said({"data", "prepare", "--foo"}), HasSubstr("sxbench data prepare --help"));
  EXPECT_THAT(said({"data", "prepare"}),
              AllOf(HasSubstr("--dataset is missing"), HasSubstr("data prepare --help")));
  EXPECT_THAT(said({"config"}), AllOf(HasSubstr("a verb of config is missing"), HasSubstr("show, list")));
  EXPECT_THAT(said({"config", "shwo"}),
              AllOf(HasSubstr("not a verb of config"), HasSubstr("did you mean \"show\"")));
}

TEST_F(Usage, OfARepeatedFlagTheLastOneCounts) {
  // The second -n is one that is refused: the first was not taken.
  EXPECT_THAT(of_sweep({"-n", "2", "-n", "0"}), HasSubstr("no timed iterations"));
  EXPECT_THAT(of_sweep({"-b", "8", "-b", "9"}), HasSubstr("9 bytes are no whole number"));
  EXPECT_THAT(of_sweep({"--name", "ok", "--name", "a b"}), HasSubstr("\"a b\""));
}

TEST_F(Usage, OfAListThatIsGivenTwiceNoneIsLost) {
  for (const char* flag : {"--models", "--nodes", "--exclude", "--spares", "--phases"}) {
    EXPECT_THAT(
        said({"run", flag, "1", flag, "2"}),
        AllOf(HasSubstr(fmt::format("{} is given 2 times", flag)), HasSubstr(fmt::format("{} 1,2", flag))));
  }
}

TEST_F(Usage, StepsOfASweepReachItsEnd) {
  EXPECT_THAT(of_sweep({"-i", "0"}), AllOf(HasSubstr("a step of 0"), HasSubstr("--> -i\n")));
  EXPECT_THAT(of_sweep({"-b", "4", "-e", "8G", "-i", "4"}),
              AllOf(HasSubstr("sizes, above 65536"), HasSubstr("--> -i\n")));
  EXPECT_THAT(of_sweep({"-f", "1"}), HasSubstr("--> -f\n"));
  EXPECT_THAT(of_sweep({"-b", "8", "-e", "65T"}), AllOf(HasSubstr("--> -e\n"), HasSubstr("is above 64 TiB")));
}

TEST_F(Usage, ValuesInOurWords) {
  EXPECT_THAT(said({"run", "--steps", "abc"}),
              AllOf(HasSubstr("\"abc\" is not a whole number"), HasSubstr("--> --steps\n")));
  EXPECT_THAT(said({"run", "--steps", "99999999999999999999"}), HasSubstr("is out of range"));
  EXPECT_THAT(said({"run", "--steps"}), HasSubstr("--steps needs a value"));
  EXPECT_THAT(said({"run", "--repeats", "0"}), HasSubstr("\"0\" is not a whole number from 1 to 1000"));
  EXPECT_THAT(of_sweep({"-n", "x"}),
              AllOf(HasSubstr("\"x\" is not a whole number"), HasSubstr("--> -n, --iters\n")));
  EXPECT_THAT(of_sweep({"-r", "some"}),
              AllOf(HasSubstr("neither a rank nor \"all\""), HasSubstr("-r, --root")));
  EXPECT_THAT(of_sweep({"-e", "8X"}), AllOf(HasSubstr("\"8X\" is not a size"), HasSubstr("-e, --maxbytes")));
  EXPECT_THAT(said({"run", "--json=maybe"}), HasSubstr("--json"));
  for (const std::string& text : {said({"run", "--steps"}), said({"compare", "a"}), said({"config"})}) {
    for (const char* theirs : {"required", "Could not convert", "subcommand", "TEXT"})
      EXPECT_THAT(text, Not(HasSubstr(theirs)));
  }
}

TEST_F(Usage, NearMisses) {
  EXPECT_THAT(said({"run", "--cluster", "local8"}), HasSubstr("did you mean \"local-8\""));
  EXPECT_THAT(said({"run", "--device", "gpu"}), HasSubstr("did you mean \"cuda\""));
  EXPECT_THAT(of_sweep({"-d", "fp16"}), HasSubstr("did you mean \"half\""));
  EXPECT_THAT(of_sweep({"-d", "bf16"}), HasSubstr("did you mean \"bfloat16\""));
  EXPECT_THAT(said({"burn", "--precision", "half"}), HasSubstr("did you mean \"fp16\""));
  EXPECT_THAT(said({"run", "--bogus"}), Not(HasSubstr("did you mean")));
  EXPECT_THAT(said({"run", "--quiet"}), Not(HasSubstr("did you mean")));
  EXPECT_THAT(said({"run", "7b"}), HasSubstr("sxbench run --models 7b"));
  EXPECT_THAT(said({"--no-color", "list"}), HasSubstr("\"--no-color\" is not an option of sxbench"));
  EXPECT_THAT(said({"--cluster", "local", "run"}), HasSubstr("after the verb: sxbench run --cluster"));
  EXPECT_THAT(said({"check", "--hostfile", "nope"}), AllOf(HasSubstr("--> nope\n"), HasSubstr("help: ")));
}

TEST_F(Usage, SpellingsThatPeopleTry) {
  EXPECT_THAT(usual_words({"help", "run"}), ElementsAre("run", "--help"));
  EXPECT_THAT(usual_words({"help"}), ElementsAre("--help"));
  EXPECT_THAT(usual_words({"-V"}), ElementsAre("--version"));
  EXPECT_THAT(usual_words({"version"}), ElementsAre("--version"));
  EXPECT_THAT(usual_words({"nccl", "-V", "16"}), ElementsAre("nccl", "-V", "16"));
  EXPECT_TRUE(usual_words({}).empty());
}

TEST_F(Usage, HelpTellsTheExitCodes) {
  const char* argv[] = {"sxbench", "help", "config", "show"};
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(run_app(4, argv), 0);
  EXPECT_THAT(::testing::internal::GetCapturedStdout(), HasSubstr("Exit codes: 0 all went well"));
}

TEST_F(Usage, SaysWhichRunStandsForAMissingLink) {
  fs::create_directories("runs/20261121T071340Z-a-1a2b3c");
  std::ofstream("runs/20261121T071340Z-a-1a2b3c/records.jsonl") << "no record\n";
  for (const std::vector<std::string>& line : {std::vector<std::string>{"report", "runs"},
                                               {"show", "runs"},
                                               {"compare", "runs", "runs"},
                                               {"run", "--resume", "runs"}}) {
    EXPECT_THAT(
        said(line),
        HasSubstr("runs has no link \"latest\" to a run; this is its newest, 20261121T071340Z-a-1a2b3c"));
  }
}

TEST_F(Usage, AVariableIsNamedWithItsValue) {
  ASSERT_EQ(::setenv("SXBENCH_NODES", "none", 1), 0);
  EXPECT_THAT(said({"run"}), HasSubstr("$SXBENCH_NODES"));
  EXPECT_THAT(said({"run"}), Not(HasSubstr("$SXBENCH_NODES 2,4,8")));
  ASSERT_EQ(::unsetenv("SXBENCH_NODES"), 0);
}

TEST_F(Usage, ALeadingTildeIsTheHomeFolderInEveryPath) {
  const std::string home = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "";
  ASSERT_EQ(::setenv("HOME", "/no/home", 1), 0);
  const std::vector<std::vector<std::string>> lines = {
      {"run", "--cluster=~/x.json"},
      {"run", "--hostfile=~/x"},
      {"run", "--models=~/x"},
      {"nccl", "alltoallv", "--alltoallv-matrix=~/x"},
      {"report", "~/x"},
      {"show", "~/x"},
      {"list", "~/x"},
      {"compare", "~/x,~/y", "~/z"},
      {"run", "--resume=~/x"},
      {"data", "info", "~/x"},
      {"data", "push", "~/x", "--cluster", "spectrumx-h200-8x8"}};
  for (const std::vector<std::string>& line : lines) {
    EXPECT_THAT(said(line), AllOf(HasSubstr("/no/home/x"), Not(HasSubstr("~/"))))
        << fmt::format("{}", fmt::join(line, " "));
  }
  EXPECT_FALSE(fs::exists(dir_ / "~"));
  ::setenv("HOME", home.c_str(), 1);
}

}  // namespace
}  // namespace sxb::cli
