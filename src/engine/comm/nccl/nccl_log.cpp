#include "engine/comm/nccl/nccl_log.h"

#include <nccl.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

// Reads NCCL_DEBUG and the variables beside it again. Not a promised part of NCCL's interface, so a
// library without it must still load; then there is no log to read.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
extern "C" __attribute__((weak)) void ncclResetDebugInit();

namespace sxb::engine::comm {
namespace {

constexpr const char* kLevel = "NCCL_DEBUG";
constexpr const char* kSubsystems = "NCCL_DEBUG_SUBSYS";
constexpr const char* kFile = "NCCL_DEBUG_FILE";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Level of the user, before this program changed it; "?" if the log is his.
const std::string& users_level() {
  static const std::string level = [] {
    const std::string set = variable(kLevel);
    const bool quiet = set.empty() || set == "VERSION" || set == "WARN";
    return quiet && variable(kFile).empty() && variable(kSubsystems).empty() ? set : std::string("?");
  }();
  return level;
}

void restart_log(const std::string& level, const std::string& subsystems, const std::string& file) {
  // The names stay in the environment, because taking one out of it moves the others under the threads of
  // NCCL that read it. An empty file name is as none; an empty level or list of subsystems is not.
  setenv(kLevel, level.c_str(), 1);
  setenv(kSubsystems, subsystems.c_str(), 1);
  setenv(kFile, file.c_str(), 1);
  ncclResetDebugInit();
}

std::string read_all(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The word after `before`, up to one of `ends`; "" if the line does not have it.
std::string_view word_after(std::string_view line, std::string_view before, std::string_view ends) {
  const auto at = line.find(before);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = line.substr(at + before.size());
  return rest.substr(0, rest.find_first_of(ends));
}

template <typename F>
void for_each_line(const std::string& text, F&& f) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) f(std::string_view(line));
}

int number(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

Transports parse_transports(const std::string& log) {
  Transports found;
  bool host_copy = false;
  for_each_line(log, [&](std::string_view line) {
    if (line.find("Channel ") != std::string_view::npos) {
      // "Channel 00/0 : 0[0] -> 8[0] [send] via NET/IB/0/GDRDMA"; "Channel 03 : 0[0] -> 1[1] via
      // SHM/direct/direct"
      const std::string_view net = word_after(line, " via NET/", "/");
      if (!net.empty()) {
        found.net = net;
        if (line.find("/GDRDMA") == std::string_view::npos) host_copy = true;
      }
      if (line.find(" via SHM/") != std::string_view::npos) found.shared_memory = true;
    }
    // "Pattern 4, crossNic 0, nChannels 16, bw 20.000000/20.000000, type NVL/PIX, sameChannels 1": the
    // first pattern is the ring; a node without a peer has LOC.
    if (found.intra_node.empty() && line.find("Pattern ") != std::string_view::npos) {
      found.intra_node = word_after(line, ", type ", "/");
    }
  });
  found.gpu_direct = !found.net.empty() && !host_copy;
  return found;
}

Choice parse_choice(const std::string& log) {
  Choice choice;
  for_each_line(log, [&](std::string_view line) {
    if (!choice.algorithm.empty() || line.find(" Bytes -> ") == std::string_view::npos) return;
    if (line.find("[Symmetric]") != std::string_view::npos) {
      // "AllReduce [Symmetric]: 1048576 Bytes -> Kernel AllReduce_AGxLL_R nchannels 8 nthreads 512 nWorks 1"
      choice.algorithm = "SYMMETRIC";
      choice.protocol = word_after(line, "-> Kernel ", " ");
      choice.channels = number(word_after(line, " nchannels ", " "));
      return;
    }
    // "AllReduce: 1048576 Bytes -> Algo RING proto SIMPLE channel{Lo..Hi}={0..15}"
    choice.algorithm = word_after(line, "-> Algo ", " ");
    choice.protocol = word_after(line, " proto ", " ");
    const std::string_view range = word_after(line, "channel{Lo..Hi}={", "}");
    const auto dots = range.find("..");
    if (dots == std::string_view::npos) return;
    choice.channels = number(range.substr(dots + 2)) - number(range.substr(0, dots)) + 1;
  });
  return choice;
}

NcclLog::NcclLog(const char* subsystems) {
  if (users_level() == "?" || ncclResetDebugInit == nullptr) return;
  const char* folder = std::getenv("TMPDIR");
  std::string path =
      std::string(folder == nullptr || *folder == '\0' ? "/tmp" : folder) + "/sxbench-nccl-XXXXXX";
  const int fd = mkstemp(path.data());
  if (fd < 0) return;  // without room for the log the facts that it holds are missing, no more
  close(fd);
  path_ = path;
  restart_log("INFO", subsystems, path_);
}

NcclLog::~NcclLog() {
  if (path_.empty()) return;
  const std::string log = text();
  restart_log(users_level().empty() ? "WARN" : users_level(), "INIT,BOOTSTRAP,ENV", "");
  unlink(path_.c_str());
  for_each_line(log, [](std::string_view line) {
    if (line.find("NCCL WARN") == std::string_view::npos) return;
    std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
  });
}

std::string NcclLog::text() const { return path_.empty() ? "" : read_all(path_); }

}  // namespace sxb::engine::comm
#pragma GCC diagnostic pop
