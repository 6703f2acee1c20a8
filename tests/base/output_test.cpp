#include "base/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>

#include "base/process_start.h"
#include "base/result.h"

namespace sxb {
namespace {

/// Descriptor `fd` is another while this lives; -1: closed.
class Redirected {
 public:
  Redirected(int fd, int to) : fd_(fd), before_(::dup(fd)) {
    std::signal(SIGPIPE, SIG_IGN);
    if (to < 0) {
      ::close(fd);
    } else {
      ::dup2(to, fd);
    }
  }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;
  ~Redirected() {
    ::dup2(before_, fd_);
    ::close(before_);
    (void)take_stdout_error();
  }

 private:
  int fd_, before_;
};

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(ends.data()), 0); }
  ~Pipe() {
    for (const int end : ends) ::close(end);
  }
  int reader() const { return ends[0]; }
  int writer() const { return ends[1]; }
  std::string text() const {
    char buffer[4096];
    const ssize_t n = ::read(reader(), buffer, sizeof buffer);
    return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : "";
  }
  std::array<int, 2> ends{};
};

TEST(Output, GoesWhereTheDescriptorLeads) {
  const Pipe pipe;
  {
    const Redirected out(STDOUT_FILENO, pipe.writer());
    write_stdout("a result\n");
    EXPECT_EQ(take_stdout_error(), 0);
  }
  EXPECT_EQ(pipe.text(), "a result\n");
}

TEST(Output, OfAFullDiskIsKnownOnceAndNothingFollows) {
  const int full = ::open("/dev/full", O_WRONLY);
  ASSERT_GE(full, 0);
  const Pipe pipe;
  const Redirected out(STDOUT_FILENO, full);
  write_stdout("lost\n");
  ::dup2(pipe.writer(), STDOUT_FILENO);
  write_stdout("would be a document with a hole\n");
  EXPECT_EQ(take_stdout_error(), ENOSPC);
  write_stdout("again\n");
  EXPECT_EQ(take_stdout_error(), 0);
  EXPECT_EQ(pipe.text(), "again\n");
  ::close(full);
}

TEST(Output, AClosedDescriptorIsAnErrorAndAReaderThatIsGoneIsNone) {
  {
    const Redirected out(STDOUT_FILENO, -1);
    write_stdout("lost\n");
    EXPECT_EQ(take_stdout_error(), EBADF);
  }
  Pipe pipe;
  ::close(pipe.ends[0]);
  const Redirected out(STDOUT_FILENO, pipe.writer());
  write_stdout("unwanted\n");
  EXPECT_EQ(take_stdout_error(), 0);
  pipe.ends[0] = -1;
}

TEST(Output, OnStderrIsDroppedWhereItCannotBeWritten) {
  const int full = ::open("/dev/full", O_WRONLY), nothing = ::open("/dev/null", O_RDONLY);
  Pipe pipe;
  ::close(pipe.ends[0]);
  for (const int to : {full, nothing, pipe.writer(), -1}) {
    const Redirected err(STDERR_FILENO, to);
    write_stderr("nobody sees it\n");
  }
  pipe.ends[0] = -1;
  ::close(full);
  ::close(nothing);
}

TEST(Output, IsWholeThroughADescriptorThatSomebodyMadeNonBlocking) {
  const Pipe pipe;
  ASSERT_EQ(::fcntl(pipe.writer(), F_SETFL, O_NONBLOCK), 0);
  const std::string text(1 << 20, 'x');
  std::string read;
  std::thread reader([&] {
    while (read.size() < text.size()) read += pipe.text();
  });
  {
    const Redirected out(STDOUT_FILENO, pipe.writer());
    write_stdout(text);
  }
  reader.join();
  EXPECT_EQ(read, text);
}

TEST(Output, DoesNotWaitForATerminalThatIsStopped) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_EQ(::grantpt(master), 0);
  ASSERT_EQ(::unlockpt(master), 0);
  const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
  ASSERT_GE(slave, 0);
  bool before = false, stopped = true, after = false;
  {
    const Redirected err(STDERR_FILENO, slave);
    before = stderr_is_ready();
    ::tcflow(slave, TCOOFF);
    stopped = stderr_is_ready();
    ::tcflow(slave, TCOON);
    after = stderr_is_ready();
  }
  EXPECT_TRUE(before);
  EXPECT_FALSE(stopped);
  EXPECT_TRUE(after);
  ::close(slave);
  ::close(master);
}

TEST(ProcessStart, ClosedDescriptorsAreNobodysFiles) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int fd : {0, 1, 2}) ::close(fd);
    prepare_process();
    const int opened = ::open("/proc/self/exe", O_RDONLY);
    write_stdout("a line");
    write_stderr("a line");
    char byte = 0;
    ::_exit(opened > 2 && take_stdout_error() == 0 && ::read(0, &byte, 1) == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(ProcessStart, AnExceptionOfAThreadIsOneErrorAndACodeOfOurs) {
  const Pipe pipe;
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe.writer(), STDERR_FILENO);
    prepare_process();
    std::thread([] { throw std::bad_alloc(); }).join();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(ExitCode::kEnvironment));
  EXPECT_EQ(pipe.text(), "error: sxbench had to stop: std::bad_alloc\n");
}

TEST(ProcessStart, AFileThatMayNotGrowIsAnErrorOfTheWrite) {
  const pid_t child = ::fork();
  if (child == 0) {
    prepare_process();
    std::raise(SIGXFSZ);
    std::raise(SIGPIPE);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace sxb
