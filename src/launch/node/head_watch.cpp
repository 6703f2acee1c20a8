#include "launch/node/head_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "base/result.h"

namespace sxb::launch {
namespace {

/// How often it looks around: the way to the head, and whether this process itself was away.
constexpr int kAskMs = 500;

/// For poll(): rounded up, so that it does not return just before.
int milliseconds_until(std::int64_t deadline_ns) {
  const std::int64_t left_ms = (deadline_ns - monotonic_ns()) / 1'000'000 + 1;
  return static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, 60'000));
}

}  // namespace

HeadWatch::HeadWatch(std::int64_t silence_ns, std::int64_t force_ns, std::function<bool()> cut_off,
                     bool heard)
    : cut_off_(std::move(cut_off)),
      answered_ns_(monotonic_ns()),
      stop_fd_(::eventfd(0, EFD_CLOEXEC)),
      thread_([=, this] { watch(silence_ns, force_ns, heard); }) {}

HeadWatch::~HeadWatch() {
  const std::uint64_t one = 1;
  if (::write(stop_fd_, &one, sizeof one) != sizeof one) panic(__FILE__, __LINE__, "an eventfd takes a 1");
  thread_.join();
  ::close(stop_fd_);
}

bool HeadWatch::is_cut_off(std::int64_t silence_ns) {
  const std::int64_t now = monotonic_ns();
  if (!cut_off_ || !cut_off_()) answered_ns_ = now;
  return now - answered_ns_ >= silence_ns;
}

void HeadWatch::watch(std::int64_t silence_ns, std::int64_t force_ns, bool heard) {
  // 0: it has sent nothing yet, and perhaps never will.
  std::int64_t give_up_ns = heard ? monotonic_ns() + silence_ns : 0;
  while (!gone_) {
    pollfd fds[] = {{stop_fd_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    int wait_ms = give_up_ns == 0 ? kAskMs : std::min(kAskMs, milliseconds_until(give_up_ns));
    const int ready = ::poll(fds, 2, wait_ms);
    if (const auto away = pauses_.pause()) {  // the head's signs of life may lie unread
      if (give_up_ns != 0) give_up_ns += *away;
      answered_ns_ = monotonic_ns();
    }
    if (ready > 0 && fds[0].revents != 0) return;
    if (ready > 0) {
      char bytes[256];
      const ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
      gone_ = n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
      if (n > 0) give_up_ns = monotonic_ns() + silence_ns;
    } else if ((give_up_ns != 0 && monotonic_ns() >= give_up_ns) || is_cut_off(silence_ns)) {
      gone_ = true;
    }
  }
  const std::int64_t deadline = monotonic_ns() + force_ns;
  while (true) {
    pollfd stop = {stop_fd_, POLLIN, 0};
    if (::poll(&stop, 1, milliseconds_until(deadline)) > 0) return;
    if (monotonic_ns() >= deadline) ::_exit(static_cast<int>(ExitCode::kInterrupted));
  }
}

}  // namespace sxb::launch
