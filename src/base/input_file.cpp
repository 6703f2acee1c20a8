#include "base/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/clock.h"
#include "base/units.h"

namespace sxb {
namespace fs = std::filesystem;
namespace {

/// A named pipe that nobody opens for writing; a script may start its writer just after sxbench.
constexpr std::int64_t kNoWriter_ns = 1'000'000'000;
constexpr int kLookAgain_ms = 10;
/// Of somebody who writes to a pipe: a command in "<(...)" may reach for another machine first.
constexpr int kSilence_ms = 60'000;
/// Of what is neither a regular file nor bounded by the caller.
constexpr std::int64_t kMostOfDevice = std::int64_t{1} << 30;

Error unreadable(const fs::path& path, const std::string& why,
                 const std::string& help = "name a file that is there and that you may read") {
  return Error{"cannot read the file: " + why, path.string(), help};
}

class InputFile {
 public:
  InputFile(const fs::path& path, std::int64_t most)
      // A pipe without a writer would keep open() from ending; a terminal is not to become ours.
      : path_(path), most_(most), fd_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)) {}
  ~InputFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  Result<std::string> read() {
    if (fd_ < 0) return unreadable(path_, std::strerror(errno));
    if (::fstat(fd_, &info_) != 0) return failed(errno);
    if (S_ISDIR(info_.st_mode))
      return Error{"this is a folder, a file was expected", path_.string(), "name a file"};
    if (!S_ISREG(info_.st_mode)) most_ = std::min(most_, kMostOfDevice);
    if (info_.st_size > most_) return too_large();
    std::string content;
    content.reserve(static_cast<std::size_t>(S_ISREG(info_.st_mode) ? info_.st_size : 0));
    std::vector<char> piece(std::size_t{1} << 18);
    bool writer_has_gone = false;
    while (true) {
      const ssize_t n = ::read(fd_, piece.data(), piece.size());
      if (n > 0) {
        content.append(piece.data(), static_cast<std::size_t>(n));
        if (static_cast<std::int64_t>(content.size()) > most_) return too_large();
      } else if (n == 0) {
        if (!content.empty() || !S_ISFIFO(info_.st_mode) || writer_has_gone) return content;
        writer_has_gone = was_written_to();  // what it wrote since the read above is still there
        if (!writer_has_gone && monotonic_ns() - began_ > kNoWriter_ns)
          return unreadable(path_, "nobody writes to this pipe", "name a file, or start what writes to it");
      } else if (errno == EAGAIN) {
        if (!wait_for_more()) {
          return unreadable(path_, fmt::format("nothing has come for {} s", kSilence_ms / 1000),
                            "write what is to come to a file, and name that");
        }
      } else if (errno != EINTR) {
        return failed(errno);
      }
    }
  }

 private:
  Error failed(int code) const {
    return Error{fmt::format("cannot read the file: {}", std::strerror(code)), path_.string(), "",
                 ExitCode::kEnvironment};
  }

  Error too_large() const {
    const char* what = S_ISREG(info_.st_mode) || S_ISFIFO(info_.st_mode) ? "" : ", and no regular file";
    return unreadable(path_, fmt::format("it has more than {}{}", format_bytes(most_), what),
                      "name the file that is meant: nothing that sxbench reads here is as large");
  }

  /// Whether a writer has come and gone; waits a moment if none has come yet.
  bool was_written_to() const {
    pollfd wait = {fd_, 0, 0};
    return ::poll(&wait, 1, kLookAgain_ms) > 0 && (wait.revents & POLLHUP) != 0;
  }

  /// A person at a terminal may take any time.
  bool wait_for_more() const {
    pollfd wait = {fd_, POLLIN, 0};
    int ready = 0;
    do {
      ready = ::poll(&wait, 1, ::isatty(fd_) != 0 ? -1 : kSilence_ms);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
  }

  fs::path path_;
  std::int64_t most_;
  int fd_;
  struct stat info_ = {};
  std::int64_t began_ = monotonic_ns();
};

}  // namespace

Result<std::string> read_input(const fs::path& path, std::int64_t most_bytes) {
  return InputFile(path, most_bytes).read();
}

}  // namespace sxb
