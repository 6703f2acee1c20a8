// The pretended cluster of cluster.sh as a fixture: real sshd (and Slurm) on machines node001, node002, ...
// of their own namespaces, and an sxbench that runs as their head.
#pragma once

#include <unistd.h>

#include <memory>
#include <optional>

#include "e2e/fixture.h"

namespace sxb::e2e {

/// Why this machine cannot have such a cluster; empty if it can.
inline std::string no_cluster_because(bool slurm) {
  if (::geteuid() != 0) return "network namespaces need root";
  const auto installed = [](const std::string& program) {
    for (const char* dir : {"/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"}) {
      if (::access((dir + program).c_str(), X_OK) == 0) return true;
    }
    return false;
  };
  std::vector<std::string> programs = {"ip", "unshare", "nsenter", "ssh", "sshd", "pdsh", "hostname"};
  if (slurm) programs.insert(programs.end(), {"munged", "slurmctld", "slurmd", "srun", "salloc"});
  for (const std::string& program : programs) {
    if (!installed(program)) return program + " is not installed (scripts/setup.sh --tests)";
  }
  if (std::system("unshare --net --mount --pid --fork true 2> /dev/null") != 0) {
    return "this root may not make namespaces (a container without CAP_SYS_ADMIN)";
  }
  return "";
}

/// One cluster.sh, alive as long as this object.
class NetCluster {
 public:
  /// `node_env` is what a login on a node sees.
  NetCluster(const fs::path& dir, int nodes, bool slurm, const std::map<std::string, std::string>& node_env)
      : dir_(dir), nodes_(nodes) {
    launch::ProcessSpec spec;
    spec.argv = {SXB_SOURCE_DIR "/tests/e2e/net/cluster.sh", dir.string(), std::to_string(nodes)};
    if (slurm) spec.argv.emplace_back("slurm");
    std::string words;
    for (const auto& [name, value] : node_env) words += name + "=" + value + " ";
    spec.env = {{"NODE_ENV", words}};
#ifdef SXB_PYXIS_STAND_IN
    if (slurm) spec.env["SPANK_PLUGIN"] = SXB_PYXIS_STAND_IN;
#endif
    spec.keep_stdin_open = true;
    spec.die_with_parent = true;
    id_ = processes_.start(spec).value();
    ready_ = wait_for("ready", 240).has_value();
  }

  bool ready() const { return ready_; }
  const std::string& output() const { return output_; }
  const fs::path& dir() const { return dir_; }
  static std::string name(int i) { return fmt::format("node{:03}", i); }

  /// Executes a line of shell as root on the head; cluster.sh lists what it offers: `on NODE CMD`,
  /// `power_off NODE`, `power_on NODE`, `new_host_key NODE`, `reconfigure NODE LINE`, `login NODE SHELL`.
  /// Returns its exit status; -1: no answer.
  int shell(const std::string& line, int timeout_s = 120) {
    processes_.write(id_, line + "\n");
    const std::optional<std::string> answer = wait_for("done ", timeout_s);
    return answer ? std::stoi(answer->substr(5)) : -1;
  }

  /// What a command on the head starts with: as a user there, but a process of this machine, so that
  /// signals reach it.
  std::vector<std::string> as_head() const {
    return {"nsenter", "--target", std::to_string(processes_.pid(id_)), "--net", "--mount", "--uts",
            "--ipc",   "--"};
  }

  /// A cluster config of all machines, CPU ranks, `slots` each. Unfinished: a test adds what it needs.
  Json config(const std::string& transport, int slots) const {
    Json nodes = Json::array();
    for (int i = 1; i <= nodes_; ++i) {
      nodes.push_back({{"name", name(i)}, {"slots", slots}});
      if (i == 2) nodes.back()["ssh_port"] = 44222;
    }
    return {{"name", "net"},
            {"transport", transport},
            {"device", "cpu"},
            {"nodes", std::move(nodes)},
            {"ssh", {{"config", (dir_ / "ssh_config").string()}}}};
  }

 private:
  /// The first line that starts with `prefix`; everything else it prints goes to output().
  std::optional<std::string> wait_for(const std::string& prefix, int timeout_s) {
    std::optional<std::string> found;
    const std::int64_t give_up = monotonic_ns() + timeout_s * 1'000'000'000LL;
    while (!found && !processes_.empty() && monotonic_ns() < give_up) {
      processes_.poll(100, [&](const launch::ProcessEvent& event) {
        if (event.kind == launch::ProcessEvent::Kind::kExit) return;
        if (!event.from_stderr && event.line.rfind(prefix, 0) == 0) {
          found = event.line;
        } else {
          output_ += event.line + "\n";
        }
      });
    }
    return found;
  }

  fs::path dir_;
  int nodes_;
  launch::ProcessSet processes_;
  int id_ = 0;
  std::string output_;
  bool ready_ = false;
};

/// EndToEnd on a NetCluster: sxbench() and start() run on its head.
class OnNetwork : public EndToEnd {
 protected:
  /// Skips the test, with the reason, where this machine cannot have the cluster.
  void boot(int nodes, bool slurm = false) {
    if (const std::string reason = no_cluster_because(slurm); !reason.empty()) GTEST_SKIP() << reason;
    net_ = std::make_unique<NetCluster>(dir_ / "net", nodes, slurm,
                                        std::map<std::string, std::string>{{"SXBENCH_ENGINE_LIB", engine_}});
    ASSERT_TRUE(net_->ready()) << net_->output();
    prefix_ = net_->as_head();
    if (slurm) env_["SLURM_CONF"] = (net_->dir() / "slurm.conf").string();
  }
  void TearDown() override {
    net_.reset();
    EndToEnd::TearDown();
  }

  /// Writes the config as DIR/cluster.json.
  std::string write_cluster(const Json& json) {
    const fs::path path = dir_ / "cluster.json";
    std::ofstream(path) << json.dump(2);
    return path.string();
  }

  std::string engine_ = SXB_FAKE_ENGINE;  ///< set before boot()
  std::unique_ptr<NetCluster> net_;
};

}  // namespace sxb::e2e
