// What show, list and the first line say of a run, from a journal that is still being written.
#include "cli/ui/live_status.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "cli/app.h"
#include "cli/ui/cluster_line.h"
#include "cli/ui/news.h"
#include "cli/ui/run_summary.h"
#include "record/record.h"

namespace sxb::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kBegin = 1'700'000'000'000'000'000, kSec = 1'000'000'000;

/// The journal of a run of one fine-tuning, done twice, of which the second is at step 3 of 11.
class RunThatWorks : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "sxb-live-XXXXXX").string();
    results_ = ::mkdtemp(pattern.data());
    dir_ = results_ / "run";
    std::filesystem::create_directory(dir_);
    for (int repeat = 0; repeat < 3; ++repeat) plan_.push_back(plan::to_json(task(repeat)));
    write("run", "", {{"plan", plan_}, {"name", "x"}, {"command", "sxbench run"}}, 0);
    write("task_start", "t0", start(), 0);
    write("task_end", "t0", {{"status", "ok"}, {"duration_s", 40.0}}, 40);
    write("task_start", "t1", start(), 50);
    for (int step = 1; step <= 3; ++step) write("step", "t1", {{"step", step}, {"loss", 3.5}}, 51 + step);
  }
  void TearDown() override {
    if (lock_ >= 0) ::close(lock_);
    std::filesystem::remove_all(results_);
  }

  static plan::Task task(int repeat) {
    plan::Task task;
    task.id = "t" + std::to_string(repeat);
    task.phase = plan::Phase::kSft;
    task.repeat = repeat;
    task.model = *config::resolve_model("tiny");
    task.model.training.steps = 11;
    return task;
  }
  static Json start() { return {{"phase", "sft"}, {"label", "sft tiny on 1 node"}, {"attempt", 1}}; }

  void write(const char* kind, const char* task, const Json& data, std::int64_t at_s) {
    record::Record record = {kind, task, "", -1, 0, 0, data};
    record.wall_ns = kBegin + at_s * kSec;
    std::ofstream(dir_ / "records.jsonl", std::ios::app) << dump(record::to_json(record)) << "\n";
  }
  /// As the head does while it writes.
  void hold() {
    lock_ = ::open((dir_ / "records.jsonl").c_str(), O_RDONLY);
    ASSERT_EQ(::flock(lock_, LOCK_EX), 0);
  }
  analysis::Dataset data() { return *analysis::load_dataset(dir_); }

  std::string output_of(const char* verb, const std::filesystem::path& path) {
    ::testing::internal::CaptureStdout();
    const std::string word = path.string();
    const std::vector<const char*> arguments = {"sxbench", verb, word.c_str()};
    EXPECT_EQ(run_app(3, arguments.data()), 0);
    return ::testing::internal::GetCapturedStdout();
  }

  std::filesystem::path results_, dir_;
  Json plan_ = Json::array();
  int lock_ = -1;
};

TEST_F(RunThatWorks, SaysWhatRunsAndHowFarItIs) {
  const auto live = live_status(data(), kBegin + 54 * kSec);
  ASSERT_TRUE(live);
  EXPECT_EQ(live->task, "t1");
  EXPECT_EQ(live->elapsed_ns, 4 * kSec);
  EXPECT_EQ(live->latest, "step 3/11  loss 3.5000");
  // Eight steps of a second, then a task that takes the 40 s of the first.
  EXPECT_EQ(live->run, "1 of 3 done, 1 running, 0 failed, ETA 48 s");
}

TEST_F(RunThatWorks, IsNotCalledInterrupted) {
  hold();
  const RunSummary summary = summarize(data());
  EXPECT_EQ(summary.state, "running");
  EXPECT_EQ(summary.text(), "1 ok, 0 failed, 1 running, 1 to do");
  EXPECT_FALSE(summary.can_resume());
  const std::string shown = output_of("show", dir_);
  EXPECT_THAT(shown, AllOf(HasSubstr("state     running\n"), HasSubstr("progress  1 of 3 done, 1 running"),
                           HasSubstr("step 3/11  loss 3.5000\n"), Not(HasSubstr("interrupted")),
                           Not(HasSubstr("never started")), Not(HasSubstr("--resume"))));
}

