#include "launch/node/evidence.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "base/clock.h"

namespace sxb::launch {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// A server on a free loopback port that takes one connection.
class Server {
 public:
  explicit Server(std::function<void(int)> serve) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_, 1), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    address_ = fmt::format("127.0.0.1:{}", ntohs(address.sin_port));
    thread_ = std::thread([this, serve = std::move(serve)] {
      const int peer = ::accept(fd_, nullptr, nullptr);
      if (peer < 0) return;
      serve(peer);
      ::close(peer);
    });
  }
  ~Server() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::string address_;

 private:
  int fd_;
  std::thread thread_;
};

std::string line_of(int fd) {
  std::string line;
  char c = 0;
  while (::read(fd, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

void say(int fd, const std::string& text) {
  EXPECT_EQ(::write(fd, text.data(), text.size()), ssize_t(text.size()));
}

TEST(NcclRas, SpeaksTheProtocolOfNcclras) {
  std::vector<std::string> heard;
  std::string answer;
  {
    const Server server([&](int fd) {
      heard.push_back(line_of(fd));
      say(fd, "SERVER PROTOCOL 2\n");
      heard.push_back(line_of(fd));
      say(fd, "OK\n");
      heard.push_back(line_of(fd));
      say(fd, "Job summary\n");
      say(fd, "  MISMATCH: rank 3 has launched fewer collectives\n");
    });
    const Result<std::string> ras = ask_nccl_ras(server.address_, 4'000'000'000);
    ASSERT_TRUE(ras.ok()) << format_errors(ras.errors());
    answer = *ras;
  }
  EXPECT_THAT(heard, ::testing::ElementsAre("CLIENT PROTOCOL 2", "TIMEOUT 2", "VERBOSE STATUS"));
  EXPECT_EQ(answer, "Job summary\n  MISMATCH: rank 3 has launched fewer collectives\n");
}

TEST(NcclRas, AServiceThatDoesNotAnswerIsLeftInTime) {
  const Server server([](int fd) {
    char byte = 0;
    while (::read(fd, &byte, 1) == 1) {
    }
  });
  const std::int64_t began = monotonic_ns();
  const Result<std::string> ras = ask_nccl_ras(server.address_, 300'000'000);
  ASSERT_FALSE(ras.ok());
  EXPECT_THAT(ras.error().what, HasSubstr("did not answer in time"));
  EXPECT_LT(monotonic_ns() - began, 5'000'000'000);
}

TEST(NcclRas, OfAnAnswerThatStopsInTheMiddleTheFirstHalfIsEvidence) {
  const Server server([](int fd) {
    line_of(fd);
    say(fd, "SERVER PROTOCOL 2\n");
    line_of(fd);
    say(fd, "OK\n");
    line_of(fd);
    say(fd, "Job summary\n  MISSING: rank 3\n  half a li");
    char byte = 0;
    while (::read(fd, &byte, 1) == 1) {
    }
  });
  const Result<std::string> ras = ask_nccl_ras(server.address_, 700'000'000);
  ASSERT_TRUE(ras.ok()) << format_errors(ras.errors());
  EXPECT_THAT(*ras,
              ::testing::StartsWith("Job summary\n  MISSING: rank 3\n  half a li\n(the rest is missing: "));
  EXPECT_THAT(*ras, HasSubstr("did not answer in time"));
}

TEST(NcclRas, SomethingElseOnThatPortIsNoAnswer) {
  const Server server([](int fd) { say(fd, "220 mail.example.org ESMTP\n"); });
  const Result<std::string> ras = ask_nccl_ras(server.address_, 2'000'000'000);
  ASSERT_FALSE(ras.ok());
  EXPECT_THAT(ras.error().what, HasSubstr("no RAS service"));
}

TEST(NcclRas, NoServiceIsSaidToBeUnavailable) {
  std::string address;
  {
    address = Server([](int) {}).address_;
  }  // nobody listens there any more
  const Result<std::string> ras = ask_nccl_ras(address, 2'000'000'000);
  ASSERT_FALSE(ras.ok());
  EXPECT_THAT(ras.error().what, HasSubstr("Connection refused"));
  EXPECT_EQ(ras.error().where, address);
}

TEST(DescribeProcess, TellsStateAndKernelStack) {
  std::string pattern = (fs::temp_directory_path() / "sxb-proc-XXXXXX").string();
  const fs::path proc = ::mkdtemp(pattern.data());
  fs::create_directory(proc / "7");
  std::ofstream(proc / "7" / "status") << "Name:\tsxbench\nState:\tD (disk sleep)\nThreads:\t12\n";
  std::ofstream(proc / "7" / "wchan") << "nfs_wait";
  std::ofstream(proc / "7" / "stack") << "[<0>] nfs_wait+0x1/0x2\n[<0>] vfs_read+0x3/0x4\n";
  EXPECT_EQ(describe_process(7, proc),
            "state D (disk sleep), waits in nfs_wait, 12 threads; kernel stack: nfs_wait < vfs_read");
  EXPECT_EQ(describe_process(8, proc), "gone");
  fs::remove_all(proc);
}

TEST(DescribeProcess, ReadsTheRealProc) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  ASSERT_GT(child, 0);
  ASSERT_EQ(::kill(child, SIGSTOP), 0);
  int status = 0;
  ::waitpid(child, &status, WUNTRACED);
  EXPECT_THAT(describe_process(child), AllOf(HasSubstr("state T (stopped)"), HasSubstr("1 thread")));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ::waitpid(child, &status, 0);
}

}  // namespace
}  // namespace sxb::launch
