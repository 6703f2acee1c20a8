// Inputs that are not what they should be, from the command line to the exit code.
#include <sys/stat.h>

#include "e2e/fixture.h"

namespace sxb::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Inputs : public EndToEnd {
 protected:
  std::string tokenizer() const { return SXB_SOURCE_DIR "/configs/datasets/cluster-ops/tokenizer.model"; }

  std::vector<std::string> train_on(const std::string& dataset, const std::string& cluster_file) {
    return {"run",
            "--cluster",
            cluster_file,
            "--phases",
            "sft,report",
            "--models",
            "tiny",
            "--steps",
            "2",
            "--warmup",
            "0",
            "--set",
            "training.seq_len=64",
            "--set",
            "data.dataset=" + dataset,
            "--set",
            "data.tokenizer=" + tokenizer(),
            "--out",
            results().string()};
  }

  /// What the findings of the last run with this code say.
  std::vector<std::string> messages(const std::string& code) {
    std::vector<std::string> found;
    for (const auto& finding : records(record::kind::kFinding)) {
      if (finding.data["code"] == code) found.push_back(finding.data["message"]);
    }
    return found;
  }
};

TEST_F(Inputs, DocumentsThatTeachNothingAreAFindingOfTheRun) {
  const fs::path data = dir_ / "data.json";
  std::ofstream(data) << R"([{"instruction": "Name a switch.", "output": "SN5600"},)"
                      << R"({"instruction": ")" << std::string(500, 'x')
                      << R"(", "output": "never reached"},)"
                      << R"({"instruction": ")" << std::string(600, 'y') << R"(", "output": "nor this"}])";
  const Ended run = sxbench(train_on(data.string(), cluster(2, 1)));
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  const auto said = messages("documents_left_out");
  ASSERT_EQ(said.size(), 1u) << "once, not by each node";
  EXPECT_THAT(said[0], HasSubstr("2 documents were left out"));
  EXPECT_THAT(*read_file(latest() / "reports" / "summary_report.md"), HasSubstr("documents_left_out"));
}

TEST_F(Inputs, APipeIsNoDatasetOfARun) {
  const fs::path pipe = dir_ / "data.json";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const Ended run = sxbench(train_on(pipe.string(), cluster(1, 1)));
  EXPECT_EQ(run.status.text(), "exit code 2") << run.err;
  EXPECT_THAT(run.err, HasSubstr(pipe.string()));
  EXPECT_THAT(run.err, HasSubstr("this is a pipe"));
  EXPECT_THAT(run.err, HasSubstr("sxbench data prepare")) << "which reads once";
  EXPECT_FALSE(fs::exists(results())) << "nothing was started";
}

// It was seen after the sweep, as an exception.
TEST_F(Inputs, ANameThatNoFileCanHaveIsSeenBeforeTheSweep) {
  const Ended run = sxbench({"nccl", "--cluster", cluster(1, 2), "-b", "8", "-e", "64", "-J",
                             std::string(300, 'j') + ".json", "--out", results().string()});
  EXPECT_EQ(run.status.text(), "exit code 2") << run.err;
  EXPECT_THAT(run.err, HasSubstr("-J"));
  EXPECT_FALSE(fs::exists(results()));
}

TEST_F(Inputs, ARemovedWorkingFolderIsNoException) {
  const std::string file = cluster(1, 1);
  const fs::path gone = dir_ / "gone";
  fs::create_directory(gone);
  prefix_ = {"/bin/sh", "-c", "cd \"$0\" && rmdir \"$0\" && exec \"$@\"", gone.string()};
  for (const std::vector<std::string>& call :
       {run_arguments(file, "sft"), {"run", "--cluster", file, "--save", "weights"}, {"list"}, {"report"}}) {
    const Ended run = sxbench(call);
    EXPECT_EQ(run.status.signal, 0) << run.err;
    EXPECT_THAT(run.err, Not(HasSubstr("terminate called")));
    EXPECT_THAT(run.err, Not(HasSubstr("filesystem error")));
  }
}

// Each line was one that ended the head with an exception.
TEST_F(Inputs, ADamagedJournalIsResumedAndReported) {
  const std::string file = cluster(1, 1);
  ASSERT_TRUE(sxbench(run_arguments(file, "check,sft,report")).status.ok());
  const fs::path journal = latest() / "records.jsonl";
  const std::string whole = *read_file(journal);
  const std::size_t at = whole.rfind("\"kind\":\"task_end\"");
  const std::size_t data = whole.find("\"data\":", at) + 7;
  const std::size_t end = whole.find('\n', at);
  for (const char* damage :
       {"null}", "\"text\"}", "{\"status\":5}}", "{\"status\":[1]}}", "{\"duration_s\":1e999}}", "[[[["}) {
    std::ofstream(journal) << whole.substr(0, data) << damage << whole.substr(end);
    const Ended report = sxbench({"report", results().string()});
    EXPECT_EQ(report.status.signal, 0) << damage << report.err;
    EXPECT_THAT(*read_file(latest() / "reports" / "summary_report.md"), HasSubstr("damaged_record"))
        << damage;
    const Ended resumed = sxbench({"run", "--resume", latest().string()});
    EXPECT_EQ(resumed.status.text(), "exit code 0") << damage << resumed.err;
    const std::string after = *read_file(journal);
    EXPECT_THAT(after, HasSubstr("journal_damaged")) << damage;
    EXPECT_GT(after.rfind("\"kind\":\"task_end\""), whole.size()) << damage << ": its task is done again";
  }
}

}  // namespace
}  // namespace sxb::e2e
