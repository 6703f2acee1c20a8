// sxbench compare as it is typed: exit codes, --fail-on, files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.h"
#include "base/json.h"
#include "cli/app.h"
#include "cli/request/fail_on.h"
#include "support/synthetic_run.h"

namespace sxb::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// ---- --fail-on

TEST(FailOn, ReadsItsTerms) {
  const Result<FailOn> none = parse_fail_on("");
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->slower || none->unstable || none->missing);
  EXPECT_EQ(none->threshold, 0.03);
  const Result<FailOn> all = parse_fail_on(" slower > 0.5 % , unstable,missing");
  ASSERT_TRUE(all.ok());
  EXPECT_TRUE(all->slower && all->unstable && all->missing);
  EXPECT_EQ(all->threshold, 0.005);
  const Result<FailOn> plain = parse_fail_on("slower");
  ASSERT_TRUE(plain.ok());
  EXPECT_TRUE(plain->slower);
  EXPECT_FALSE(plain->missing);
  EXPECT_EQ(plain->threshold, 0.03);
}

TEST(FailOn, RefusesWhatItDoesNotKnow) {
  const auto what = [](const char* text) {
    const Result<FailOn> result = parse_fail_on(text);
    EXPECT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error().where, "--fail-on");
    return result.error().what + "|" + result.error().help;
  };
  EXPECT_THAT(what("slow>3%"), HasSubstr("did you mean \"slower\""));
  EXPECT_THAT(what("faster"), HasSubstr("\"faster\" is no verdict to fail on"));
  EXPECT_THAT(what("slower>3"), HasSubstr("with its %"));
  EXPECT_THAT(what("slower>0%"), HasSubstr("between 0 and 100"));
  EXPECT_THAT(what("slower>100%"), HasSubstr("between 0 and 100"));
  EXPECT_THAT(what("slower>nan%"), HasSubstr("no percentage"));
  EXPECT_THAT(what("slower>3%%"), HasSubstr("no percentage"));
  EXPECT_THAT(what("slower>"), HasSubstr("no percentage"));
  EXPECT_THAT(what("slower>=3%"), HasSubstr("follows a \">\""));
  EXPECT_THAT(what("slower<3%"), HasSubstr("follows a \">\""));
  EXPECT_THAT(what("unstable>3%"), HasSubstr("takes no threshold"));
  EXPECT_THAT(what("slower,,missing"), HasSubstr("a term is empty"));
  EXPECT_THAT(what("slower,slower>1%"), HasSubstr("stands twice"));
}

// ---- the verb

class CompareVerb : public ::testing::Test {
 protected:
  /// A run of one task of this speed.
  static std::string make(const std::string& name, double step_ms, double peak_tflops = 989,
                          const std::string& model = "7b") {
    testing::SftSpec spec;
    spec.id = "beef00000001";
    spec.model = model;
    spec.step_ms = step_ms;
    spec.peak_tflops = peak_tflops;
    spec.factors = {1, 1.002, 0.998, 1.004, 0.996, 1.001, 0.999, 1.003, 0.997, 1};
    testing::SyntheticRun run(testing::scratch(name));
    run.add("run", testing::run_data(name, {testing::planned_sft(spec)}, Json::object()));
    testing::add_sft_task(run, spec);
    run.write();
    return run.folder();
  }

  /// Exit code; what was printed is in out_ and err_.
  int compare(std::vector<std::string> arguments) {
    std::vector<const char*> words = {"sxbench", "compare"};
    for (const std::string& argument : arguments) words.push_back(argument.c_str());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = run_app(static_cast<int>(words.size()), words.data());
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return code;
  }

  std::string out_, err_;
};

TEST_F(CompareVerb, SlowerEndsWithThreeOnlyIfAsked) {
  const std::string a = make("a", 100);
  const std::string b = make("b", 105);
  EXPECT_EQ(compare({a, b}), 0);
  EXPECT_THAT(out_, HasSubstr("SLOWER   sft 7b on 1 node"));
  EXPECT_EQ(compare({a, b, "--fail-on", "slower>3%"}), 3);
  EXPECT_THAT(out_, HasSubstr("FAIL: 2 figures SLOWER by more than 3 %"));
  EXPECT_EQ(compare({a, b, "--fail-on", "slower>6%"}), 0);
  EXPECT_EQ(compare({b, a, "--fail-on", "slower,unstable,missing"}), 0);
  EXPECT_THAT(out_, HasSubstr("FASTER"));
  EXPECT_THAT(err_, IsEmpty());
}

TEST_F(CompareVerb, MissingIsWhatBLacks) {
  const std::string a = make("a", 100);
  const std::string b = make("b", 100, 989, "13b");
  const std::string both = a + "," + b;
  EXPECT_EQ(compare({both, a, "--fail-on", "missing"}), 3);
  EXPECT_THAT(out_, HasSubstr("FAIL: 2 figures of A MISSING in B"));
  EXPECT_EQ(compare({a, both, "--fail-on", "missing"}), 0);
  EXPECT_THAT(out_, HasSubstr("not in A"));
}

