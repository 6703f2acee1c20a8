// Runs that were stopped, at any instant: what they keep, and how they go on.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "e2e/faults.h"

namespace sxb::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Resume : public Faults {
 protected:
  std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  /// Eight short tasks: sweeps and trainings on one and two nodes, each twice.
  std::vector<std::string> eight_tasks() {
    const std::string file = marked_cluster(2, 1, {{"SXB_FAKE_STEP_MS", "15"}});
    return with(run_arguments(file, "nccl,sft,report"), {"--nodes", "1,2", "--repeats", "2"});
  }

  /// Every task of the plan has exactly one result, and after its last start all of its records once.
  void expect_each_task_once(std::size_t tasks) {
    std::map<std::string, int> results, starts;
    std::map<std::string, std::vector<std::int64_t>> steps, sizes;
    std::ifstream in(latest() / "records.jsonl");
    for (std::string line; std::getline(in, line);) {
      const Result<Json> json = parse_json(line, "records.jsonl");
      ASSERT_TRUE(json.ok()) << line;
      const Result<record::Record> record = record::parse_record(*json, "records.jsonl");
      ASSERT_TRUE(record.ok()) << line;
      if (record->kind == record::kind::kTaskStart) {
        EXPECT_EQ(results[record->task], 0) << "a task that has a result is not done again";
        EXPECT_EQ(record->data["attempt"], ++starts[record->task]);
        steps[record->task].clear();
        sizes[record->task].clear();
      }
      if (record->kind == record::kind::kStep) steps[record->task].push_back(record->data["step"]);
      if (record->kind == record::kind::kCollective)
        sizes[record->task].push_back(record->data["size_bytes"]);
      if (record->kind == record::kind::kTaskEnd && record->data["status"] == "ok") ++results[record->task];
    }
    EXPECT_EQ(results.size(), tasks);
    for (const auto& [task, count] : results) {
      EXPECT_EQ(count, 1) << task;
      const bool trains = !steps[task].empty();
      EXPECT_NE(trains, !sizes[task].empty()) << task;
      EXPECT_EQ(steps[task], trains ? std::vector<std::int64_t>({1, 2, 3}) : std::vector<std::int64_t>())
          << task;
      EXPECT_EQ(std::set<std::int64_t>(sizes[task].begin(), sizes[task].end()).size(), sizes[task].size());
    }
  }
};

TEST_F(Resume, DoesOnlyWhatIsMissing) {
  const std::string file =
      marked_cluster(2, 1, {{"SXB_FAKE_FAULT", "error:1:sft"}, {"SXB_FAKE_ONCE", (dir_ / "once").string()}});
  const Ended first = sxbench(run_arguments(file, "check,nccl,sft,report"));
  EXPECT_EQ(first.status.text(), "exit code 5") << first.err;
  const fs::path run = fs::canonical(latest());
  EXPECT_THAT(first.err, HasSubstr("to do what is missing: sxbench run --resume " + results().string()));

  const Ended second = sxbench({"run", "--resume", run.string()});
  EXPECT_EQ(second.status.text(), "exit code 0") << second.err;
  EXPECT_THAT(second.err,
              AllOf(HasSubstr("resumed: 2 of 3 tasks have a result, 1 to do"), HasSubstr("3 of 3 tasks ok")));
  EXPECT_EQ(fs::canonical(latest()), run);
  EXPECT_EQ(records(record::kind::kTaskStart).size(), 4u);
  EXPECT_EQ(records(record::kind::kTaskStart).back().data["attempt"], 2);

  const Ended third = sxbench({"run", "--resume", "--out", results().string()});
  EXPECT_EQ(third.status.text(), "exit code 0") << third.err;
  EXPECT_EQ(records(record::kind::kTaskStart).size(), 4u) << "nothing was left to do";
}

TEST_F(Resume, TheSameFlagsMeanTheSameTasks) {
  const std::string file =
      marked_cluster(1, 1, {{"SXB_FAKE_FAULT", "error:0:sft"}, {"SXB_FAKE_ONCE", (dir_ / "once").string()}});
  const std::vector<std::string> arguments = with(run_arguments(file, "nccl,sft"), {"--resume"});
  EXPECT_EQ(sxbench(arguments).status.text(), "exit code 5") << "nothing to resume: a new run";
  const fs::path run = fs::canonical(latest());
  const Ended again = sxbench(with(arguments, {"--repeats", "2"}));
  EXPECT_EQ(again.status.text(), "exit code 0") << again.err;
  EXPECT_THAT(again.err, HasSubstr("resumed: 1 of 4 tasks have a result"));
  EXPECT_EQ(fs::canonical(latest()), run);
}

