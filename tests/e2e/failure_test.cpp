// What breaks while a run works: ranks and the engine. See faults_test.cpp for what is injected from outside.
#include "e2e/fixture.h"
#include "record/kinds/run.h"
#include "record/typed.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;

TEST_F(EndToEnd, AKilledRankIsNamedAndTheNextTaskStillRuns) {
  const std::string file = cluster(2, 2, {{"SXB_FAKE_FAULT", "sigkill:3:nccl"}});
  const Ended run = sxbench(run_arguments(file, "nccl,sft,report"));
  EXPECT_EQ(run.status.text(), "exit code 5") << run.err;
  EXPECT_LT(run.seconds, 30 * pace());
  const auto ends = records(record::kind::kTaskEnd);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].data["status"], "failed");
  EXPECT_EQ(ends[0].data["failed_node"], "n1");
  EXPECT_EQ(ends[0].data["failed_rank"], 3);
  EXPECT_THAT(ends[0].data["reason"].get<std::string>(),
              HasSubstr("rank 3 on node n1 ended: killed by signal 9"));
  EXPECT_EQ(ends[1].data["status"], "ok");
  EXPECT_TRUE(fs::exists(latest() / "reports" / "summary_report.md"));
}

TEST_F(EndToEnd, TheErrorOfARankIsTheReason) {
  const Ended run = sxbench(run_arguments(cluster(1, 2, {{"SXB_FAKE_FAULT", "error:1:sft"}}), "sft"));
  EXPECT_EQ(run.status.text(), "exit code 1") << run.err;
  const auto ends = records(record::kind::kTaskEnd);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].data["reason"], "rank 1 on node n0: the loss is not a number");
  EXPECT_THAT(run.err, HasSubstr("not a number\n      help: lower the learning rate\n"));
  EXPECT_EQ(ends[0].data["failed_rank"], 1);
}

TEST_F(EndToEnd, AReasonOutweighsThePeersThatItCutOff) {
  const Ended run = sxbench(run_arguments(cluster(1, 2, {{"SXB_FAKE_FAULT", "disk:0:sft"}}), "sft"));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_EQ(records(record::kind::kTaskEnd).at(0).data["reason"],
            "rank 0 on node n0: no space left on device");
}

TEST_F(EndToEnd, AFolderThatCannotTakeTheWeightsFailsAtOnce) {
  std::vector<std::string> arguments = run_arguments(cluster(1, 2), "sft");
  arguments.insert(arguments.end(), {"--save", "/proc/weights"});
  const Ended run = sxbench(arguments);
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(run.err, HasSubstr("help: choose a folder that you may write to with --save"));
  EXPECT_TRUE(records(record::kind::kStep).empty());
}

TEST_F(EndToEnd, TheLogOfANodeTellsHowItsRanksEnded) {
  sxbench(run_arguments(cluster(1, 2, {{"SXB_FAKE_FAULT", "sigkill:1:nccl"}}), "nccl"));
  const Result<std::string> log = read_file(latest() / "logs" / "n0.log");
  ASSERT_TRUE(log.ok());
  EXPECT_THAT(*log, HasSubstr("info nccl all_reduce on 1 node: rank 0 is process "));
  EXPECT_THAT(*log, HasSubstr("error rank 1 ended: killed by signal 9 (SIGKILL)"));
}

TEST_F(EndToEnd, AnUnknownExitCodeIsATaskFailure) {
  const Ended run = sxbench(run_arguments(cluster(1, 1, {{"SXB_FAKE_FAULT", "exit:0:sft"}}), "sft"));
  EXPECT_EQ(run.status.text(), "exit code 1") << run.err;
  EXPECT_THAT(records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>(),
              HasSubstr("exit code 17"));
}

/// Only its last record makes a code sxbench's: a library that ends the process with 2, 3 or 4 means no usage
/// error, no missed goal and no environment.
TEST_F(EndToEnd, AnExitCodeOfALibraryIsNoVerdict) {
  for (const char* code : {"2", "3", "4", "127"}) {
    const Ended run = sxbench(run_arguments(
        cluster(1, 1, {{"SXB_FAKE_FAULT", "exit:0:sft"}, {"SXB_FAKE_EXIT_CODE", code}}), "sft"));
    EXPECT_EQ(run.status.text(), "exit code 1") << code << "\n" << run.err;
    EXPECT_THAT(records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>(),
                HasSubstr(std::string("exit code ") + code));
    fs::remove_all(results());
  }
}

TEST_F(EndToEnd, ANodeThatSendsNonsenseFailsByName) {
  const Ended run = sxbench(run_arguments(cluster(1, 2, {{"SXB_FAKE_FAULT", "damage:0:check"}}), "check"));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(
      run.err,
      HasSubstr("node n0 sent what no sxbench sends: a record \"window\" has values of another type"));
  EXPECT_TRUE(records(record::kind::kWindow).empty());
  const auto end = record::read<record::TaskEnd>(records(record::kind::kTaskEnd).at(0));
  EXPECT_EQ(end.failed_node, "n0");
  int foreign = 0;
  for (const record::Record& finding : records(record::kind::kFinding)) {
    foreign += finding.data["code"] == "foreign_record" ? 1 : 0;
  }
  EXPECT_EQ(foreign, 1) << "once, though both ranks sent one";
}

TEST_F(EndToEnd, AMissingEngineSaysHowToGetIt) {
  env_["SXBENCH_ENGINE_LIB"] = (dir_ / "no-engine.so").string();
  const Ended run = sxbench(run_arguments(cluster(1, 2), "sft"));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  const auto findings = records(record::kind::kFinding);
  ASSERT_FALSE(findings.empty());
  EXPECT_THAT(findings[0].data["help"].get<std::string>(), HasSubstr("scripts/setup.sh"));
  EXPECT_THAT(records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>(),
              HasSubstr("no-engine.so"));
}

TEST_F(EndToEnd, AnEngineOfAnotherBuildIsRefused) {
  env_["SXB_FAKE_BUILD"] = "1";
  const Ended run = sxbench(run_arguments(cluster(1, 1), "sft"));
  EXPECT_EQ(run.status.text(), "exit code 4") << run.err;
  EXPECT_THAT(records(record::kind::kTaskEnd).at(0).data["reason"].get<std::string>(),
              HasSubstr("another build"));
}

}  // namespace
}  // namespace sxb::e2e