TEST_F(CompareVerb, NothingInCommonIsNoSuccess) {
  EXPECT_EQ(compare({make("a", 100), make("b", 100, 989, "13b")}), 2);
  EXPECT_THAT(err_, HasSubstr("no figure in common"));
}

TEST_F(CompareVerb, ImplausibleFailsWithoutBeingAsked) {
  EXPECT_EQ(compare({make("a", 100), make("b", 10, 1)}), 3);
  EXPECT_THAT(out_, HasSubstr("IMPLAUSIBLE"));
  EXPECT_THAT(out_, HasSubstr("0 FASTER"));
  EXPECT_THAT(out_, HasSubstr("FAIL: 2 figures cannot be believed"));
}

TEST_F(CompareVerb, ARunAgainstItselfIsNoVerdict) {
  const std::string a = make("a", 100);
  EXPECT_EQ(compare({a, a, "--fail-on", "slower,unstable,missing"}), 0);
  EXPECT_THAT(out_, HasSubstr("note: 2 figures: A and B are the same run: nothing is compared"));
  EXPECT_EQ(compare({a + "," + a, a}), 2);
  EXPECT_THAT(err_, HasSubstr("the run is named twice on one side"));
}

TEST_F(CompareVerb, ResultsFolderMeansItsLatest) {
  const fs::path results = testing::scratch("results");
  fs::create_directories(results);
  fs::remove(results / "latest");
  const std::string a = make("a", 100);
  fs::create_directory_symlink(a, results / "latest");
  EXPECT_EQ(compare({results, a}), 0);
  EXPECT_THAT(out_, HasSubstr("2 SAME"));
}

TEST_F(CompareVerb, PrintsJson) {
  EXPECT_EQ(compare({make("a", 100), make("b", 105), "--json", "--fail-on", "slower"}), 3);
  const Json json = Json::parse(out_);
  EXPECT_EQ(json["counts"]["SLOWER"], 2);
  EXPECT_EQ(json["ok"], false);
  EXPECT_EQ(json["items"][0]["verdict"], "SLOWER");
  EXPECT_NEAR(json["items"][0]["change_pct"].get<double>(), -4.76, 0.01);
}

TEST_F(CompareVerb, WritesTheFormatThatTheEndingNames) {
  const std::string a = make("a", 100);
  const fs::path folder = testing::scratch("out");
  for (const auto& [ending, start] :
       {std::pair{"md", "# Comparison of two runs"}, {"csv", "verdict,section"}, {"json", "{"}}) {
    const fs::path path = folder / (std::string("x.") + ending);
    EXPECT_EQ(compare({a, a, "--out", path}), 0);
    const Result<std::string> text = read_file(path);
    ASSERT_TRUE(text.ok()) << path;
    EXPECT_THAT(*text, ::testing::StartsWith(start));
  }
}

/// What docs/compare.md shows is what these runs give.
TEST_F(CompareVerb, RecordedRunsAsInTheGuide) {
  const fs::path docs = fs::path(SXB_SOURCE_DIR) / "docs";
  const fs::path runs = docs / "results" / "2026-11-21-4xh200";
  const Result<std::string> guide = read_file(docs / "compare.md");
  ASSERT_TRUE(guide.ok());
  EXPECT_EQ(compare({runs / "tuned-gemm" / "full-1", runs / "norm-backward" / "full-3"}), 0);
  EXPECT_THAT(*guide, HasSubstr(out_));
  EXPECT_EQ(compare({runs / "7b-side-by-side" / "ours-1", runs / "7b-side-by-side" / "ours-2", "--fail-on",
                     "slower>3%,unstable,missing"}),
            0);
  EXPECT_THAT(out_, HasSubstr("2 SAME"));
  // The other way round it is a regression.
  EXPECT_EQ(
      compare({runs / "norm-backward" / "full-3", runs / "tuned-gemm" / "full-1", "--fail-on", "slower>3%"}),
      3);
}

TEST_F(CompareVerb, WrongInputSaysWhereAndWhatToDo) {
  const std::string a = make("a", 100);
  EXPECT_EQ(compare({a}), 2);
  EXPECT_EQ(compare({a, "/nowhere/at/all"}), 2);
  EXPECT_THAT(err_, HasSubstr("no such folder"));
  EXPECT_EQ(compare({a, a, "--only", "scf"}), 2);
  EXPECT_THAT(err_, HasSubstr("\"scf\" is nothing to compare\n  --> --only"));
  EXPECT_EQ(compare({a, a, "--only", "nccl"}), 2);
  EXPECT_THAT(err_, HasSubstr("without --only"));
  EXPECT_EQ(compare({a, a, "--out", "x.pdf"}), 2);
  EXPECT_THAT(err_, HasSubstr(".md, .csv or .json"));
  EXPECT_EQ(compare({a, a, "--fail-on", "slow>3%"}), 2);
  EXPECT_THAT(err_, HasSubstr("did you mean \"slower\""));
  EXPECT_EQ(compare({a + ",", a}), 2);
  EXPECT_THAT(err_, HasSubstr("A names an empty path"));
}

}  // namespace
}  // namespace sxb::cli
