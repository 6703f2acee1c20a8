// How an agent or a rank reads what it is told on stdin.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <thread>

#include "launch/node/emitter.h"
#include "launch/os/interrupt.h"

namespace sxb::launch {
namespace {

class Input : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0); }
  void TearDown() override {
    close_writer();
    ::close(ends_[0]);
  }
  void write(std::string_view text) {
    std::signal(SIGPIPE, SIG_IGN);
    while (!text.empty()) {
      const ssize_t n = ::write(ends_[1], text.data(), text.size());
      if (n < 0) return;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  std::array<int, 2> ends_{};
};

TEST_F(Input, ALineMayComeInPieces) {
  const std::string half(100'000, 'x');
  std::thread writer([&] {
    write(half);
    write(half + "\n\n\n");
  });
  const Result<InputLine> line = read_line(ends_[0], "a task");
  writer.join();
  ASSERT_TRUE(line.ok()) << line.error().what;
  EXPECT_EQ(line->text, half + half);
}

/// As the head sends them: with the task the first of the lines that the agent then misses.
TEST_F(Input, TellsOfASignOfLifeThatCameWithTheTask) {
  for (const auto& [text, more] : {std::pair("task\n", false), std::pair("task\n\n", true)}) {
    write(text);
    const Result<InputLine> line = read_line(ends_[0], "a task");
    ASSERT_TRUE(line.ok()) << line.error().what;
    EXPECT_EQ(line->text, "task");
    EXPECT_EQ(line->more, more);
  }
}

TEST_F(Input, ThatEndsEarlySaysWhatWasExpected) {
  write("half a li");
  close_writer();
  const Result<InputLine> line = read_line(ends_[0], "an agent task");
  ASSERT_FALSE(line.ok());
  EXPECT_EQ(line.error().what, "the input ended before a whole line: an agent task expected");
}

TEST_F(Input, WithoutALineIsGivenUpAtItsBound) {
  std::thread writer([&] { write(std::string(3 << 20, 'x')); });
  const Result<InputLine> line = read_line(ends_[0], "an agent task", 1 << 20);
  ::close(ends_[0]);  // or the writer waits for ever
  writer.join();
  ends_[0] = ::open("/dev/null", O_RDONLY);
  ASSERT_FALSE(line.ok());
  EXPECT_EQ(line.error().what, "the line is longer than 1 MiB: an agent task expected");
  EXPECT_EQ(line.error().code, ExitCode::kEnvironment);
}

TEST_F(Input, ThatDoesNotComeDoesNotKeepAProcessThatIsToldToEnd) {
  const pid_t child = ::fork();
  if (child == 0) {
    count_interrupts();
    ::kill(::getpid(), SIGTERM);
    const Result<InputLine> line = read_line(ends_[0], "an agent task");
    ::_exit(!line.ok() && line.error().code == ExitCode::kInterrupted ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/// In a process of its own: what `signal` does to one that has inherited `handler` and counts interrupts.
int interrupts_after(int signal, void (*handler)(int)) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(signal, handler);
    count_interrupts();
    ::kill(::getpid(), signal);
    ::_exit(interrupts());
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

TEST(Interrupts, AHangUpCountsUnlessItWasIgnoredBefore) {
  EXPECT_EQ(interrupts_after(SIGHUP, SIG_DFL), 1);
  EXPECT_EQ(interrupts_after(SIGHUP, SIG_IGN), 0) << "nohup";
  // A shell gives its jobs in the background an ignored SIGINT; whoever sends one by hand means it.
  EXPECT_EQ(interrupts_after(SIGINT, SIG_IGN), 1);
  EXPECT_EQ(interrupts_after(SIGTERM, SIG_DFL), 1);
}

}  // namespace
}  // namespace sxb::launch
