// What surrounds a run does not end it: readers that go away, full disks, closed descriptors, terminals that
// hang up, limits, a hidden /proc.
#include <fcntl.h>
#include <pty.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "e2e/faults.h"
#include "record/kinds/run.h"
#include "record/typed.h"

namespace sxb::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Rim : public Faults {
 protected:
  /// `script` runs "$@", which is sxbench with its arguments.
  Ended in_shell(const std::string& script, const std::vector<std::string>& arguments) {
    prefix_ = {"/bin/bash", "-c", script, "bash"};
    const Ended ended = sxbench(arguments);
    prefix_.clear();
    return ended;
  }

  /// The latest run is whole: a journal of records alone that ends with `code`, and a report.
  void expect_whole(int code) {
    const std::vector<record::Record> ends = records(record::kind::kRunEnd);  // fails on any other line
    ASSERT_EQ(ends.size(), 1u);
    EXPECT_EQ(record::read<record::RunEnd>(ends[0]).exit_code, code);
    EXPECT_TRUE(fs::exists(latest() / "reports" / "summary_report.md"));
  }

  std::string code_of_script() const { return text_of(dir_ / "code"); }
};

TEST_F(Rim, ARunGoesOnWhereNothingCanBeShown) {
  const std::string keep = fmt::format("; echo -n $? > {}; }}", (dir_ / "code").string());
  const std::string run = "{ \"$@\"";
  for (const std::string& script : {
           run + " 2> /dev/full" + keep,
           run + " > /dev/full" + keep,
           run + " > /dev/full 2>&1" + keep,
           run + " 2>&-" + keep,
           run + " >&- 2>&-" + keep,
           run + " <&- >&- 2>&-" + keep,
           run + keep + " 2>&1 | head -n 1",
           run + keep + " 2>&1 | true",
           run + " 2> >(true)" + keep,
           run + " --json" + keep + " | head -n 1",
       }) {
    in_shell(script, run_arguments(cluster(2, 1), "check,nccl,sft,report"));
    EXPECT_EQ(code_of_script(), "0") << script;
    expect_whole(0);
    fs::remove_all(results());
    fs::remove(dir_ / "code");
  }
}

TEST_F(Rim, ARunThatFailsEndsAsItWouldHave) {
  const std::string file = cluster(1, 2, {{"SXB_FAKE_FAULT", "error:1:sft"}});
  const Ended ended = in_shell("exec \"$@\" 2> /dev/full", run_arguments(file, "sft,report"));
  EXPECT_EQ(ended.status.text(), "exit code 1");
  expect_whole(1);
}

TEST_F(Rim, AVerbWhoseOutputIsLostSaysSo) {
  ASSERT_TRUE(sxbench(run_arguments(cluster(1, 1), "check,sft,report")).status.ok());
  const std::string run = latest().string(), file = (dir_ / "cluster.json").string();
  for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{
           {"list", results().string()},
           {"show", run},
           {"report", run},
           {"plan", "--cluster", file},
           {"compare", run, run},
           {"compare", run, run, "--json"},
           {"config", "show", "--cluster", file},
           {"config", "show", "--cluster", file, "--json"},
           {"run", "--cluster", file, "--dry-run", "--out", results().string()},
           {"--help"},
           {"--version"},
       }) {
    const Ended full = in_shell("exec \"$@\" > /dev/full", verb);
    EXPECT_EQ(full.status.text(), "exit code 4") << verb.front();
    EXPECT_THAT(full.err, HasSubstr("error: cannot write to standard output: No space left on device\n"))
        << verb.front();
    const Ended silent = in_shell("exec \"$@\" > /dev/full 2> /dev/full", verb);
    EXPECT_EQ(silent.status.text(), "exit code 4") << verb.front();
    // A reader that has seen enough, and one that never looked.
    const Ended gone = in_shell("set -o pipefail; \"$@\" | true", verb);
    EXPECT_TRUE(gone.status.ok()) << verb.front() << ": " << gone.status.text() << "\n" << gone.err;
    EXPECT_THAT(gone.err, Not(HasSubstr("standard output"))) << verb.front();
    EXPECT_TRUE(in_shell("exec \"$@\" >&-", verb).status.ok()) << verb.front();
  }
}

