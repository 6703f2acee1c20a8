#include "base/process_start.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>

#include "base/output.h"
#include "base/result.h"

namespace sxb {
namespace {

/// In the order of their numbers: the lowest free one is taken. A place without /dev/null has a root.
void open_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    const bool closed = ::fcntl(fd, F_GETFD) < 0 && errno == EBADF;
    if (closed && ::open("/dev/null", O_RDWR) < 0 && ::open("/", O_RDONLY | O_DIRECTORY) < 0) return;
  }
}

/// Allocates nothing: there may be no memory.
[[noreturn]] void end_at_exception() {
  write_stderr("error: sxbench had to stop: ");
  try {
    if (const std::exception_ptr thrown = std::current_exception()) std::rethrow_exception(thrown);
    write_stderr("it was called to end itself");
  } catch (const std::exception& exception) {
    write_stderr(exception.what());
  } catch (...) {
    write_stderr("an exception of unknown type");
  }
  write_stderr("\n");
  ::_exit(static_cast<int>(ExitCode::kEnvironment));
}

}  // namespace

void prepare_process() {
  open_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  std::set_terminate(end_at_exception);
}

}  // namespace sxb
