// What a run writes, shows and starts holds no secret of its cluster, and its files are for few.
#include <sys/stat.h>

#include <set>

#include "e2e/faults.h"
#include "launch/head/seal.h"

namespace sxb::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Twenty secrets in the forms that people give them, and two variables that are none.
const std::vector<std::string>& names_in_env() {
  static const std::vector<std::string> names = {"HF_TOKEN",
                                                 "token",
                                                 "GITHUB_TOKEN_2",
                                                 "AWS_SECRET_ACCESS_KEY",
                                                 "AWS_ACCESS_KEY_ID",
                                                 "WANDB_API_KEY",
                                                 "openaiApiKey",
                                                 "PGPASSWORD",
                                                 "SMB_PASSWD",
                                                 "SSH_PASSPHRASE",
                                                 "AZURE_CREDENTIAL",
                                                 "CREDENTIALS",
                                                 "KEY",
                                                 "SIGNING_KEY",
                                                 "HTTP_AUTH",
                                                 "https_proxy"};
  return names;
}
const std::vector<std::string>& names_in_nccl_env() {
  static const std::vector<std::string> names = {"NCCL_NET_TOKEN", "NCCL_PLUGIN_SECRET", "NCCL_AUTH_KEY",
                                                 "UCX_PASSWORD"};
  return names;
}

class Secrets : public Faults {
 protected:
  /// The value of the i-th secret: found wherever it may be, and nowhere by chance.
  std::string value(std::size_t i) const {
    const std::string secret = fmt::format("planted-{:02}-{}", i, dir_.filename().string());
    return i < names_in_env().size() && names_in_env()[i] == "https_proxy"
               ? fmt::format("http://ada:{}@proxy:3128", secret)
               : secret;
  }
  std::string any_value() const { return fmt::format("-{}", dir_.filename().string()); }

  /// cluster() with the secrets, and what `more` adds to its document.
  std::string planted_cluster(int nodes, int slots, Json env, const Json& more = Json::object()) {
    std::size_t i = 0;
    for (const std::string& name : names_in_env()) env[name] = value(i++);
    const std::string file = cluster(nodes, slots, env);
    Json json = *load_json(file);
    json["nccl_env"] = {{"NCCL_DEBUG", "WARN"}};
    for (const std::string& name : names_in_nccl_env()) json["nccl_env"][name] = value(i++);
    EXPECT_EQ(i, 20u);
    json.update(more);
    std::ofstream(file) << json.dump();
    return file;
  }

  /// True where one of them stands, also as a part of something else.
  bool leaks(const std::string& text) const {
    for (std::size_t i = 0; i < 20; ++i) {
      if (text.find(fmt::format("planted-{:02}-{}", i, dir_.filename().string())) != std::string::npos)
        return true;
    }
    return false;
  }

