// The verbs gpu and burn from the command line to report and exit code, with a fake engine.
#include <algorithm>

#include "e2e/fixture.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Devices : public EndToEnd {
 protected:
  std::vector<std::string> verb(const std::vector<std::string>& words, int nodes = 1, int slots = 4,
                                const Json& env = Json::object()) {
    std::vector<std::string> arguments = words;
    arguments.insert(arguments.end(), {"--cluster", cluster(nodes, slots, env), "--out", results().string()});
    return arguments;
  }
  std::string report() { return *read_file(latest() / "reports" / "summary_report.md"); }
};

TEST_F(Devices, GpuListsItsTests) {
  const Ended listed = sxbench({"gpu", "--list"});
  EXPECT_TRUE(listed.status.ok());
  EXPECT_THAT(listed.out, HasSubstr("host_device  GPU  copies between pinned host memory"));
  EXPECT_THAT(listed.out, HasSubstr("host_gemm    CPU  FP32"));
}

TEST_F(Devices, GpuMeasuresWhatIsNamedAndSaysWhatIsWaived) {
  const Ended run = sxbench(verb({"gpu", "--tests", "hbm,gemm", "--size", "1M"}));
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  const auto figures = records(record::kind::kGpuBench);
  ASSERT_EQ(figures.size(), 12u) << "two tests and one that is waived on each of four ranks";
  for (const auto& record : figures) {
    for (const auto& item : record.data.items()) {
      EXPECT_NE(record::find_field(record.kind, item.key()), nullptr) << item.key();
    }
  }
  EXPECT_THAT(run.out, HasSubstr("p2p                    waived: one GPU on this node"));
  EXPECT_THAT(run.out, HasSubstr("hbm                    made up"));
  EXPECT_THAT(report(), HasSubstr("`p2p` waived: one GPU on this node"));
  EXPECT_THAT(*read_file(latest() / "reports" / "gpu_benchmarks.csv"),
              HasSubstr("\n1,n0,0,-1,,hbm,hbm,made up,GB/s,10,"));
}

TEST_F(Devices, UnknownTestsAndBadDurationsAreUsageErrors) {
  const Ended test = sxbench(verb({"gpu", "--tests", "hbn"}));
  EXPECT_EQ(test.status.code, 2);
  EXPECT_THAT(test.err, HasSubstr("did you mean \"hbm\"?"));
  const Ended duration = sxbench(verb({"burn", "--duration", "5 weeks"}));
  EXPECT_EQ(duration.status.code, 2);
  EXPECT_THAT(duration.err, HasSubstr("12h"));
  const Ended precision = sxbench(verb({"burn", "--precision", "bf16"}));
  EXPECT_EQ(precision.status.code, 2);
  EXPECT_THAT(precision.err, HasSubstr("--precision fp32"));
  EXPECT_FALSE(fs::exists(results())) << "nothing was started";
}

TEST_F(Devices, BurnShowsEveryDeviceAndItsSeconds) {
  const Ended run = sxbench(verb({"burn", "--duration", "2s"}, 2, 2));
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_THAT(run.out, HasSubstr("n1 rank 3"));
  EXPECT_THAT(run.out, HasSubstr("all                                 400"));
  EXPECT_THAT(report(),
              HasSubstr("| Repeated results, burn fp32 on 2 nodes | 0 mismatches | 0 mismatches | PASS |"));
  const std::string csv = *read_file(latest() / "reports" / "burn.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 2 * 4);
  for (const auto& record : records(record::kind::kBurn)) {
    for (const auto& item : record.data.items()) {
      EXPECT_NE(record::find_field(record.kind, item.key()), nullptr) << item.key();
    }
  }
}

TEST_F(Devices, AMismatchFailsTheTaskWithGpuAndRank) {
  const Ended run = sxbench(verb({"burn", "--duration", "2s"}, 1, 4,
                                 {{"SXB_FAKE_GPUS", "1"}, {"SXB_FAKE_FAULT", "mismatch:1:burn"}}));
  EXPECT_EQ(run.status.code, 1) << run.err;
  EXPECT_THAT(run.err, HasSubstr("rank 1 on node n0: GPU 1 of n0 (rank 1) does not compute the same twice"));
  EXPECT_THAT(run.err, HasSubstr("take it out of service"));
  EXPECT_THAT(
      report(),
      HasSubstr("| Repeated results, burn fp32 on 1 node | 0 mismatches | 3 mismatches | FAIL | n0 GPU 1 |"));
}

TEST_F(Devices, ASlowGpuIsAMissedGoal) {
  const Ended run = sxbench(
      verb({"burn", "--duration", "2s"}, 1, 4, {{"SXB_FAKE_GPUS", "1"}, {"SXB_FAKE_FAULT", "slow:2:burn"}}));
  EXPECT_EQ(run.status.code, 3) << run.err;
  EXPECT_THAT(report(), HasSubstr("n0 GPU 2: 80.0 TFLOP/s, 20.0 % below | FAIL |"));
  const Ended fleet = sxbench(verb({"burn", "--duration", "2s"}, 1, 4, {{"SXB_FAKE_GPUS", "1"}}));
  EXPECT_EQ(fleet.status.code, 0) << fleet.err;
  EXPECT_THAT(report(), HasSubstr("| no slow GPU | PASS |"));
}

TEST_F(Devices, ProgramsReadFiguresAsTheyCome) {
  const Ended run = sxbench(verb({"burn", "--duration", "2s", "--json"}, 1, 2));
  EXPECT_THAT(run.out, HasSubstr("\"event\":\"progress\""));
  EXPECT_THAT(run.out, HasSubstr("\"kind\":\"burn\""));
  EXPECT_THAT(run.out, Not(HasSubstr("device  ")));
}

TEST_F(Devices, BothArePhasesOfRun) {
  std::vector<std::string> arguments = run_arguments(cluster(1, 2), "check,gpu,burn");
  const Ended run = sxbench(arguments);
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  const auto starts = records(record::kind::kTaskStart);
  ASSERT_EQ(starts.size(), 3u);
  EXPECT_EQ(starts[1].data["phase"], "gpu");
  EXPECT_EQ(starts[2].data["phase"], "burn");
}

}  // namespace
}  // namespace sxb::e2e
