// From the command line to the report, with a fake engine.
#include "e2e/fixture.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(EndToEnd, RunsAllPhasesOnTwoNodesWithTwoRanks) {
  const Ended run = sxbench(run_arguments(cluster(2, 2), "check,nccl,sft,report"));
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_THAT(run.out, HasSubstr("summary_report.md"));
  EXPECT_THAT(run.err, Not(HasSubstr("\x1b")));

  const auto ends = records(record::kind::kTaskEnd);
  ASSERT_EQ(ends.size(), 3u);
  for (const auto& end : ends) EXPECT_EQ(end.data["status"], "ok");
  EXPECT_EQ(records(record::kind::kDevice).size(), 12u) << "4 ranks in each of 3 tasks";
  EXPECT_EQ(records(record::kind::kNode).size(), 6u);
  EXPECT_EQ(records(record::kind::kStep).size(), 3u);
  EXPECT_EQ(records(record::kind::kRunEnd).size(), 1u);
  EXPECT_TRUE(records(record::kind::kHeartbeat).empty());
  EXPECT_TRUE(records(record::kind::kSample).empty()) << "samples have files of their own";
  for (const auto& step : records(record::kind::kStep)) {
    EXPECT_EQ(step.node, "n0");
    EXPECT_EQ(step.rank, 0);
    EXPECT_GT(step.mono_ns, 0);
  }
  for (const char* file : {"manifest.json", "plan.json", "logs/steps.log", "reports/summary_report.md"}) {
    EXPECT_TRUE(fs::exists(latest() / file)) << file;
  }
  const std::string task = ends.back().task;
  EXPECT_TRUE(fs::exists(latest() / "samples" / (task + "-n1.jsonl")));
}

TEST_F(EndToEnd, EveryRecordFieldIsInTheTable) {
  ASSERT_TRUE(sxbench(run_arguments(cluster(1, 1), "nccl,sft")).status.ok());
  for (const char* kind : {record::kind::kRun, record::kind::kNode, record::kind::kTaskStart,
                           record::kind::kTaskEnd, record::kind::kRunEnd}) {
    const auto all = records(kind);
    EXPECT_FALSE(all.empty()) << kind;
    for (const auto& record : all) {
      for (const auto& item : record.data.items()) {
        EXPECT_NE(record::find_field(kind, item.key()), nullptr) << kind << "." << item.key();
      }
    }
  }
}

TEST_F(EndToEnd, ReportIsTheSameAgain) {
  ASSERT_TRUE(sxbench(run_arguments(cluster(1, 2), "check,nccl,sft,report")).status.ok());
  const std::string first = *read_file(latest() / "reports" / "summary_report.md");
  const Ended report = sxbench({"report", results().string()});
  EXPECT_TRUE(report.status.ok()) << report.err;
  EXPECT_THAT(report.out, HasSubstr("summary_report.md"));
  EXPECT_EQ(*read_file(latest() / "reports" / "summary_report.md"), first);
}

TEST_F(EndToEnd, ReportOfFiguresThatCannotBeEndsWith3) {
  const fs::path run = results() / "implausible";
  fs::create_directories(run);
  fs::copy_file(fs::path(SXB_TEST_DATA) / "implausible" / "records.jsonl", run / "records.jsonl");
  EXPECT_EQ(sxbench({"report", run.string()}).status.text(), "exit code 3");
}

TEST_F(EndToEnd, NcclPrintsTheTextOfNcclTestsOnStdout) {
  const Ended run = sxbench({"nccl", "--cluster", cluster(1, 2), "-b", "8", "-e", "1K", "-n", "3", "-w", "1",
                             "--out", results().string()});
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_THAT(run.out, HasSubstr("out-of-place"));
  EXPECT_THAT(run.out, HasSubstr("# Avg bus bandwidth"));
  EXPECT_EQ(records(record::kind::kCollective).size(), 8u) << "8 B to 1 KiB, factor 2";
}