  std::vector<std::string> files_that_leak(const fs::path& folder) const {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file() && leaks(text_of(entry.path()))) found.push_back(entry.path());
    }
    return found;
  }

  Ended expect_silence(const std::vector<std::string>& arguments) {
    const Ended ended = sxbench(arguments);
    EXPECT_FALSE(leaks(ended.out)) << arguments.front() << "\n" << ended.out;
    EXPECT_FALSE(leaks(ended.err)) << arguments.front() << "\n" << ended.err;
    return ended;
  }

  static std::vector<pid_t> descendants(pid_t head) {
    std::vector<pid_t> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      for (pid_t pid = std::stoi(name); pid > 1; pid = parent_of(pid)) {
        if (pid == head) found.push_back(std::stoi(name));
      }
    }
    return found;
  }

  /// Looks at every process of the run once; returns how many ranks have the secrets, which are theirs.
  int look_at_processes(pid_t head) const {
    int ranks = 0;
    for (const pid_t pid : descendants(head)) {
      const fs::path proc = fmt::format("/proc/{}", pid);
      const auto is_rank = [&] {
        return text_of(proc / "cmdline").find(std::string("worker\0rank", 11)) != std::string::npos;
      };
      const bool before = is_rank();
      const std::string environment = text_of(proc / "environ"), command = text_of(proc / "cmdline");
      EXPECT_FALSE(leaks(command)) << command;
      // A child that becomes a rank in between has had the agent's command line.
      if (before || is_rank()) {
        ranks += leaks(environment) ? 1 : 0;
      } else {
        EXPECT_FALSE(leaks(environment)) << command;
      }
    }
    return ranks;
  }

  /// Mode and path of all files and folders of the results, but links.
  std::set<std::string> modes(const fs::path& folder) {
    std::set<std::string> found;
    const auto add = [&](const fs::path& path) {
      struct stat entry = {};
      if (::lstat(path.c_str(), &entry) != 0 || S_ISLNK(entry.st_mode)) return;
      found.insert(
          fmt::format("{} {:o}", S_ISDIR(entry.st_mode) ? "folder" : "file", entry.st_mode & 07777u));
    };
    add(folder);
    for (const auto& entry : fs::recursive_directory_iterator(folder)) add(entry.path());
    return found;
  }
  void set_umask(const std::string& mask) { prefix_ = {"sh", "-c", "umask " + mask + "; exec \"$@\"", "sh"}; }
};

TEST_F(Secrets, AreInNoFileAndNoProcessButTheRanks) {
  const std::string file = planted_cluster(2, 2, {{"SXB_FAKE_STEP_MS", "400"}});
  launch::ProcessSet processes;
  const int id = start(processes, run_arguments(file, "check,nccl,sft,report"));
  int ranks = 0;
  std::string said;
  const std::int64_t deadline = monotonic_ns() + 60'000'000'000;
  while (!processes.empty() && monotonic_ns() < deadline) {
    if (const pid_t head = processes.pid(id); head > 1) ranks = std::max(ranks, look_at_processes(head));
    processes.poll(20, [&](const launch::ProcessEvent& event) { said += event.line + "\n"; });
  }
  ASSERT_TRUE(processes.empty());
  EXPECT_GT(ranks, 0) << "no rank was seen with its secrets: nothing was looked at";
  EXPECT_FALSE(leaks(said)) << said;
  EXPECT_THAT(said, HasSubstr("3 of 3 tasks ok"));

  expect_silence({"report", latest().string()});
  expect_silence({"show", latest().string()});
  expect_silence({"list", results().string()});
  EXPECT_EQ(expect_silence({"compare", latest().string(), latest().string(), "--all"}).status.text(),
            "exit code 0");
  expect_silence({"compare", latest().string(), latest().string(), "--all", "--json"});
  for (const char* end : {"md", "csv", "json"}) {
    expect_silence({"compare", latest().string(), latest().string(), "--all", "--out",
                    (results() / "compare.").string() + end});
  }
  EXPECT_THAT(expect_silence({"config", "show", "--cluster", file}).out,
              AllOf(HasSubstr("/cluster/env/HF_TOKEN"), HasSubstr("<redacted>"), HasSubstr("NCCL_DEBUG")));
  EXPECT_TRUE(is_json(expect_silence({"config", "show", "--cluster", file, "--json"}).out));
  expect_silence({"plan", "--cluster", file, "--models", "tiny"});
  EXPECT_THAT(
      expect_silence({"run", "--cluster", file, "--models", "tiny", "--dry-run", "--out", results().string()})
          .out,
      HasSubstr("HF_TOKEN="));
  std::vector<std::string> json = run_arguments(file, "nccl,sft,report");
  json.emplace_back("--json");
  EXPECT_EQ(expect_silence(json).status.text(), "exit code 0");
  expect_silence({"nccl", "--cluster", file, "-b", "8", "-e", "64", "--out", results().string(), "-J",
                  (results() / "nccl.json").string()});

  EXPECT_THAT(files_that_leak(results()), IsEmpty());
  const std::string plan = text_of(latest() / "plan.json");
  EXPECT_THAT(plan, AllOf(HasSubstr(R"("HF_TOKEN":"<redacted>")"), HasSubstr(R"("NCCL_DEBUG":"WARN")")));
  EXPECT_THAT(text_of(latest() / "reports" / "summary_report.md"), HasSubstr("NCCL_NET_TOKEN=<redacted>"));
}

