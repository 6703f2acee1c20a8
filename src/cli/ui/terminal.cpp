#include "cli/ui/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/output.h"
#include "base/text.h"

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

void write_out(std::string text) { write_stdout(printable(std::move(text))); }

void write_err(std::string text) { write_stderr(printable(std::move(text))); }

void print_path(const std::string& path) {
  write_stdout((::isatty(STDOUT_FILENO) == 1 ? printable_line(path) : path) + "\n");
}

ExitCode with_output_written(ExitCode code) {
  const int error = take_stdout_error();
  if (error == 0) return code;
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  write_err(format_error({fmt::format("cannot write to standard output: {}", std::strerror(error)), "",
                          full ? "free space there, or send it elsewhere" : "send it elsewhere",
                          ExitCode::kEnvironment}));
  return code == ExitCode::kOk || code == ExitCode::kGoalMissed ? ExitCode::kEnvironment : code;
}

void forgive_lost_output() {
  const int error = take_stdout_error();
  if (error == 0) return;
  print_err("warning: standard output could not be written: {}; what was measured is in the run folder\n",
            std::strerror(error));
}

std::string indented(std::string_view text) {
  return fmt::format("{}", fmt::join(split(text, '\n'), "\n      "));
}

ExitCode report_errors(const Errors& errors) {
  write_err(format_errors(errors));
  return errors.front().code;
}

Terminal::Terminal() {
  moving_ = ::isatty(STDERR_FILENO) == 1 && variable("TERM") != "dumb";
  colour_ = moving_ && variable("NO_COLOR").empty();
}

std::string Terminal::paint(const Painted& painted) const {
  const std::string word = printable(painted.word);
  if (!colour_ || word.empty()) return word;
  const int code = painted.colour == Colour::kGreen ? 32 : painted.colour == Colour::kRed ? 31 : 33;
  return fmt::format("\x1b[{}m{}\x1b[0m", code, word);
}

void Terminal::say(const std::string& before, const Painted& painted, const std::string& after) {
  clear();
  write_stderr(printable(before) + paint(painted) + printable(after) + "\n");
}

void Terminal::status(const std::string& text) {
  const std::int64_t now = monotonic_ns();
  if (!moving_ || (drawn_ && now - drawn_ns_ < kRedrawNs) || !stderr_is_ready()) return;
  const std::string line = printable_line(text);
  // One column stays free: a full last column makes some terminals wrap.
  std::size_t length = std::min(line.size(), columns() - 1);
  while (length < line.size() && length > 0 && (line[length] & 0xC0) == 0x80) --length;  // no half character
  write_stderr("\r\x1b[K" + line.substr(0, length));
  drawn_ = true;
  drawn_ns_ = now;
}

void Terminal::clear() {
  if (!drawn_) return;
  write_stderr("\r\x1b[K");
  drawn_ = false;
}

}  // namespace sxb::cli