/// sxbench as leader of a session of its own, on a terminal that hangs up once it has said something.
class HangUp : public Rim {
 protected:
  ExitCode run_and_hang_up(bool ignored, const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {SXB_BINARY};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    int master = -1;
    const winsize wide = {24, 200, 0, 0};  // or the step is cut off
    const pid_t child = ::forkpty(&master, nullptr, nullptr, &wide);
    if (child == 0) {
      for (const auto& [name, value] : env_) ::setenv(name.c_str(), value.c_str(), 1);
      ::setenv("TERM", "xterm", 1);
      if (ignored) ::signal(SIGHUP, SIG_IGN);
      ::execv(argv.front(), argv.data());
      ::_exit(126);
    }
    EXPECT_GT(child, 0);
    std::string seen;
    char buffer[1024];
    while (seen.find("step 2/") == std::string::npos) {
      const ssize_t n = ::read(master, buffer, sizeof buffer);
      if (n <= 0) break;
      seen.append(buffer, static_cast<std::size_t>(n));
    }
    EXPECT_THAT(seen, HasSubstr("step 2/"));
    ::close(master);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
    return static_cast<ExitCode>(WEXITSTATUS(status));
  }

  std::vector<std::string> slow_training() {
    env_["SXB_FAKE_STEP_MS"] = "300";
    std::vector<std::string> arguments = run_arguments(cluster(2, 1), "sft,report");
    *std::find(arguments.begin(), arguments.end(), "3") = "8";
    return arguments;
  }
};

TEST_F(HangUp, OfItsTerminalEndsARunInGoodOrder) {
  EXPECT_EQ(run_and_hang_up(false, slow_training()), ExitCode::kInterrupted);
  expect_whole(130);
}

TEST_F(HangUp, ThatIsIgnoredChangesNothing) {
  EXPECT_EQ(run_and_hang_up(true, slow_training()), ExitCode::kOk) << "nohup";
  expect_whole(0);
}

TEST_F(Rim, CtrlCThatAlsoEndsTheReaderIsAnOrderlyEnd) {
  env_["SXB_FAKE_STEP_MS"] = "50";
  std::vector<std::string> arguments = run_arguments(cluster(2, 1), "sft,report");
  *std::find(arguments.begin(), arguments.end(), "3") = "4000";
  prefix_ = {"/bin/bash", "-c",
             fmt::format("{{ \"$@\" & echo $! > {0}; wait $!; echo -n $? > {1}; }} 2>&1 | head -n 1",
                         (dir_ / "pid").string(), (dir_ / "code").string()),
             "bash"};
  launch::ProcessSet processes;
  start(processes, arguments);
  ASSERT_TRUE(wait_until(processes, [&] { return !records(record::kind::kStep).empty(); }));
  hit(std::stoi(text_of(dir_ / "pid")), SIGINT);
  collect(processes, [](const std::string&) {});
  EXPECT_EQ(code_of_script(), "130");
  expect_whole(130);
}

TEST_F(Rim, AFileThatMayNotGrowIsAFullDisk) {
  const Ended ended =
      in_shell("ulimit -f 8; exec \"$@\"", run_arguments(cluster(2, 1), "check,nccl,sft,report"));
  EXPECT_EQ(ended.status.text(), "exit code 4") << ended.err;
  EXPECT_THAT(ended.err, AllOf(HasSubstr("File too large"), HasSubstr("help: raise the limit")));
}

