#include "base/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace sxb {
namespace {

/// errno of the first write to stdout that failed.
int g_stdout_error = 0;

/// Whether a write would do something, be it to fail. A signal ends the wait: who is asked to end does not
/// wait for a reader that reads nothing.
bool takes_text(int fd, int timeout_ms) {
  pollfd wanted = {fd, POLLOUT, 0};
  return ::poll(&wanted, 1, timeout_ms) > 0;
}

/// 0, or the errno that it ended with.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    const int code = errno;
    // Descriptors are shared: somebody else may have made this one non-blocking.
    const bool again = (code == EINTR && takes_text(fd, 0)) || (code == EAGAIN && takes_text(fd, -1));
    if (!again) return code;
  }
  return 0;
}

}  // namespace

void write_stderr(std::string_view text) { (void)write_all(STDERR_FILENO, text); }

bool stderr_is_ready() { return takes_text(STDERR_FILENO, 0); }

void write_stdout(std::string_view text) {
  if (g_stdout_error == 0) g_stdout_error = write_all(STDOUT_FILENO, text);
}

int take_stdout_error() {
  const int error = std::exchange(g_stdout_error, 0);
  return error == EPIPE || error == EINTR || error == EAGAIN ? 0 : error;
}

}  // namespace sxb
