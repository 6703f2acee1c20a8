#include "base/result.h"

#include <cstdlib>

#include "base/output.h"

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
      "check memory, disks and limits (ulimit -a); if they are well it is a bug: report it with this line",
      ExitCode::kEnvironment};
}

void panic(const char* file, int line, const char* what) {
  write_stderr("sxbench: internal error at " + std::string(file) + ":" + std::to_string(line) + ": " + what +
               "\n");
  std::abort();
}

}  // namespace sxb