TEST_F(Resume, NothingToResumeIsAnError) {
  const Ended run = sxbench({"run", "--resume", "--out", results().string()});
  EXPECT_EQ(run.status.text(), "exit code 2");
  EXPECT_THAT(run.err, HasSubstr("no such folder"));
}

TEST_F(Resume, ARunThatWorksIsNotTouched) {
  timeouts_["stall_s"] = 60;
  const std::string file = marked_cluster(1, 1, {{"SXB_FAKE_FAULT", "deadlock:0:sft"}});
  launch::ProcessSet processes;
  const int id = start(processes, run_arguments(file, "sft"));
  ASSERT_TRUE(wait_until(processes, [&] { return process_of(0) > 0; }));
  const Ended second = sxbench({"run", "--resume", latest().string()});
  EXPECT_EQ(second.status.text(), "exit code 4");
  EXPECT_THAT(second.err, HasSubstr("another sxbench is writing this run"));
  EXPECT_THAT(sxbench({"list", results().string()}).out, HasSubstr("running"));
  send_signal(processes, id, SIGINT);
  collect(processes, [](const std::string&) {});
  EXPECT_THAT(sxbench({"list", results().string()}).out, HasSubstr("interrupted"));
}

TEST_F(Resume, ThePartialRunHasAReportThatSaysWhatIsMissing) {
  timeouts_["stall_s"] = 60;
  const std::string file = marked_cluster(2, 1, {{"SXB_FAKE_FAULT", "deadlock:0:sft"}});
  launch::ProcessSet processes;
  const int id = start(processes, with(run_arguments(file, "nccl,sft"), {"--repeats", "2"}));
  ASSERT_TRUE(wait_until(processes, [&] { return records(record::kind::kTaskStart).size() == 3; }));
  send_signal(processes, id, SIGKILL);
  collect(processes, [](const std::string&) {});
  {
    std::ofstream torn(latest() / "records.jsonl", std::ios::app);
    torn << R"({"v":1,"kind":"step","task":"0123)";
  }
  const Ended report = sxbench({"report", latest().string()});
  EXPECT_TRUE(report.status.ok()) << report.err;
  const std::string text = *read_file(latest() / "reports" / "summary_report.md");
  EXPECT_THAT(text, AllOf(HasSubstr("started, and the journal ends before it does"),
                          HasSubstr("was planned, never started"), HasSubstr("`unfinished_run`"),
                          HasSubstr("`torn_line`")));
  const Ended show = sxbench({"show", latest().string()});
  EXPECT_THAT(show.out, AllOf(HasSubstr("interrupted"), HasSubstr("2 ok, 0 failed, 2 missing"),
                              HasSubstr("sxbench run --resume"), HasSubstr("was planned, never started")));
}

TEST_F(Resume, AnExcludedNodeGivesItsPlaceToASpare) {
  const std::string file =
      marked_cluster(3, 1, {{"SXB_FAKE_FAULT", "error:1:sft"}, {"SXB_FAKE_ONCE", (dir_ / "once").string()}});
  sxbench(with(run_arguments(file, "sft"), {"--spares", "n2"}));
  const Ended refused = sxbench({"run", "--resume", latest().string(), "--exclude", "n[1-2]"});
  EXPECT_EQ(refused.status.text(), "exit code 2");
  EXPECT_THAT(refused.err, HasSubstr("the run needs 2 nodes, 1 are left"));
  const Ended run = sxbench({"run", "--resume", latest().string(), "--exclude", "n1"});
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_EQ(records(record::kind::kTaskStart).back().data["nodes"].dump(), R"(["n0","n2"])");
}

