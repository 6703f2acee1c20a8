// The documents of a comparison against files in tests/fixtures/golden/compare/. After a wanted change:
//   SXB_UPDATE_GOLDENS=1 build/bin/report_test --gtest_filter='CompareDocuments*'
// and read the diff before committing it.
#include "report/compare/compare_report.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/files.h"
#include "support/synthetic_run.h"

namespace sxb::report {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

struct MadeSide {
  double step_ms_1 = 100, step_ms_2 = 105;
  double busbw = 360;
  std::string build = "0.0.0+before";
};

/// Two node counts of a model with three repeats each, and one sweep.
analysis::Side make_side(const std::string& name, const MadeSide& made) {
  Json plan = {testing::planned_nccl("feed00000001", 1)};
  std::vector<testing::SftSpec> tasks;
  for (const int nodes : {1, 2}) {
    for (int repeat = 0; repeat < 3; ++repeat) {
      testing::SftSpec& spec = tasks.emplace_back();
      spec.id = fmt::format("beef0000000{}", tasks.size());
      spec.nodes = nodes;
      spec.repeat = repeat;
      spec.step_ms = (nodes == 1 ? made.step_ms_1 : made.step_ms_2) * (1 + 0.002 * repeat);
      spec.factors = {1, 1.002, 0.998, 1.004, 0.996, 1.001, 0.999, 1.003, 0.997, 1};
      spec.sum_len_sq = 2e6 * nodes;
      plan.push_back(testing::planned_sft(spec));
    }
  }
  Json data = testing::run_data("synthetic-" + name, plan, Json::object());
  data["build_id"] = made.build;
  testing::SyntheticRun run(testing::scratch(name));
  run.add("run", data);
  testing::NcclSpec sweep;
  sweep.id = "feed00000001";
  sweep.busbw_gBps = made.busbw;
  testing::add_nccl_task(run, sweep);
  for (const testing::SftSpec& spec : tasks) testing::add_sft_task(run, spec);
  run.write();
  Result<analysis::Side> side = analysis::load_side({run.folder()});
  EXPECT_TRUE(side.ok());
  return std::move(*side);
}

class CompareDocuments : public ::testing::Test {
 protected:
  CompareDocuments()
      : a_(make_side("a", {})),
        b_(make_side("b", {100.5, 112, 300, "0.0.0+after"})),
        comparison_(analysis::compare(a_, b_)) {}

  static void expect_golden(const std::string& file, const std::string& text) {
    const fs::path path = fs::path(SXB_TEST_DATA) / "golden" / "compare" / file;
    if (std::getenv("SXB_UPDATE_GOLDENS") != nullptr) {
      ASSERT_TRUE(write_file_atomic(path, text).ok());
    }
    const Result<std::string> golden = read_file(path);
    ASSERT_TRUE(golden.ok()) << path;
    EXPECT_EQ(text, *golden) << file;
  }

  const Failures failures_ = {"8 figures SLOWER by more than 3 %"};
  analysis::Side a_, b_;
  analysis::Comparison comparison_;
};

TEST_F(CompareDocuments, Text) { expect_golden("compare.txt", compare_text(comparison_, failures_, false)); }
TEST_F(CompareDocuments, TextOfEveryFigure) {
  expect_golden("compare-all.txt", compare_text(comparison_, failures_, true));
}
TEST_F(CompareDocuments, Markdown) {
  expect_golden("compare.md", compare_markdown(comparison_, failures_, false));
}
TEST_F(CompareDocuments, Csv) { expect_golden("compare.csv", compare_csv(comparison_)); }
TEST_F(CompareDocuments, Json) {
  expect_golden("compare.json", pretty_json(compare_json(comparison_, failures_)));
}

/// Rows of one series and verdict are one line that names its worst; SAME ones are a number.
TEST_F(CompareDocuments, FoldsWhatIsEqual) {
  const std::string text = compare_text(comparison_, {}, false);
  EXPECT_THAT(text, HasSubstr("1 MiB to 1 GiB, busbw"));
  EXPECT_THAT(text, HasSubstr("2 rows, most at 1 MiB"));
  EXPECT_THAT(text, Not(HasSubstr("SAME    ")));
  EXPECT_THAT(text, HasSubstr("2 SAME (threshold 3 %)"));
}

/// Long texts lose the clauses that are the same, and none of the others.
TEST_F(CompareDocuments, ShowsWhatDiffersOfLongTexts) {
  comparison_.facts = {{"gemm", "cublasLt 130100, 13 of 15 products not by its first choice, timed here",
                        "cublasLt 130100, 12 of 15 products not by its first choice, from NVIDIA-H200.json"},
                       {"HCA", "mlx5_0, mlx5_1", "mlx5_0"}};
  EXPECT_THAT(compare_text(comparison_, {}, false),
              HasSubstr("what differs  A                                             B\n"
                        "gemm          … 13 of 15 products not by its first choice,  "
                        "… 12 of 15 products not by its first choice,\n"
                        "              timed here                                    from NVIDIA-H200.json\n"
                        "HCA           mlx5_0, mlx5_1                                mlx5_0\n"));
  EXPECT_THAT(compare_markdown(comparison_, {}, false), HasSubstr("| cublasLt 130100, 13 of 15"));
}

TEST_F(CompareDocuments, SaysWhenNothingDiffers) {
  const analysis::Side again = make_side("again", {});
  const std::string text = compare_text(analysis::compare(a_, again), {}, false);
  EXPECT_THAT(text, HasSubstr("Versions, devices, variables and settings are the same"));
  EXPECT_THAT(text, Not(HasSubstr("verdict")));
}

}  // namespace
}  // namespace sxb::report
