// The ears of a process: for the end of its head, the way to it, and a wall clock that is set.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <regex>

#include "base/clock.h"
#include "base/files.h"
#include "launch/node/clock_watch.h"
#include "launch/node/head_watch.h"
#include "launch/os/pause_watch.h"
#include "launch/transport/ssh_line.h"

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

TEST(PauseWatchTest, TellsOnlyOfRoundsThatCameLate) {
  PauseWatch watch;
  EXPECT_FALSE(watch.pause_until(5 * kSecond)) << "the first round";
  EXPECT_FALSE(watch.pause_until(5 * kSecond + kSecond / 5));
  EXPECT_EQ(watch.total_ns(), 0);
  EXPECT_EQ(watch.pause_until(41 * kSecond + kSecond / 5), 36 * kSecond);
  EXPECT_FALSE(watch.pause_until(41 * kSecond + kSecond / 2)) << "told once";
  EXPECT_EQ(watch.pause_until(44 * kSecond), 5 * kSecond / 2);
  EXPECT_EQ(watch.total_ns(), 77 * kSecond / 2);
  EXPECT_EQ(watch.last_end_ns(), 44 * kSecond);
  EXPECT_THAT(PauseWatch::describe("the head", 36 * kSecond).what,
              testing::HasSubstr("the head did not run for 36"));
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

/// Seconds until a watch whose stdin stays open says that the head is gone, 0 if it never does.
double seconds_until_gone(std::int64_t silence_ns, const std::function<bool()>& cut_off, bool heard = false) {
  int fds[2];
  EXPECT_EQ(::pipe(fds), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(fds[0], STDIN_FILENO);
    const std::int64_t begin = monotonic_ns(), deadline = begin + 5 * kSecond;
    const HeadWatch watch(silence_ns, 60 * kSecond, cut_off, heard);
    while (!watch.gone() && monotonic_ns() < deadline) ::usleep(1000);
    ::_exit(watch.gone() ? static_cast<int>((monotonic_ns() - begin) / (kSecond / 10)) : 0);
  }
  EXPECT_GT(child, 0);
  int status = 0;
  ::waitpid(child, &status, 0);
  ::close(fds[0]);
  ::close(fds[1]);
  return WEXITSTATUS(status) / 10.0;
}

TEST(HeadWatchTest, ALineThatStaysCutOffMeansTheSame) {
  constexpr std::int64_t kSilence = 3 * kSecond / 2;
  EXPECT_GE(seconds_until_gone(kSilence, [] { return true; }), 1.5);
  EXPECT_EQ(seconds_until_gone(kSilence, [asked = 0]() mutable { return ++asked % 2 == 1; }), 0)
      << "it comes and goes";
}

/// A table of the kernel with one connection from 198.18.0.254 port 50000 to 198.18.0.2 port 44222.
std::string table_with(const std::string& repeated, const std::string& probes) {
  return fmt::format(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 00000000:ACBE 00000000:0000 0A 00000000:00000000 00:00000000 00000007     0        3 1 1 0\n"
      "   1: 020012C6:ACBE FE0012C6:C350 01 00000240:00000000 01:00000A21 {}     0        {} 2 4 0\n",
      repeated, probes);
}

TEST(SshLineTest, IsUnansweredWhileTheKernelRepeats) {
  const auto line = SshLine::parse("198.18.0.254 50000 198.18.0.2 44222");
  ASSERT_TRUE(line);
  EXPECT_FALSE(line->unanswered(table_with("00000000", "0")));
  EXPECT_TRUE(line->unanswered(table_with("00000003", "0")));
  EXPECT_TRUE(line->unanswered(table_with("00000000", "2"))) << "the window is closed and nobody says so";
  EXPECT_FALSE(
      SshLine::parse("198.18.0.254 50001 198.18.0.2 44222")->unanswered(table_with("00000003", "0")));
  for (const char* broken :
       {"", "198.18.0.254", "a 1 b 2", "198.18.0.254 99999 198.18.0.2 22", "::1 1 1.2.3.4 2"}) {
    EXPECT_FALSE(SshLine::parse(broken)) << broken;
  }
}

/// A connection within this machine, found in the kernel's own table.
template <typename Address>
void expect_found_in(const char* table, const char* name, Address address) {
  const auto at = reinterpret_cast<sockaddr*>(&address);
  const int family = at->sa_family;
  const int server = ::socket(family, SOCK_STREAM, 0), client = ::socket(family, SOCK_STREAM, 0);
  socklen_t size = sizeof address;
  if (::bind(server, at, size) != 0) GTEST_SKIP() << "no address " << name << " here";
  ASSERT_EQ(::listen(server, 1), 0);
  ASSERT_EQ(::getsockname(server, at, &size), 0);
  const auto port = [](const auto& a) {
    std::uint16_t raw;
    std::memcpy(&raw, reinterpret_cast<const char*>(&a) + 2,
                sizeof raw);  // at the same place in both families
    return ntohs(raw);
  };
  const int server_port = port(address);
  ASSERT_EQ(::connect(client, at, sizeof address), 0);
  Address own{};
  ASSERT_EQ(::getsockname(client, reinterpret_cast<sockaddr*>(&own), &size), 0);
  const auto line = SshLine::parse(fmt::format("{1} {0} {1} {2}", port(own), name, server_port));
  ASSERT_TRUE(line);
  const std::string text = *read_file(table);
  EXPECT_FALSE(line->unanswered());
  const std::regex timer(R"( ([0-9A-F]{2}:[0-9A-F]{8}) 00000000 )");
  EXPECT_TRUE(line->unanswered(std::regex_replace(text, timer, " $1 00000002 "))) << text;
  for (const int fd : {server, client}) ::close(fd);
}

TEST(SshLineTest, KnowsItsConnectionInTheKernelsTable) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  expect_found_in("/proc/net/tcp", "127.0.0.1", v4);
}

TEST(SshLineTest, KnowsItsIpv6ConnectionInTheKernelsTable) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  expect_found_in("/proc/net/tcp6", "::1", v6);
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

/// Cut off right after its start: the one line of the head came with the task.
TEST(HeadWatchTest, AHeadThatWasHeardBeforeMayNotFallSilent) {
  EXPECT_GE(seconds_until_gone(kSecond / 2, {}, true), 0.5);
  EXPECT_EQ(seconds_until_gone(kSecond / 2, {}, false), 0);
}

}  // namespace
}  // namespace sxb::launch