TEST_F(Secrets, AResumedRunHasThemFromItsClusterConfig) {
  const std::string file = planted_cluster(1, 1,
                                           {{"SXB_FAKE_FAULT", "error:0:sft"},
                                            {"SXB_FAKE_ONCE", (dir_ / "once").string()},
                                            {"SXB_FAKE_ECHO", "HF_"}});
  // The fake engine prints the variable, as a program of the user may: only that shows that it has come.
  const Ended first = sxbench(run_arguments(file, "nccl,sft"));
  ASSERT_EQ(first.status.text(), "exit code 5") << first.err;
  const fs::path run = fs::canonical(latest());
  const std::string name = records(record::kind::kDevice).back().data["name"];

  const std::string whole = text_of(file);
  fs::remove(file);
  const Ended missing = sxbench({"run", "--resume", run.string()});
  EXPECT_EQ(missing.status.text(), "exit code 2");
  EXPECT_THAT(missing.err,
              AllOf(HasSubstr("a run folder keeps no secrets"), HasSubstr("HF_TOKEN"),
                    HasSubstr("NCCL_NET_TOKEN"), HasSubstr("there is no such file"), HasSubstr(file),
                    HasSubstr("help: make the cluster config as it was"), Not(HasSubstr("planted"))));
  tell("cluster config of a run with secrets gone", missing.seconds, slack(), "none", "exit code 2");

  Json other = *parse_json(whole, "test");
  other["nccl_env"]["NCCL_DEBUG"] = "INFO";
  std::ofstream(file) << other.dump();
  EXPECT_THAT(sxbench({"run", "--resume", run.string()}).err,
              HasSubstr("NCCL_DEBUG in its nccl_env is another now"));
  other = *parse_json(whole, "test");
  other["env"].erase("HF_TOKEN");
  std::ofstream(file) << other.dump();
  EXPECT_THAT(sxbench({"run", "--resume", run.string()}).err, HasSubstr("its env has no HF_TOKEN any more"));
  other = *parse_json(whole, "test");
  other["nodes"][0]["name"] = "elsewhere";
  std::ofstream(file) << other.dump();
  EXPECT_THAT(sxbench({"run", "--resume", run.string()}).err, HasSubstr("it has no node n0 any more"));
  EXPECT_EQ(records(record::kind::kTaskStart).size(), 2u) << "nothing was started";

  // A key that was renewed since is no obstacle.
  other = *parse_json(whole, "test");
  other["env"]["WANDB_API_KEY"] = "renewed";
  std::ofstream(file) << other.dump();
  const Ended resumed = sxbench({"run", "--resume", run.string()});
  EXPECT_EQ(resumed.status.text(), "exit code 0") << resumed.err;
  EXPECT_EQ(records(record::kind::kDevice).back().data["name"], name);
  EXPECT_THAT(name, HasSubstr(value(0)));
  EXPECT_THAT(text_of(run / "records.jsonl"), Not(HasSubstr("renewed")));
}

