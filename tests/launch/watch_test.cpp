// The two ears of a process: for the end of its head, and for a wall clock that is set.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "launch/clock_watch.h"
#include "launch/head_watch.h"
#include "sxbench/base/clock.h"

namespace sxb::launch {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(ClockWatchTest, TellsOnlyWhatSomebodySet) {
  ClockWatch watch;
  EXPECT_FALSE(watch.jump(5 * kSecond, 1000 * kSecond));
  EXPECT_FALSE(watch.jump(500 * kSecond, 1495 * kSecond)) << "time went by";
  EXPECT_FALSE(watch.jump(600 * kSecond, 1595 * kSecond + kSecond / 20)) << "NTP slews";
  EXPECT_EQ(watch.jump(601 * kSecond, 1586 * kSecond + kSecond / 20), -10 * kSecond);
  EXPECT_FALSE(watch.jump(602 * kSecond, 1587 * kSecond + kSecond / 20)) << "told once";
  EXPECT_EQ(ClockWatch::describe("node n1", -10 * kSecond).what,
            "the wall clock of node n1 jumped by -10.0 s");
}

/// Runs a child whose stdin is a pipe that the parent closes after it has written `text`.
template <typename Body>
int exit_code_of(Body body) {
  int fds[2];
  EXPECT_EQ(::pipe(fds), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(fds[0], STDIN_FILENO);
    ::close(fds[0]);
    ::close(fds[1]);
    ::_exit(body());
  }
  EXPECT_GT(child, 0);
  ::close(fds[0]);
  EXPECT_EQ(::write(fds[1], "line\n", 5), 5);
  ::close(fds[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(HeadWatchTest, HearsTheEndOfTheHead) {
  const int code = exit_code_of([] {
    const HeadWatch watch(60 * kSecond, 60 * kSecond);
    const std::int64_t deadline = monotonic_ns() + 20 * kSecond;
    while (!watch.gone() && monotonic_ns() < deadline) ::usleep(1000);
    return watch.gone() ? 7 : 8;
  });
  EXPECT_EQ(code, 7);
}

TEST(HeadWatchTest, EndsAProcessThatDoesNotEndItself) {
  const int code = exit_code_of([] {
    const HeadWatch watch(60 * kSecond, kSecond / 5);
    ::sleep(60);  // as one that writes a dataset
    return 8;
  });
  EXPECT_EQ(code, static_cast<int>(ExitCode::kInterrupted));
}

TEST(HeadWatchTest, EndsWithItsAgentWhileTheHeadLives) {
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(fds[0], STDIN_FILENO);
    { const HeadWatch watch(60 * kSecond, 60 * kSecond); }
    ::_exit(7);
  }
  ASSERT_GT(child, 0);
  int status = 0;
  ::waitpid(child, &status, 0);  // the write end is still open
  EXPECT_EQ(WEXITSTATUS(status), 7);
  ::close(fds[0]);
  ::close(fds[1]);
}

TEST(HeadWatchTest, AHeadThatFallsSilentIsGoneThoughStdinIsOpen) {
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(fds[0], STDIN_FILENO);
    const HeadWatch watch(kSecond / 5, 60 * kSecond);
    ::usleep(400'000);
    if (watch.gone()) ::_exit(8);  // it has never said that it would send anything
    (void)!::write(fds[1], "\n", 1);
    const std::int64_t deadline = monotonic_ns() + 20 * kSecond;
    while (!watch.gone() && monotonic_ns() < deadline) ::usleep(1000);
    ::_exit(watch.gone() ? 7 : 9);
  }
  ASSERT_GT(child, 0);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  ::close(fds[0]);
  ::close(fds[1]);
}

}  // namespace
}  // namespace sxb::launch