TEST_F(Resume, ADiskWithoutLocksIsNoRunThatIsBeingWritten) {
  env_["LD_PRELOAD"] = SXB_CLOCK_SHIM;
  env_["ASAN_OPTIONS"] = "verify_asan_link_order=0";
  env_["SXB_NO_LOCKS"] = dir_.string();
  timeouts_["stall_s"] = 60;  // nothing hangs; three agents prepare a dataset at once
  const auto train = [this](const std::string& file) {
    std::vector<std::string> arguments = run_arguments(file, "sft");
    std::replace(arguments.begin(), arguments.end(), std::string("data.dataset=synthetic"),
                 std::string("data.dataset=cluster-ops"));
    return sxbench(arguments);
  };
  const Ended first = train(marked_cluster(3, 1, {}));
  ASSERT_EQ(first.status.text(), "exit code 0") << first.err;
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(dir_ / "cache" / "datasets")) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  ASSERT_EQ(folders.size(), 1U) << "three agents without a lock leave one";

  // The agents that still prepare when rank 1 fails are ended in the middle of it.
  const auto damage = [&] { std::ofstream(folders[0] / "index.json") << "damaged"; };
  damage();
  const Ended second = train(
      marked_cluster(3, 1, {{"SXB_FAKE_FAULT", "error:1:sft"}, {"SXB_FAKE_ONCE", (dir_ / "once").string()}}));
  ASSERT_EQ(second.status.text(), "exit code 1") << second.err;
  damage();
  const Ended third = sxbench({"run", "--resume", latest().string()});
  EXPECT_EQ(third.status.text(), "exit code 0") << third.err;
}

TEST_F(Resume, JsonTellsEveryStepOfARunOnStdout) {
  const std::string file =
      marked_cluster(1, 1, {{"SXB_FAKE_FAULT", "error:0:nccl"}, {"SXB_FAKE_ONCE", (dir_ / "once").string()}});
  const Ended run = sxbench(with(run_arguments(file, "nccl,sft,report"), {"--json", "--retries", "1"}));
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_EQ(run.err, "");
  std::vector<Json> events;
  std::map<std::string, int> count;
  for (const std::string& line : split(run.out, '\n')) {
    if (line.empty()) continue;
    const Result<Json> json = parse_json(line, "stdout");
    ASSERT_TRUE(json.ok()) << line;
    EXPECT_EQ((*json)["v"], 1);
    events.push_back(*json);
    ++count[(*json)["event"]];
  }
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.front()["event"], "run_started");
  EXPECT_EQ(events.front()["planned"], 2);
  EXPECT_EQ(count["task_started"], 3);
  EXPECT_EQ(count["task_retried"], 1);
  EXPECT_EQ(count["task_ended"], 2);
  EXPECT_EQ(count["finding"], 2) << "of the rank, and of its agent";
  EXPECT_GT(count["progress"], 3);
  const Json& last = events.back();
  EXPECT_EQ(last["event"], "run_ended");
  EXPECT_EQ(last["ok"], 2);
  EXPECT_EQ(last["resume"], nullptr);
  EXPECT_TRUE(fs::exists(last["report"].get<std::string>()));
  EXPECT_EQ(events[events.size() - 2]["done"], 2);
  EXPECT_EQ(events[events.size() - 2]["eta_s"], 0.0);
}

TEST_F(Resume, AfterSigkillAtRandomMomentsEveryTaskIsThereOnce) {
  const char* given = std::getenv("SXB_TEST_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device()();
  std::cout << "SXB_TEST_SEED=" << seed << "\n";
  std::mt19937 random(seed);
  const std::vector<std::string> arguments = with(eight_tasks(), {"--resume"});
  // Lives from a start that never got to its run record to several tasks. A run that completes is
  // checked and makes place for a new one.
  std::uniform_int_distribution<int> life_ms(1, 400);
  const auto complete = [&] {
    launch::ProcessSet none;
    ASSERT_TRUE(wait_until(
        none, [&] { return ranks().empty(); }, 30))
        << "agents outlived their heads";
    const Ended last = sxbench(arguments);
    EXPECT_EQ(last.status.text(), "exit code 0") << last.err;
    EXPECT_THAT(last.err, HasSubstr("8 of 8 tasks ok"));
    expect_each_task_once(8);
    EXPECT_THAT(*read_file(latest() / "reports" / "summary_report.md"), Not(HasSubstr("never started")));
  };
  for (int kills = 0; kills < 20;) {
    launch::ProcessSet processes;
    const int id = start(processes, arguments);
    const std::int64_t deadline = monotonic_ns() + std::int64_t{life_ms(random)} * 1'000'000;
    while (!processes.empty() && monotonic_ns() < deadline) processes.poll(1, [](const auto&) {});
    if (processes.running(id)) {
      send_signal(processes, id, SIGKILL);
      ++kills;
      while (!processes.empty()) processes.poll(100, [](const auto&) {});
    } else {
      complete();
      fs::remove_all(results());
    }
  }
  complete();
}

}  // namespace
}  // namespace sxb::e2e