TEST_F(Secrets, AJournalThatHoldsThemIsResumedAndReportedWithoutThem) {
  const std::string file =
      planted_cluster(1, 1, {{"SXB_FAKE_FAULT", "error:0:sft"}, {"SXB_FAKE_ONCE", (dir_ / "once").string()}});
  ASSERT_EQ(sxbench(run_arguments(file, "nccl,sft")).status.text(), "exit code 5");
  // As sxbench has written it before.
  std::string journal = text_of(latest() / "records.jsonl");
  for (std::size_t at; (at = journal.find("<redacted>")) != std::string::npos;)
    journal.replace(at, 10, value(7));
  // The hash in its manifest was over the values, too.
  const Json run = (*parse_json(journal.substr(0, journal.find('\n')), "run"))["data"];
  const std::string hash = launch::config_hash_of(run["cluster"], run["plan"]);
  const std::string redacted_hash = run["config_hash"];
  const auto seal = [&](std::string text) {
    return text.replace(text.find(redacted_hash), hash.size(), hash);
  };
  std::ofstream(latest() / "records.jsonl") << seal(journal);
  const std::string manifest = text_of(latest() / "manifest.json");
  std::ofstream(latest() / "manifest.json") << seal(manifest);
  fs::remove(file);
  expect_silence({"report", latest().string()});
  EXPECT_THAT(files_that_leak(latest() / "reports"), IsEmpty());
  EXPECT_FALSE(leaks(text_of(latest() / "summary.json")));
  expect_silence({"show", latest().string()});
  expect_silence({"compare", latest().string(), latest().string(), "--all"});
  const Ended resumed = expect_silence({"run", "--resume", latest().string()});
  EXPECT_EQ(resumed.status.text(), "exit code 0") << resumed.err;
}

TEST_F(Secrets, AreNotPartOfTheConfigHash) {
  const std::string file = planted_cluster(1, 1, Json::object());
  ASSERT_TRUE(sxbench(run_arguments(file, "check")).status.ok());
  const std::string hash = records(record::kind::kRun).back().data["config_hash"];
  Json other = *load_json(file);
  other["env"]["HF_TOKEN"] = "1";
  std::ofstream(file) << other.dump();
  ASSERT_TRUE(sxbench(run_arguments(file, "check")).status.ok());
  EXPECT_EQ(records(record::kind::kRun).back().data["config_hash"], hash);
  other["env"]["A"] = "1";
  std::ofstream(file) << other.dump();
  ASSERT_TRUE(sxbench(run_arguments(file, "check")).status.ok());
  EXPECT_NE(records(record::kind::kRun).back().data["config_hash"], hash);
}

TEST_F(Secrets, FilesOfARunAreForItsGroupAtMost) {
  set_umask("022");
  std::vector<std::string> arguments = run_arguments(cluster(1, 2), "check,nccl,sft,report");
  // What ranks and agents write for users stays as their umask has it.
  const fs::path weights = dir_ / "weights";
  arguments.insert(arguments.end(), {"--save", weights.string(), "--set", "data.dataset=cluster-ops"});
  const Ended run = sxbench(arguments);
  ASSERT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_EQ(modes(results()), (std::set<std::string>{"file 640", "folder 750"}));
  EXPECT_EQ(modes(weights), (std::set<std::string>{"folder 755"}));
  EXPECT_EQ(modes(dir_ / "cache" / "datasets"), (std::set<std::string>{"file 644", "folder 755"}));
  fs::remove_all(latest() / "reports");
  ASSERT_TRUE(sxbench({"report", latest().string()}).status.ok());
  EXPECT_EQ(modes(results()), (std::set<std::string>{"file 640", "folder 750"}));
  sxbench({"run", "--resume", latest().string()});
  EXPECT_EQ(modes(results()), (std::set<std::string>{"file 640", "folder 750"}));
}

TEST_F(Secrets, TheUmaskOfTheUserTakesMoreAndTheKeyDecides) {
  set_umask("077");
  const std::string file = cluster(1, 1);
  ASSERT_TRUE(sxbench(run_arguments(file, "check,report")).status.ok());
  EXPECT_EQ(modes(results()), (std::set<std::string>{"file 600", "folder 700"}));
  fs::remove_all(results());
  Json json = *load_json(file);
  json["paths"] = {{"file_mode", "0660"}};
  std::ofstream(file) << json.dump();
  ASSERT_TRUE(sxbench(run_arguments(file, "check,report")).status.ok());
  EXPECT_EQ(modes(results()), (std::set<std::string>{"file 660", "folder 770"}));
}