TEST_F(EndToEnd, NcclSweepsSeveralCollectivesAndCopiesTheirJson) {
  const std::string json = (results() / "out.json").string();
  const Ended run = sxbench({"nccl", "all_gather", "alltoall_perf", "--cluster", cluster(1, 2), "-e", "1K",
                             "-J", json, "--out", results().string()});
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_THAT(run.out, HasSubstr("# Collective test concluded: all_gather_perf"));
  EXPECT_THAT(run.out, HasSubstr("# Collective test concluded: alltoall_perf"));
  EXPECT_TRUE(fs::exists(latest() / "reports" / "nccl_alltoall_1n.json"));
  // The second file finds the name taken: it is numbered, nothing is overwritten.
  EXPECT_EQ(*read_file(json), *read_file(latest() / "reports" / "nccl_all_gather_1n.json"));
  EXPECT_EQ(*read_file(json + ".0"), *read_file(latest() / "reports" / "nccl_alltoall_1n.json"));
}

TEST_F(EndToEnd, WhatLibrariesPrintGoesToTheLogAndSpoilsNoRecord) {
  const Ended run = sxbench(run_arguments(cluster(1, 1, {{"SXB_FAKE_FAULT", "noise:0:sft"}}), "sft"));
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_EQ(records(record::kind::kStep).size(), 3u);
  EXPECT_THAT(*read_file(latest() / "logs" / "n0.log"), HasSubstr("[rank 0] half a line without its end"));
}

TEST_F(EndToEnd, KernelBenchSetsTimesAgainstPeakAndAten) {
  const Ended table = sxbench({"worker", "bench-kernels", "--model", "7b", "--tokens", "4096"});
  ASSERT_EQ(table.status.text(), "exit code 0") << table.err;
  // 432 MB in 100 us of the H200's 4.8 TB/s; 494.7 GFLOP in 1 ms of its 989.4 TFLOP/s.
  EXPECT_THAT(table.out, testing::ContainsRegex("copy +x +100.0 +4.32 TB/s +90.0 +1.50\n"));
  EXPECT_THAT(table.out, testing::ContainsRegex("product +y +1000.0 +494.70 TFLOP/s +50.0 +missing\n"));
  EXPECT_THAT(table.out, testing::ContainsRegex("rows +2 "));  // of 2048 tokens

  const Ended json = sxbench({"worker", "bench-kernels", "--json"});
  ASSERT_EQ(json.status.text(), "exit code 0") << json.err;
  const Json document = Json::parse(json.out);
  EXPECT_EQ(document.at("gpu"), "NVIDIA H200");
  EXPECT_EQ(document.at("tokens"), 8 * 2048);
  EXPECT_EQ(document.at("rows").size(), 3u);
  EXPECT_TRUE(document["rows"][1]["times_aten"].is_null());

  std::ofstream(dir_ / "wide.json") << R"({"name": "wide", "arch": {"hidden": 8192, "ffn": 64, "layers": 1,
      "heads": 1, "vocab": 64}, "training": {"seq_len": 64, "steps": 2}, "data": {"dataset": "synthetic"}})";
  const Ended wide = sxbench({"worker", "bench-kernels", "--model", (dir_ / "wide.json").string()});
  EXPECT_EQ(wide.status.text(), "exit code 2") << wide.err;
  EXPECT_THAT(wide.err, HasSubstr("hidden / heads (8192) must be a multiple of 16 up to 256 on GPUs"));
  const Ended wrong = sxbench({"worker", "bench-kernels", "--tokens", "1000"});
  EXPECT_EQ(wrong.status.text(), "exit code 2");
  EXPECT_THAT(wrong.err, HasSubstr("--tokens 2048"));
}

TEST_F(EndToEnd, DryRunWritesThePlanAndNoRunFolder) {
  std::vector<std::string> arguments = run_arguments(cluster(2, 2), "check,nccl,sft,report");
  arguments.push_back("--dry-run");
  const Ended run = sxbench(arguments);
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_THAT(run.out, HasSubstr("n1: "));
  EXPECT_THAT(run.out, HasSubstr("worker agent"));
  EXPECT_THAT(run.out, HasSubstr("# sharding: none (auto: CPU ranks)"));
  EXPECT_TRUE(fs::exists(results() / "plan.json"));
  EXPECT_FALSE(fs::exists(latest()));
  EXPECT_EQ(std::distance(fs::directory_iterator(results()), fs::directory_iterator()), 1);
}