TEST_F(RunThatWorks, IsInterruptedOnceNobodyWritesIt) {
  const RunSummary summary = summarize(data());
  EXPECT_EQ(summary.state, "interrupted");
  EXPECT_EQ(summary.text(), "1 ok, 0 failed, 2 missing");
  EXPECT_THAT(output_of("show", dir_),
              AllOf(HasSubstr("started, and the journal ends before it does"), HasSubstr("--resume")));
}

TEST_F(RunThatWorks, RepeatsAreTold) {
  const std::string shown = output_of("show", dir_);
  EXPECT_THAT(shown, AllOf(HasSubstr("  sft tiny on 1 node  "), HasSubstr("  sft tiny on 1 node, repeat 2  "),
                           HasSubstr("  sft tiny on 1 node, repeat 3  ")));
  EXPECT_EQ(name_of(task(0)), "sft tiny on 1 node");
  EXPECT_EQ(name_of(task(199)), "sft tiny on 1 node, repeat 200");
}

TEST_F(RunThatWorks, ControlCharactersOfAJournalAreShown) {
  write("task_end", "t1", {{"status", "failed"}, {"reason", "\x1b[2J\n[1/1] sft ok \u009b \xff"}}, 60);
  write("task_start", "t2", {{"phase", "sft"}, {"label", "sft \x1b]0;title\x07"}, {"attempt", 1}}, 61);
  for (const std::string& shown : {output_of("show", dir_), output_of("list", results_)}) {
    EXPECT_EQ(shown.find('\x1b'), std::string::npos);
    EXPECT_EQ(shown.find('\x07'), std::string::npos);
  }
  EXPECT_THAT(output_of("show", dir_), HasSubstr("\\x1b[2J\\n[1/1] sft ok \\u009b"));
}

TEST_F(RunThatWorks, ResumingIsNotOfferedWhereItCannotHelp) {
  write("task_end", "t1", {{"status", "failed"}, {"reason", "x"}, {"exit_code", 2}}, 60);
  write("task_start", "t2", start(), 61);
  write("task_end", "t2", {{"status", "failed"}, {"reason", "x"}, {"exit_code", 2}}, 62);
  EXPECT_FALSE(summarize(data()).can_resume());
  write("task_start", "t2", start(), 71);
  write("task_end", "t2", {{"status", "failed"}, {"reason", "x"}, {"exit_code", 4}}, 72);
  EXPECT_TRUE(summarize(data()).can_resume());
}

launch::RunOptions options_on(int nodes, int ranks, int used) {
  launch::RunOptions options;
  options.cluster.name = "pod1";
  options.cluster.source = "./cluster.json";
  options.placement.facts.cuda = true;
  for (int i = 0; i < nodes; ++i) options.placement.nodes.push_back({{}, {}, ranks});
  options.tasks.emplace_back().nodes = used;
  return options;
}

TEST(ClusterLine, SaysWhichMachinesAndWhoNamedThem) {
  launch::RunOptions options = options_on(7, 8, 7);
  EXPECT_EQ(cluster_line(cluster_facts(options)), "cluster pod1 (./cluster.json): 7 nodes x 8 GPUs");
  options = options_on(7, 8, 4);
  EXPECT_EQ(cluster_line(cluster_facts(options)), "cluster pod1 (./cluster.json): 4 of 7 nodes x 8 GPUs");
  options.spares = {"n7"};
  options.placement.nodes[1].ranks = 4;
  EXPECT_EQ(cluster_line(cluster_facts(options)),
            "cluster pod1 (./cluster.json): 4 of 6 nodes, 28 GPUs, 1 spare");
  options = options_on(1, 1, 1);
  options.placement.facts.cuda = false;
  options.cluster.source = "builtin";
  EXPECT_EQ(cluster_line(cluster_facts(options)),
            "cluster pod1 (this machine, by default): 1 node x 1 CPU rank");
}

}  // namespace
}  // namespace sxb::cli
