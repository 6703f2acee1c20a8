#include "launch/transport/slurm.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <regex>

#include "base/text.h"
#include "config/cluster/node_set.h"

namespace sxb::launch {
namespace {

/// The library's expressions go a step deeper for each character; no line of srun's own is that long.
constexpr std::size_t kLongestLine = 4096;

void add(std::vector<std::string>& argv, const char* option, const std::string& value) {
  if (!value.empty()) argv.push_back(fmt::format("--{}={}", option, value));
}

/// "0,2-3" as Slurm lists tasks.
std::vector<int> parse_tasks(const std::string& text) {
  std::vector<int> tasks;
  const auto names = config::expand_node_set("t[" + text + "]");
  if (!names.ok()) return tasks;
  for (const std::string& name : *names) tasks.push_back(std::stoi(name.substr(1)));
  return tasks;
}

/// strsignal(3)'s words, which srun prints for a task that a signal killed.
int signal_called(const std::string& words) {
  for (int signal = 1; signal < NSIG; ++signal) {
    const char* description = ::sigdescr_np(signal);
    if (description != nullptr && words.starts_with(description)) return signal;
  }
  return 0;
}

}  // namespace

std::vector<std::string> salloc_argv(const config::Cluster& cluster, const std::vector<std::string>& nodes) {
  const config::Slurm& slurm = cluster.slurm;
  std::vector<std::string> argv = {"salloc", "--job-name=sxbench", fmt::format("--nodes={}", nodes.size()),
                                   "--nodelist=" + join(nodes, ",")};
  add(argv, "partition", slurm.partition);
  add(argv, "account", slurm.account);
  add(argv, "qos", slurm.qos);
  add(argv, "reservation", slurm.reservation);
  add(argv, "time", slurm.time);
  argv.insert(argv.end(), slurm.salloc_options.begin(), slurm.salloc_options.end());
  // salloc gives the allocation back when its command ends; cat ends with this process.
  argv.insert(argv.end(),
              {"sh", "-c", fmt::format("echo {}$SLURM_JOB_ID; exec cat > /dev/null", kAllocationPrefix)});
  return argv;
}

std::vector<std::string> srun_argv(const config::Cluster& cluster, const std::string& job, std::size_t count,
                                   const std::vector<std::string>& command) {
  const config::Slurm& slurm = cluster.slurm;
  std::vector<std::string> argv = {
      "srun",
      "--jobid=" + job,
      fmt::format("--nodes={}", count),
      fmt::format("--ntasks={}", count),
      "--distribution=arbitrary",  // tasks in the order of SLURM_HOSTFILE
      "--overlap",                 // the shell or script of the allocation may hold a step itself
      "--mem=0",                   // all that the allocation has, and
      "--cpu-bind=none",           // all of its cores: the agent starts the ranks
      "--mpi=none",
      "--kill-on-bad-exit=0",  // the head decides when the others end
      "--wait=0",
      "--label",
  };
  add(argv, "container-image", slurm.container_image);
  add(argv, "container-mounts", join(slurm.container_mounts, ","));
  argv.insert(argv.end(), slurm.srun_options.begin(), slurm.srun_options.end());
  argv.emplace_back("--");
  argv.insert(argv.end(), command.begin(), command.end());
  return argv;
}

std::optional<SrunExit> parse_srun_exit(const std::string& line) {
  static const std::regex kPattern(R"(^srun: error: [^ ]+: tasks? ([0-9,-]+): (.*)$)");
  static const std::regex kCode(R"(^Exited with exit code ([0-9]+).*$)");
  std::smatch match;
  if (line.size() > kLongestLine || !std::regex_match(line, match, kPattern)) return std::nullopt;
  SrunExit exit;
  exit.tasks = parse_tasks(match[1]);
  const std::string how = match[2];
  if (std::smatch code; std::regex_match(how, code, kCode)) {
    const std::string digits = code[1];
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), exit.status.code);
    if (ec != std::errc()) return std::nullopt;
  } else {
    exit.status.signal = how == "Out Of Memory" ? SIGKILL : signal_called(how);
    if (exit.status.signal == 0) return std::nullopt;
  }
  return exit;
}

bool says_program_is_missing(const std::string& line) {
  // Where several slurmd share a machine it is "slurmstepd-node001: error: ".
  return line.starts_with("slurmstepd") && line.find(": error: execve(): ") != std::string::npos;
}

std::string cancelling_words(const std::vector<std::string>& srun, const std::deque<std::string>& task) {
  const auto tells = [](const std::string& line) {
    return line.find("CANCELLED AT ") != std::string::npos ||
           line.find("Out Of Memory") != std::string::npos || line.find("oom_kill") != std::string::npos ||
           line.find("oom-kill") != std::string::npos;
  };
  if (const auto line = std::find_if(srun.rbegin(), srun.rend(), tells); line != srun.rend()) return *line;
  if (const auto line = std::find_if(task.rbegin(), task.rend(), tells); line != task.rend()) return *line;
  return "";
}

std::string telling_words(const std::vector<std::string>& srun) {
  const auto tells = [](const std::string& line) {
    return !trim(line).empty() && line.find("warning: ") == std::string::npos &&
           line.find("cpu binding") == std::string::npos && !parse_srun_exit(line);
  };
  const auto line = std::find_if(srun.rbegin(), srun.rend(), tells);
  return line == srun.rend() ? "" : *line;
}

std::vector<std::string> parse_node_failure(const std::string& line) {
  static const std::regex kPattern(
      R"(^srun: error: (?:Node failure on|Lost connection to|Communication connection failure on) ([^ ]+).*$)");
  std::smatch match;
  if (line.size() > kLongestLine || !std::regex_match(line, match, kPattern)) return {};
  auto names = config::expand_node_set(match[1].str());
  return names.ok() ? std::move(names).value() : std::vector<std::string>{};
}

}  // namespace sxb::launch
