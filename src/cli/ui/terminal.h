// Talk on stderr: colour and a moving status line on a terminal, plain lines on a pipe.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace sxb::cli {

enum class Colour { kGreen, kRed, kYellow };

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
  std::string paint(const std::string& text, Colour colour) const;
  /// A line that stays; the status line moves below it.
  void say(const std::string& line);
  /// Redraws the status line, at most ten times a second; nothing on a pipe.
  void status(const std::string& line);
  void clear();

 private:
  bool moving_ = false, colour_ = false, drawn_ = false;
  std::int64_t drawn_ns_ = 0;
};

}  // namespace sxb::cli
