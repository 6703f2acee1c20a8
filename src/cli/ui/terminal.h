// The one place where text leaves for the user. On stderr colour and a moving status line on a terminal,
// plain lines on a pipe. Names, messages and log lines come from nodes and files: nothing of them that a
// terminal obeys gets through (printable() in base/text.h). What cannot be written there is dropped; what
// stdout did not take is known at the end (base/output.h).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace sxb::cli {

enum class Colour { kGreen, kRed, kYellow };

/// On stdout and stderr, as printable() has it.
void write_out(std::string text);
void write_err(std::string text);

template <typename... T>
void print_out(fmt::format_string<T...> format, T&&... values) {
  write_out(fmt::format(format, std::forward<T>(values)...));
}
template <typename... T>
void print_err(fmt::format_string<T...> format, T&&... values) {
  write_err(fmt::format(format, std::forward<T>(values)...));
}

/// A path as a line of stdout: on a terminal printable, else byte by byte as the file system has it, for
/// scripts.
void print_path(const std::string& path);

/// Of a verb whose output is its result: a result that could not be written is an error, told on stderr, and
/// kEnvironment instead of `code`, unless that is an error of its own.
ExitCode with_output_written(ExitCode code);

/// Of a verb that does more than to print: says on stderr what stdout has lost, which is no error then.
void forgive_lost_output();

/// Text of several lines below a line: what a node says does not look like a line of sxbench.
std::string indented(std::string_view text);

/// Prints the errors on stderr, all of them; the exit code is that of the first.
ExitCode report_errors(const Errors& errors);

class Terminal {
 public:
  /// Colour if stderr is a terminal, TERM is not "dumb" and NO_COLOR is empty.
  Terminal();
  ~Terminal() { clear(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  bool moving() const { return moving_; }
  /// A line that stays; the status line moves below it.
  void say(const std::string& line) { say("", {}, line); }
  /// A line with a word in colour.
  struct Painted {
    std::string word;
    Colour colour = Colour::kGreen;
  };
  void say(const std::string& before, const Painted& painted, const std::string& after);
  /// Redraws the status line, at most ten times a second; nothing on a pipe, nor on a terminal that is
  /// stopped (Ctrl-S): the run must not wait for it.
  void status(const std::string& text);
  void clear();

 private:
  std::string paint(const Painted& painted) const;

  bool moving_ = false, colour_ = false, drawn_ = false;
  std::int64_t drawn_ns_ = 0;
};

}  // namespace sxb::cli