TEST_F(EndToEnd, UsageErrorsLeaveNoRunFolder) {
  const std::string file = cluster(2, 1);
  const std::vector<std::vector<std::string>> wrong = {
      {"run", "--cluster", file, "--nodes", "9"},
      {"run", "--cluster", file, "--nodes", "zero"},
      {"run", "--cluster", file, "--models", "tinny"},
      {"run", "--cluster", file, "--phases", "sfft"},
      {"run", "--cluster", file, "--models", "tiny", "--set", "training.stepz=3"},
      {"run", "--cluster", file, "--models", "tiny,tiny", "--save", "x", "--repeats", "2"},
      {"run", "--cluster", "no-such-cluster"},
      {"nccl", "--cluster", file, "-b", "2M", "-e", "1M"},
  };
  for (std::vector<std::string> arguments : wrong) {
    arguments.insert(arguments.end(), {"--out", results().string()});
    const Ended run = sxbench(arguments);
    EXPECT_EQ(run.status.text(), "exit code 2") << join(arguments, " ") << "\n" << run.err;
    EXPECT_THAT(run.err, HasSubstr("help: ")) << join(arguments, " ");
    EXPECT_TRUE(run.out.empty()) << run.out;
  }
  EXPECT_FALSE(fs::exists(results()));
}

TEST_F(EndToEnd, TheReportPhaseAloneIsNoRun) {
  const Ended run = sxbench(run_arguments(cluster(1, 1), "report"));
  EXPECT_EQ(run.status.text(), "exit code 2") << run.err;
  EXPECT_THAT(run.err, HasSubstr("sxbench report"));
  EXPECT_FALSE(fs::exists(results()));
}

TEST_F(EndToEnd, FilesThatDoNotFitAreRefusedBeforeAnythingStarts) {
  const auto refused = [&](std::vector<std::string> settings) {
    std::vector<std::string> arguments = run_arguments(cluster(1, 1), "sft");
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    const Ended run = sxbench(arguments);
    EXPECT_EQ(run.status.text(), "exit code 2") << run.err;
    EXPECT_FALSE(fs::exists(results()));
    return run.err;
  };
  const std::string prepared = "data.dataset=" + (dir_ / "ops").string();
  ASSERT_TRUE(sxbench({"data", "prepare", "--dataset", "cluster-ops", "--seq-len", "256", "--out",
                       (dir_ / "ops").string()})
                  .status.ok());
  std::ofstream(dir_ / "other.model") << "another tokenizer";
  EXPECT_THAT(refused({prepared, "data.tokenizer=" + (dir_ / "other.model").string()}),
              HasSubstr("prepared with another tokenizer than " + (dir_ / "other.model").string()));
  EXPECT_THAT(refused({prepared, "arch.vocab=512"}), HasSubstr("has 1024 ids, model tiny has 512"));
  EXPECT_THAT(refused({prepared, "training.seq_len=128"}), HasSubstr("packed for 256 tokens"));
  EXPECT_THAT(refused({"data.dataset=nowhere"}), HasSubstr("the dataset \"nowhere\" is not found"));
  EXPECT_THAT(refused({"init_from=nowhere"}), HasSubstr("--set init_from=DIR"));
  fs::resize_file(dir_ / "ops" / "cluster-ops-00000.bin", 5000);
  EXPECT_THAT(refused({prepared}), HasSubstr("it is truncated"));
}

TEST_F(EndToEnd, AModelThatCannotFitIsRefused) {
  const Ended run =
      sxbench({"run", "--cluster", cluster(1, 1), "--models", "70b", "--out", results().string()});
  EXPECT_EQ(run.status.text(), "exit code 2") << run.err;
  EXPECT_FALSE(fs::exists(results()));
}

}  // namespace
}  // namespace sxb::e2e