TEST_F(Rim, AHiddenProcIsNoEnd) {
  const std::string hide = "mount -t tmpfs none /proc 2> /dev/null || exit 77; ";
  prefix_ = {"unshare", "--mount", "/bin/bash", "-c", hide + "exec \"$@\"", "bash"};
  const Ended ended = sxbench(run_arguments(cluster(2, 1), "check,nccl,sft,report"));
  if (ended.status.code == 77 || ended.err.find("unshare") != std::string::npos) {
    GTEST_SKIP() << "no mount namespace here: root is needed";
  }
  EXPECT_TRUE(ended.status.ok()) << ended.status.text() << "\n" << ended.err;
  expect_whole(0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_F(Rim, TooLittleMemoryIsAnErrorOfOurs) {
  int failed = 0;
  for (int mebibytes = 16; mebibytes <= 1024; mebibytes *= 2) {
    const Ended ended = in_shell(fmt::format("ulimit -v {}; exec \"$@\"", mebibytes * 1024),
                                 run_arguments(cluster(2, 1), "check,sft,report"));
    EXPECT_EQ(ended.status.signal, 0) << mebibytes << " MiB: " << ended.status.text() << "\n" << ended.err;
    // 126 and 127 are the shell's and the loader's: there was no sxbench yet.
    EXPECT_THAT(ended.status.code, ::testing::AnyOf(0, 1, 4, 5, 126, 127)) << mebibytes << " MiB";
    EXPECT_THAT(ended.err, AllOf(Not(HasSubstr("terminate called")), Not(HasSubstr("SIGABRT"))));
    failed += ended.status.ok() ? 0 : 1;
    fs::remove_all(results());
  }
  EXPECT_GT(failed, 0) << "no limit was too little";
}
#endif

TEST_F(Rim, AnAgentThatIsToldTooMuchSaysSo) {
  const Ended ended =
      in_shell("head -c 400M /dev/zero | tr '\\0' x | { \"$@\"; code=$?; cat > /dev/null; exit $code; }",
               {"worker", "agent"});
  EXPECT_EQ(ended.status.text(), "exit code 4") << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("the task did not reach the agent: the line is longer than 256 MiB"));
}

TEST_F(Rim, ARunThatWorksIsShownWithItsStep) {
  env_["SXB_FAKE_STEP_MS"] = "50";
  std::vector<std::string> arguments = run_arguments(cluster(2, 1), "sft,report");
  *std::find(arguments.begin(), arguments.end(), "3") = "4000";
  launch::ProcessSet processes;
  const int run = start(processes, arguments);
  ASSERT_TRUE(wait_until(processes, [&] { return records(record::kind::kStep).size() > 3; }));
  const Ended shown = sxbench({"show", results().string()});
  EXPECT_THAT(shown.out,
              AllOf(HasSubstr("state     running\n"), HasSubstr("tasks     0 ok, 0 failed, 1 running"),
                    HasSubstr("1 running, 0 failed, ETA "), HasSubstr("  step "), HasSubstr("/4000"),
                    Not(HasSubstr("interrupted"))));
  EXPECT_THAT(sxbench({"list", results().string()}).out, HasSubstr("0 ok, 0 failed, 1 running, 0 to do"));
  send_signal(processes, run, SIGINT);
  EXPECT_EQ(collect(processes, [](const std::string&) {}).status.text(), "exit code 130");
}

TEST_F(Rim, TheFirstLineNamesTheClusterAndTheLastHowToGetAReport) {
  const std::string file = cluster(3, 2);
  std::vector<std::string> arguments = run_arguments(file, "check");
  arguments.insert(arguments.end(), {"--nodes", "2"});
  const Ended ended = sxbench(arguments);
  EXPECT_THAT(ended.err,
              ::testing::StartsWith("cluster test (" + file + "): 2 of 3 nodes x 2 CPU ranks\nrun folder "));
  EXPECT_THAT(ended.err, HasSubstr("sxbench report " + results().string()));
}

TEST_F(Rim, CtrlCIsHeardWhileAnotherPreparesTheDataset) {
  timeouts_ = {{"stop_s", 60}, {"evidence_s", 60}};  // what would be waited for without
  std::vector<std::string> arguments = run_arguments(cluster(1, 1), "sft,report");
  std::replace(arguments.begin(), arguments.end(), std::string("data.dataset=synthetic"),
               std::string("data.dataset=cluster-ops"));
  ASSERT_TRUE(sxbench(arguments).status.ok());
  int held = -1;
  for (const auto& entry : fs::directory_iterator(dir_ / "cache" / "datasets")) {
    if (entry.path().extension() == ".lock") held = ::open(entry.path().c_str(), O_RDWR);
  }
  ASSERT_EQ(::flock(held, LOCK_EX), 0);
  fs::remove_all(results());
  launch::ProcessSet processes;
  const int run = start(processes, arguments);
  ASSERT_TRUE(wait_until(processes, [&] { return !records(record::kind::kNode).empty(); }));
  send_signal(processes, run, SIGINT);
  EXPECT_EQ(collect(processes, [](const std::string&) {}).status.text(), "exit code 130");
  expect_whole(130);
  ::close(held);
}

/// `ssh` in PATH is this script.
class WaitsForSsh : public Rim {
 protected:
  std::string cluster_by(const std::string& script) {
    std::ofstream(dir_ / "ssh") << "#!/bin/sh\n" << script << "\n";
    fs::permissions(dir_ / "ssh", fs::perms::owner_all);
    env_["PATH"] = dir_.string() + ":" + std::getenv("PATH");
    const std::string file = cluster(2, 1);
    Json json = *load_json(file);
    json["transport"] = "ssh";
    json["rendezvous"] = {{"interface", "eth0"}};
    std::ofstream(file) << json.dump();
    return file;
  }
};

TEST_F(WaitsForSsh, CtrlCIsHeardWhileANodeIsAskedForItsAddress) {
  const std::string file =
      cluster_by("case \"$*\" in *address*) : > " + (dir_ / "asked").string() + "; sleep 1000;; esac");
  launch::ProcessSet processes;
  const int run = start(processes, run_arguments(file, "check,report"));
  ASSERT_TRUE(wait_until(processes, [&] { return fs::exists(dir_ / "asked"); }));
  send_signal(processes, run, SIGINT);
  const Ended ended = collect(processes, [](const std::string&) {});
  EXPECT_EQ(ended.status.text(), "exit code 130") << ended.err;
  EXPECT_EQ(records(record::kind::kTaskEnd).at(0).data["status"], "interrupted");
  expect_whole(130);
}

TEST_F(WaitsForSsh, WordsInAnotherEncodingAreShownAndTheNodeIsNamed) {
  const std::string file =
      cluster_by("printf 'ssh: Rechner nicht erreichbar: ung\\374ltig \\033[2J\\n' >&2; exit 255");
  const Ended ended = sxbench(run_arguments(file, "check,report"));
  EXPECT_EQ(ended.status.text(), "exit code 4") << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("ung\\xfcltig \\x1b[2J; and 1 more node is not there"));
  // Both are asked at once: either may be the first to fail.
  EXPECT_THAT(ended.err, AnyOf(HasSubstr("node n0 was lost"), HasSubstr("node n1 was lost")));
  expect_whole(4);
}

TEST_F(Rim, FoldersInAnotherEncodingWork) {
  std::vector<std::string> arguments = run_arguments(cluster(2, 1), "check,nccl,report");
  arguments.back() = (dir_ / "r\xe9sultats").string();
  const Ended ended = sxbench(arguments);
  EXPECT_TRUE(ended.status.ok()) << ended.status.text() << "\n" << ended.err;
  EXPECT_TRUE(fs::exists(dir_ / "r\xe9sultats" / "latest" / "reports" / "summary_report.md"));
  for (const char* verb : {"list", "show", "report"}) {
    EXPECT_TRUE(sxbench({verb, arguments.back()}).status.ok()) << verb;
  }
}

}  // namespace
}  // namespace sxb::e2e
