#include "launch/os/process.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

namespace sxb::launch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Seen {
  std::vector<std::string> out, err;
  std::vector<ExitStatus> exits;
};

/// Polls until every child has ended; fails the test after 20 s.
Seen run_all(ProcessSet& processes) {
  Seen seen;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!processes.empty() && std::chrono::steady_clock::now() < deadline) {
    processes.poll(100, [&](const ProcessEvent& event) {
      if (event.kind == ProcessEvent::Kind::kExit)
        seen.exits.push_back(event.status);
      else
        (event.from_stderr ? seen.err : seen.out).push_back(event.line);
    });
  }
  EXPECT_TRUE(processes.empty()) << "children are still running";
  return seen;
}

Seen run_one(const ProcessSpec& spec) {
  ProcessSet processes;
  const Result<int> id = processes.start(spec);
  EXPECT_TRUE(id.ok()) << format_errors(id.errors());
  return run_all(processes);
}

ProcessSpec shell(const std::string& script) {
  ProcessSpec spec;
  spec.argv = {"sh", "-c", script};
  return spec;
}

/// Within 5 s the process is gone, or a zombie that its new parent has yet to reap.
bool ends_soon(pid_t pid) {
  for (int i = 0; i < 500; ++i) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string number, name, state;
    if (!(stat >> number >> name >> state) || state == "Z") return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TEST(Process, HandsOutLinesOfBothStreamsBeforeTheExit) {
  const Seen seen = run_one(shell("echo one; echo two >&2; printf three; exit 7"));
  EXPECT_THAT(seen.out, ElementsAre("one", "three"));
  EXPECT_THAT(seen.err, ElementsAre("two"));
  ASSERT_EQ(seen.exits.size(), 1u);
  EXPECT_EQ(seen.exits[0].code, 7);
  EXPECT_EQ(seen.exits[0].text(), "exit code 7");
}

TEST(Process, PassesArgumentsWithoutAShell) {
  ProcessSpec spec;
  spec.argv = {"printf", "%s\\n", "a b", "$HOME; `id`", "\"'"};
  EXPECT_THAT(run_one(spec).out, ElementsAre("a b", "$HOME; `id`", "\"'"));
}

TEST(Process, AddsToTheEnvironmentAndOverridesIt) {
  ::setenv("SXB_PROCESS_TEST_A", "old", 1);
  ::setenv("SXB_PROCESS_TEST_B", "kept", 1);
  ProcessSpec spec = shell("echo $SXB_PROCESS_TEST_A $SXB_PROCESS_TEST_B");
  spec.env = {{"SXB_PROCESS_TEST_A", "new"}};
  EXPECT_THAT(run_one(spec).out, ElementsAre("new kept"));
}

// What a poll hands out, its caller holds: of a thousand nodes that have all fallen behind, too.
TEST(Process, APollHandsOutNoMoreThanAPipeHolds) {
  constexpr std::size_t kPipe = 64 << 10, kBytes = 20'000'000;
  ProcessSet processes;
  ASSERT_TRUE(processes.start(shell("yes 0123456789012345678 | head -c 20000000")).ok());
  std::size_t all = 0, most = 0;
  while (!processes.empty()) {
    std::size_t now = 0;
    processes.poll(1000, [&](const ProcessEvent& event) {
      if (event.kind == ProcessEvent::Kind::kLine) now += event.line.size() + 1;
    });
    all += now;
    most = std::max(most, now);
  }
  EXPECT_EQ(all, kBytes);
  EXPECT_LE(most, 2 * kPipe) << "a read, and the rest of one whose writer has ended";
}

TEST(Process, OfALineWithoutEndTheBeginIsHandedOutAndOneWordOfTheRest) {
  constexpr std::size_t kBegin = 4 << 20, kRest = 20 << 20;
  const Seen seen = run_one(shell(
      "head -c 25165824 /dev/zero | tr '\\0' x; echo; echo after; head -c 5242880 /dev/zero | tr '\\0' y"));
  ASSERT_EQ(seen.out.size(), 5u);
  EXPECT_EQ(seen.out[0], std::string(kBegin, 'x'));
  EXPECT_EQ(seen.out[1], "sxbench left out " + std::to_string(kRest) + " more bytes of this line");
  EXPECT_EQ(seen.out[2], "after");
  EXPECT_EQ(seen.out[3], std::string(kBegin, 'y'));
  EXPECT_EQ(seen.out[4], "sxbench left out " + std::to_string(1 << 20) + " more bytes of this line")
      << "it ended without a newline";
}

TEST(Process, FeedsMoreThanAPipeHoldsToStdin) {
  ProcessSpec spec = shell("wc -c");
  spec.stdin_text = std::string(1 << 20, 'x');
  EXPECT_THAT(run_one(spec).out, ElementsAre(HasSubstr("1048576")));
}

TEST(Process, ReportsWhyAProgramCannotStart) {
  ProcessSet processes;
  ProcessSpec spec;
  spec.argv = {"/nonexistent/program"};
  const Result<int> id = processes.start(spec);
  ASSERT_FALSE(id.ok());
  EXPECT_THAT(id.error().what, HasSubstr("No such file"));
  EXPECT_EQ(id.error().code, ExitCode::kEnvironment);
  EXPECT_THAT(id.error().help, HasSubstr("install it"));
  EXPECT_TRUE(processes.empty());
}

TEST(Process, ALimitThatIsReachedIsNamedWithItsRemedy) {
  rlimit before = {};
  ::getrlimit(RLIMIT_NOFILE, &before);
  ProcessSet processes;
  const rlimit none = {5, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Result<int> id = processes.start(shell("true"));
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(id.ok());
  EXPECT_THAT(id.error().what, HasSubstr("Too many open files"));
  EXPECT_THAT(id.error().help, HasSubstr("ulimit -u -n"));
}

TEST(Process, NamesTheSignalThatKilledAChild) {
  const Seen seen = run_one(shell("kill -KILL $$"));
  ASSERT_EQ(seen.exits.size(), 1u);
  EXPECT_EQ(seen.exits[0].text(), "killed by signal 9 (SIGKILL)");
  EXPECT_FALSE(seen.exits[0].ok());
}

TEST(Process, StopsTheWholeGroupAndKillsWhatIgnoresSigterm) {
  ProcessSet processes;
  // The grandchild keeps the pipe open: only killing the group ends both.
  const Result<int> id =
      processes.start(shell("trap '' TERM; sleep 60 & echo $!; while :; do sleep 0.05; done"));
  ASSERT_TRUE(id.ok());
  std::string grandchild;
  while (grandchild.empty())
    processes.poll(1000, [&](const ProcessEvent& event) { grandchild = event.line; });
  processes.stop(*id, 100);
  const Seen seen = run_all(processes);
  ASSERT_EQ(seen.exits.size(), 1u);
  EXPECT_EQ(seen.exits[0].signal, SIGKILL);
  EXPECT_TRUE(ends_soon(std::stoi(grandchild)));
}

TEST(Process, SigtermEndsAChildThatHeedsIt) {
  ProcessSet processes;
  const Result<int> id = processes.start(shell("trap 'exit 9' TERM; echo up; while :; do sleep 0.02; done"));
  ASSERT_TRUE(id.ok());
  bool up = false;
  while (!up) processes.poll(1000, [&](const ProcessEvent&) { up = true; });
  processes.stop_all(10000);
  const Seen seen = run_all(processes);
  ASSERT_EQ(seen.exits.size(), 1u);
  EXPECT_EQ(seen.exits[0].code, 9);
}

TEST(Process, AChildTakesSignalsAsThisProcessInheritedThem) {
  const auto ignored_by_child = [] {
    const Seen seen = run_one(shell("sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status"));
    return seen.out.empty() ? 0 : std::stoull(seen.out.front(), nullptr, 16);
  };
  const auto bit = [](int signal) { return 1ULL << (signal - 1); };
  const auto hangup = ::signal(SIGHUP, SIG_IGN), size = ::signal(SIGXFSZ, SIG_IGN);
  const unsigned long long nohup = ignored_by_child();
  ::signal(SIGHUP, SIG_DFL);
  const unsigned long long plain = ignored_by_child();
  ::signal(SIGHUP, hangup);
  ::signal(SIGXFSZ, size);
  EXPECT_EQ(nohup & (bit(SIGHUP) | bit(SIGPIPE) | bit(SIGXFSZ)), bit(SIGHUP));
  EXPECT_EQ(plain & (bit(SIGHUP) | bit(SIGPIPE) | bit(SIGXFSZ)), 0u);
}

TEST(Process, KeepsStdinOpenWhenAsked) {
  ProcessSet processes;
  ProcessSpec spec = shell("read a; echo got $a; read b; echo eof");
  spec.stdin_text = "x\n";
  spec.keep_stdin_open = true;
  ASSERT_TRUE(processes.start(spec).ok());
  std::vector<std::string> lines;
  while (lines.empty()) processes.poll(1000, [&](const ProcessEvent& e) { lines.push_back(e.line); });
  processes.poll(50, [&](const ProcessEvent& e) { lines.push_back(e.line); });
  EXPECT_THAT(lines, ElementsAre("got x"));
}

TEST(Process, ChildDiesWithItsParent) {
  int pipe_fds[2];
  ASSERT_EQ(::pipe(pipe_fds), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    ProcessSet processes;
    ProcessSpec spec;
    spec.argv = {"sleep", "60"};
    spec.die_with_parent = true;
    const Result<int> id = processes.start(spec);
    const pid_t child = id.ok() ? processes.pid(*id) : -1;
    ::_exit(::write(pipe_fds[1], &child, sizeof child) == sizeof child ? 0
                                                                       : 1);  // no destructor: as if killed
  }
  pid_t child = -1;
  ASSERT_EQ(::read(pipe_fds[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  ASSERT_GT(child, 0);
  ::waitpid(parent, nullptr, 0);
  EXPECT_TRUE(ends_soon(child));
}

}  // namespace
}  // namespace sxb::launch
