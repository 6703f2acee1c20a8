// sxbench gpu and burn with the real engine on CPU ranks.
#include "e2e/fixture.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;

class RealEngine : public EndToEnd {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    env_["SXBENCH_ENGINE_LIB"] = SXB_ENGINE;
  }
};

TEST_F(RealEngine, GpuMeasuresTheHostAndWaivesTheRest) {
  const Ended run = sxbench(
      {"gpu", "--size", "2M", "--runs", "6", "--cluster", cluster(1, 2), "--out", results().string()});
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_THAT(run.out, HasSubstr("host_gemm_fp32"));
  EXPECT_THAT(run.out, HasSubstr("host_triad"));
  EXPECT_THAT(run.out, HasSubstr("gemm                   waived: no GPU"));
  const std::string report = *read_file(latest() / "reports" / "summary_report.md");
  EXPECT_THAT(report, HasSubstr("Host tests: they say nothing about a GPU."));
  EXPECT_THAT(
      report,
      HasSubstr(
          "| Data check, GPU micro-benchmarks on 1 node | 0 wrong elements | 0 wrong elements | PASS |"));
}

TEST_F(RealEngine, GpuTestsOnAMachineWithoutOneAreWrongUsage) {
  const Ended run =
      sxbench({"gpu", "--tests", "gemm,hbm", "--cluster", cluster(1, 2), "--out", results().string()});
  EXPECT_EQ(run.status.code, 2) << run.err;
  EXPECT_THAT(run.err, HasSubstr("no GPU"));
  EXPECT_THAT(run.out, HasSubstr("hbm                    waived: no GPU"));
}

TEST_F(RealEngine, BurnRunsForItsDurationOnEveryRank) {
  const Ended run = sxbench(
      {"burn", "--duration", "2s", "--size", "128", "--cluster", cluster(1, 2), "--out", results().string()});
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_GE(run.seconds, 2);
  const auto seconds = records(record::kind::kBurn);
  for (const int rank : {0, 1}) {
    const auto of_rank = std::count_if(seconds.begin(), seconds.end(),
                                       [&](const record::Record& record) { return record.rank == rank; });
    EXPECT_GE(of_rank, 2) << rank;
  }
  EXPECT_THAT(*read_file(latest() / "reports" / "summary_report.md"),
              HasSubstr("| Repeated results, burn fp32 on 1 node | 0 mismatches | 0 mismatches | PASS |"));
  EXPECT_TRUE(fs::exists(latest() / "reports" / "charts" / "burn.svg"));
}

}  // namespace
}  // namespace sxb::e2e