TEST_F(Secrets, PathsThatAreNoUtf8WorkOrAreRefused) {
  std::vector<std::string> arguments = run_arguments(cluster(1, 1), "check,report");
  arguments.back() = (dir_ / "r\xe9sultats").string();
  const Ended run = sxbench(arguments);
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_THAT(run.out, HasSubstr("r\xe9sultats/")) << "for scripts";
  EXPECT_THAT(run.err, AllOf(HasSubstr("r\\xe9sultats"), Not(HasSubstr("\xe9"))));
  EXPECT_TRUE(fs::exists(dir_ / "r\xe9sultats" / "latest" / "reports" / "summary_report.md"));

  for (const std::vector<std::string>& more :
       std::vector<std::vector<std::string>>{{"--set", "data.dataset=caf\xe9.json"}, {"--save", "caf\xe9"}}) {
    std::vector<std::string> with = run_arguments(cluster(1, 1), "sft");
    with.insert(with.end(), more.begin(), more.end());
    const Ended refused = sxbench(with);
    EXPECT_EQ(refused.status.text(), "exit code 2") << refused.err;
    EXPECT_THAT(refused.err,
                AllOf(HasSubstr("caf\\xe9"), HasSubstr("is not UTF-8"), HasSubstr("--> " + more.front())));
    EXPECT_FALSE(fs::exists(results())) << "nothing was written";
  }
}

TEST_F(Secrets, ADamagedTaskEndIsPassedOver) {
  const std::string file =
      cluster(1, 1, {{"SXB_FAKE_FAULT", "error:0:sft"}, {"SXB_FAKE_ONCE", (dir_ / "once").string()}});
  ASSERT_EQ(sxbench(run_arguments(file, "nccl,sft")).status.text(), "exit code 5");
  const std::string task = records(record::kind::kTaskEnd).front().task;
  for (const char* data : {"null", "\"text\"", R"({"status":["ok"]})"}) {
    std::ofstream(latest() / "records.jsonl", std::ios::app)
        << fmt::format(
               R"({{"v":{},"kind":"task_end","task":"{}","node":"","rank":-1,"mono_ns":1,"wall_ns":1,"data":{}}})",
               1, task, data)
        << "\n";
  }
  const Ended resumed = sxbench({"run", "--resume", latest().string()});
  EXPECT_EQ(resumed.status.text(), "exit code 0") << resumed.err;
}

TEST_F(Secrets, AFolderInThePlaceOfTheLinkIsAWarning) {
  fs::create_directories(latest());
  const Ended run = sxbench(run_arguments(cluster(1, 1), "check,report"));
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_THAT(run.err, AllOf(HasSubstr("warning: "), HasSubstr("latest is no link")));
  EXPECT_THAT(text_of(std::string(trim(run.out))), HasSubstr("no_latest_link"));
  tell("results/latest is a folder", run.seconds, slack(), "none", "a warning; the run goes on to its end");
}

TEST_F(Secrets, NoResumeIsOfferedWhereNothingIsLeft) {
  const std::string file = cluster(1, 1, {{"SXB_FAKE_STEP_MS", "200"}});
  launch::ProcessSet processes;
  std::vector<std::string> arguments = run_arguments(file, "sft");
  arguments.insert(arguments.end(), {"--repeats", "2"});
  start(processes, arguments);
  ASSERT_TRUE(wait_until(processes, [&] { return !records(record::kind::kStep).empty(); }));
  fs::remove_all(results());
  const std::int64_t gone_ns = monotonic_ns();
  const Ended ended = collect(processes, [](const std::string&) {});
  tell("run folder removed", seconds_since(gone_ns, monotonic_ns()), slack(), "none: the next record",
       "ended");
  EXPECT_NE(ended.status.code, 0);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("tasks ok"), Not(HasSubstr("--resume"))));
}

}  // namespace
}  // namespace sxb::e2e
