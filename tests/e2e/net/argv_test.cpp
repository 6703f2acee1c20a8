// What other users of head and nodes can see of a run: command lines and environments of its processes.
#include <algorithm>
#include <set>

#include "e2e/faults.h"
#include "e2e/net/net_cluster.h"
#include "launch/transport/bundle.h"

namespace sxb::e2e {
namespace {

/// The words of a file of /proc, which ends each with a NUL; none of a process that is gone.
std::vector<std::string> words_of(const fs::path& path) {
  const Result<std::string> text = read_file(path);
  return text.ok() ? split(*text, '\0') : std::vector<std::string>();
}

/// What a scan of all processes of this machine, those in the namespaces of the nodes among them, saw.
struct Sight {
  std::set<std::string> leaks;  ///< "SECRET in cmdline of PROGRAM ..."
  std::set<std::string> keys;   ///< ids under which agents of ranks with the secrets had keys: over pdsh
  int agents = 0, ranks_with_env = 0;
};

/// The id of an agent's key; "" for one that needs none.
std::string key_of(pid_t agent) {
  const std::vector<std::string> argv = words_of(fmt::format("/proc/{}/cmdline", agent));
  const auto flag = std::find(argv.begin(), argv.end(), "--bundle");
  const bool sealed = flag != argv.end() && flag + 1 != argv.end() && *(flag + 1) != "-";
  return sealed ? launch::bundle_id(*(flag + 1)) : "";
}

/// Names of the files in which nodes, who share this machine's /tmp, keep keys under one of these ids.
std::vector<std::string> kept(const std::set<std::string>& keys) {
  std::vector<std::string> files;
  std::error_code ec;
  for (const auto& file : fs::directory_iterator(fmt::format("/tmp/sxbench-keys-{}", ::geteuid()), ec)) {
    const std::string name = file.path().filename();
    if (keys.contains(name.substr(0, name.find('-')))) files.push_back(name);
  }
  return files;
}

void look_around(const std::map<std::string, std::string>& secrets, Sight& sight) {
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator("/proc", ec)) {
    if (entry.path().filename().string().find_first_not_of("0123456789") != std::string::npos) continue;
    const std::vector<std::string> argv = words_of(entry.path() / "cmdline");
    const std::vector<std::string> environment = words_of(entry.path() / "environ");
    // Between fork and exec a process has one of them from its parent.
    if (argv != words_of(entry.path() / "cmdline")) continue;
    const auto is_worker = [&](const char* what) {
      return argv.size() > 2 && argv[1] == "worker" && argv[2] == what;
    };
    if (is_worker("agent")) ++sight.agents;
    for (const auto& [name, value] : secrets) {
      const auto holds = [&](const std::vector<std::string>& words) {
        return std::any_of(words.begin(), words.end(),
                           [&](const std::string& word) { return word.find(value) != std::string::npos; });
      };
      if (holds(argv)) sight.leaks.insert(name + " in the command line of " + argv[0]);
      if (!holds(environment)) continue;
      if (is_worker("rank")) {
        ++sight.ranks_with_env;  // its user wants it there
        const std::string key = key_of(parent_of(std::stoi(entry.path().filename())));
        if (!key.empty()) sight.keys.insert(key);
      } else {
        sight.leaks.insert(name + " in the environment of " + (argv.empty() ? "?" : argv[0]));
      }
    }
    for (const std::string& word : argv) {
      if (launch::unpack_bundle(word, "node001").ok())
        sight.leaks.insert("a task in clear in the command line of " + argv[0]);
    }
  }
}

class Seen : public OnNetwork, public ::testing::WithParamInterface<const char*> {};

TEST_P(Seen, NoProcessShowsTheSecretsOfARun) {
  ASSERT_NO_FATAL_FAILURE(boot(2, std::string(GetParam()) == "slurm"));
  if (IsSkipped()) return;
  std::map<std::string, std::string> secrets;
  Json config = net_->config(GetParam(), 1);
  for (int i = 0; i < 20; ++i) {
    const std::string name = fmt::format("SXB_TEST_TOKEN_{}", i);
    secrets[name] = fmt::format("planted-{}-{}", i, ::getpid());
    config["env"][name] = secrets[name];
  }
  config["env"]["SXB_FAKE_STEP_MS"] = "100";
  std::vector<std::string> arguments = run_arguments(write_cluster(config), "sft");
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
    if (arguments[i] == "--steps") arguments[i + 1] = "20";
  }
  launch::ProcessSet processes;
  start(processes, arguments);
  Sight sight;
  Ended run;
  while (!processes.empty()) {
    processes.poll(10, [&](const launch::ProcessEvent& event) {
      if (event.kind == launch::ProcessEvent::Kind::kExit) run.status = event.status;
      run.err += event.line + "\n";
    });
    look_around(secrets, sight);
  }
  EXPECT_EQ(run.status.text(), "exit code 0") << run.err;
  EXPECT_GT(sight.agents, 0) << "nothing was looked at";
  EXPECT_GT(sight.ranks_with_env, 0) << "nobody had the secrets";
  EXPECT_THAT(sight.leaks, ::testing::IsEmpty());
  EXPECT_EQ(sight.keys.empty(), std::string(GetParam()) != "pdsh");
  EXPECT_THAT(kept(sight.keys), ::testing::IsEmpty()) << "the keys of a run go with it";
}

INSTANTIATE_TEST_SUITE_P(Over, Seen, ::testing::Values("ssh", "pdsh", "slurm"),
                         [](const auto& transport) { return std::string(transport.param); });

}  // namespace
}  // namespace sxb::e2e
