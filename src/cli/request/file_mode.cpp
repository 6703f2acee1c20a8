#include "cli/request/file_mode.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

namespace sxb::cli {
namespace {

/// Through it the agents on this machine, and those that srun starts, learn the user's umask; ssh and pdsh
/// start theirs with that of the login.
constexpr const char* kUserUmask = "SXBENCH_UMASK";

mode_t user_umask() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

}  // namespace

void limit_new_files(const launch::RunOptions& request) {
  const mode_t user = user_umask();
  ::setenv(kUserUmask, fmt::format("{:03o}", user).c_str(), 1);
  ::umask(config::run_umask(request.cluster, user));
}

void limit_new_files_as(const std::filesystem::path& run) {
  struct stat journal = {};
  if (::stat((run / "records.jsonl").c_str(), &journal) != 0) return;
  const mode_t readers = journal.st_mode & 0666;
  ::umask(user_umask() | (~(readers | (readers & 0444) >> 2) & 0777));
}

void restore_umask() {
  const char* text = std::getenv(kUserUmask);
  if (text == nullptr) return;
  const std::string_view digits = text;
  unsigned mask = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), mask, 8);
  if (error == std::errc{} && end == digits.data() + digits.size() && mask <= 0777) ::umask(mask);
  ::unsetenv(kUserUmask);
}

}  // namespace sxb::cli
