// What reaches a terminal of text that came from outside.
#include "cli/ui/terminal.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>

#include "base/json.h"
#include "base/text.h"
#include "cli/ui/progress.h"
#include "launch/head/step_line.h"

namespace sxb::cli {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

/// Sets a title, clears the screen, turns the line, in four encodings of control characters.
constexpr const char* kHostile =
    "\x1b]0;title\x07\x1b[2J \u009b31m \x9b"
    "31m \u202egnp.exe";
constexpr const char* kShown = "\\x1b]0;title\\x07\\x1b[2J \\u009b31m \\x9b31m \\u202egnp.exe";

/// Stderr is a terminal of 60 columns while this lives.
class TerminalOnStderr {
 public:
  TerminalOnStderr() {
    master_ = ::posix_openpt(O_RDWR | O_NOCTTY);
    ::grantpt(master_);
    ::unlockpt(master_);
    const int slave = ::open(::ptsname(master_), O_RDWR | O_NOCTTY);
    before_ = ::dup(STDERR_FILENO);
    ::dup2(slave, STDERR_FILENO);
    ::close(slave);
    ::setenv("TERM", "xterm", 1);
    ::unsetenv("NO_COLOR");
  }
  TerminalOnStderr(const TerminalOnStderr&) = delete;
  TerminalOnStderr& operator=(const TerminalOnStderr&) = delete;
  ~TerminalOnStderr() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    ::close(master_);
  }

  /// What was written so far; there is some.
  std::string seen() const {
    std::fflush(stderr);
    char buffer[8192];
    const ssize_t bytes = ::read(master_, buffer, sizeof buffer);
    return bytes > 0 ? std::string(buffer, static_cast<std::size_t>(bytes)) : "";
  }

 private:
  int master_ = -1, before_ = -1;
};

TEST(TerminalText, OwnColoursStayAndForeignOnesAreShown) {
  const TerminalOnStderr screen;
  Terminal terminal;
  ASSERT_TRUE(terminal.moving());
  terminal.say(std::string("node ") + kHostile + " ", {"failed", Colour::kRed}, std::string("  ") + kHostile);
  const std::string seen = screen.seen();
  EXPECT_THAT(seen, HasSubstr("\x1b[31mfailed\x1b[0m"));
  EXPECT_THAT(seen, AllOf(StartsWith(std::string("node ") + kShown), HasSubstr(std::string("  ") + kShown)));
  EXPECT_EQ(seen.find('\x1b'), seen.rfind("\x1b[31m")) << "no escape sequence but the own ones";
}

TEST(TerminalText, AWordInColourCannotEndItsColour) {
  const TerminalOnStderr screen;
  Terminal terminal;
  terminal.say("", {"ok\x1b[0m\x1b[2J", Colour::kGreen}, "");
  EXPECT_THAT(screen.seen(), StartsWith("\x1b[32mok\\x1b[0m\\x1b[2J\x1b[0m"));
}

TEST(TerminalText, TheMovingLineStaysOneLine) {
  const TerminalOnStderr screen;
  Terminal terminal;
  terminal.status("1 of 2\n[2/2] sft ok\t\x1b[A");
  EXPECT_EQ(screen.seen(), "\r\x1b[K1 of 2\\n[2/2] sft ok\\t\\x1b[A");
}

TEST(TerminalText, FindingsAndReasonsOfNodesAreShownBelowTheirLine) {
  CaptureStderr();
  {
    Progress progress;
    plan::Task task;
    task.id = "a";
    record::Record finding = {record::kind::kFinding, "a", "n0", 0, 0, 0, {}};
    finding.data = {
        {"severity", "warning"}, {"code", "x"}, {"message", "hot\n[1/1] sft ok\x1b[2J"}, {"help", ""}};
    progress.record(task, finding);
    launch::TaskOutcome outcome;
    outcome.status = "failed";
    outcome.code = ExitCode::kTaskFailed;
    outcome.reason = std::string("node\n[1/1] sft ok ") + kHostile;
    progress.task_ended(task, outcome);
  }
  const std::string seen = GetCapturedStderr();
  EXPECT_THAT(seen, HasSubstr("warning: hot\n      [1/1] sft ok\\x1b[2J\n"));
  EXPECT_THAT(seen, HasSubstr(std::string("\n      node\n      [1/1] sft ok ") + kShown));
  EXPECT_EQ(seen.find('\x1b'), std::string::npos);
}

TEST(TerminalText, JsonKeepsItsValues) {
  const Json value = {{"reason", "a\x7f \u009b31m \u202e \x1b[2J µ"}};
  CaptureStdout();
  print_out("{}\n", dump(value));
  const std::string line = GetCapturedStdout();
  EXPECT_EQ(printable_line(std::string(trim(line))), trim(line)) << "nothing that a terminal obeys";
  const Result<Json> read = parse_json(line, "stdout");
  ASSERT_TRUE(read.ok()) << line;
  EXPECT_EQ(*read, value);
}

TEST(TerminalText, ErrorsAndTablesAreShown) {
  CaptureStdout();
  CaptureStderr();
  print_out("{:<6}|\n", std::string("\x1b[2J"));
  EXPECT_EQ(report_errors({{std::string("no ") + kHostile, "f\x1b", "h\xe9", ExitCode::kEnvironment}}),
            ExitCode::kEnvironment);
  EXPECT_EQ(GetCapturedStdout(), "\\x1b[2J  |\n");
  EXPECT_EQ(GetCapturedStderr(), std::string("error: no ") + kShown + "\n  --> f\\x1b\nhelp: h\\xe9\n");
}

TEST(TerminalText, APathIsWholeForAScript) {
  CaptureStdout();
  print_path("r\xe9sultats\x1b/report.md");
  EXPECT_EQ(GetCapturedStdout(), "r\xe9sultats\x1b/report.md\n");
}

TEST(StepLine, StaysShortWhateverANodeSends) {
  record::Step step;
  step.step = 3;
  step.loss = -1e308;
  step.lr = 1e308;
  step.tokens_per_s = 1e308;
  step.mfu = 1e300;
  step.memory_bytes = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(launch::step_line(step, 9),
            "step 3/9  loss -1.000e+308  lr 1.00e+308  1.000e+308 tokens/s  MFU 1.000e+302 %  -8 EiB");
}

}  // namespace
}  // namespace sxb::cli
