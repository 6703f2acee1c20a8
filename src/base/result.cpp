#include "base/result.h"

#include <cstdio>

namespace sxb {

std::string format_error(const Error& error) {
  std::string text = "error: " + error.what + "\n";
  if (!error.where.empty()) text += "  --> " + error.where + "\n";
  if (!error.help.empty()) text += "help: " + error.help + "\n";
  return text;
}

std::string format_errors(const Errors& errors) {
  std::string text;
  for (const Error& error : errors) text += format_error(error);
  return text;
}

Error unexpected(const std::exception& exception) {
  return {
      std::string("sxbench had to stop: ") + exception.what(), "",
      "check memory, disks and where its output goes; if they are well it is a bug: report it with this line",
      ExitCode::kEnvironment};
}

void panic(const char* file, int line, const char* what) {
  std::fprintf(stderr, "sxbench: internal error at %s:%d: %s\n", file, line, what);
  std::abort();
}

}  // namespace sxb
