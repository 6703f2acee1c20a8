#include "cli/ui/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/clock.h"

namespace sxb::cli {
namespace {

constexpr std::int64_t kRedrawNs = 100'000'000;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::size_t columns() {
  winsize size = {};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

ExitCode report_errors(const Errors& errors) {
  fmt::print(stderr, "{}", format_errors(errors));
  return errors.front().code;
}

Terminal::Terminal() {
  moving_ = ::isatty(STDERR_FILENO) == 1 && variable("TERM") != "dumb";
  colour_ = moving_ && variable("NO_COLOR").empty();
}

std::string Terminal::paint(const std::string& text, Colour colour) const {
  if (!colour_) return text;
  const int code = colour == Colour::kGreen ? 32 : colour == Colour::kRed ? 31 : 33;
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

void Terminal::say(const std::string& line) {
  clear();
  fmt::print(stderr, "{}\n", line);
}

void Terminal::status(const std::string& line) {
  const std::int64_t now = monotonic_ns();
  if (!moving_ || (drawn_ && now - drawn_ns_ < kRedrawNs)) return;
  // One column stays free: a full last column makes some terminals wrap.
  std::size_t length = std::min(line.size(), columns() - 1);
  while (length < line.size() && length > 0 && (line[length] & 0xC0) == 0x80) --length;  // no half character
  fmt::print(stderr, "\r\x1b[K{}", line.substr(0, length));
  std::fflush(stderr);
  drawn_ = true;
  drawn_ns_ = now;
}

void Terminal::clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace sxb::cli
