#include "launch/transport/ssh.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <utility>

#include "base/clock.h"
#include "base/shell.h"
#include "base/text.h"
#include "launch/os/process.h"

namespace sxb::launch {
namespace {

constexpr int kKeepaliveCount = 3;

/// What holds for every node. Nothing may ask a question, and nothing of an interactive login (forwarded
/// ports, X11, the agent) may get in the way.
std::vector<std::string> common_options(const config::Cluster& cluster,
                                        const std::filesystem::path& control_dir,
                                        const std::vector<std::string>& session) {
  std::vector<std::string> options = {
      "BatchMode=yes",
      fmt::format("ConnectTimeout={}", cluster.timeouts.connect_s),
      fmt::format("ServerAliveInterval={}", cluster.ssh.keepalive_s),
      fmt::format("ServerAliveCountMax={}", kKeepaliveCount),
      "RequestTTY=no",
      "ClearAllForwardings=yes",
      "ForwardAgent=no",
      "ForwardX11=no",
      "PermitLocalCommand=no",
      "RemoteCommand=none",
  };
  options.insert(options.end(), session.begin(), session.end());
  if (control_dir.empty() || cluster.ssh.persist_s == 0) {
    options.insert(options.end(), {"ControlMaster=no", "ControlPath=none"});
  } else {
    options.insert(options.end(), {"ControlMaster=auto", "ControlPath=" + (control_dir / "%C").string(),
                                   fmt::format("ControlPersist={}", cluster.ssh.persist_s)});
  }
  return options;
}

bool holds_one_of(std::string_view text, std::initializer_list<std::string_view> phrases) {
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](std::string_view phrase) { return text.find(phrase) != std::string_view::npos; });
}

bool mentions(const std::vector<std::string>& messages, std::initializer_list<std::string_view> phrases) {
  return std::any_of(messages.begin(), messages.end(),
                     [&](const std::string& line) { return holds_one_of(line, phrases); });
}

/// The call that a person would make to see the same.
std::string by_hand(const config::Cluster& cluster, const config::Node& node) {
  std::string call = "ssh";
  if (!cluster.ssh.config.empty()) call += " -F " + shell_quote(cluster.ssh.config);
  if (node.ssh_port != 0) call += fmt::format(" -p {}", node.ssh_port);
  if (!node.ssh_user.empty()) call += " -l " + node.ssh_user;
  if (!node.ssh_key.empty()) call += " -i " + shell_quote(node.ssh_key);
  if (!node.ssh_jump.empty()) call += " -J " + node.ssh_jump;
  return call + " " + node.host;
}

constexpr const char* kNoMessage = "ssh ended without a message";

/// The last line that `wanted` takes; "" if it takes none.
std::string last_of(const std::vector<std::string>& messages,
                    const std::function<bool(std::string_view)>& wanted) {
  for (auto line = messages.rbegin(); line != messages.rend(); ++line) {
    const std::string_view text = trim(*line);
    if (!text.empty() && wanted(text)) return std::string(text);
  }
  return "";
}

/// ssh says what failed first and what follows from it last; after a jump host's own ssh, the outer one.
bool is_consequence(std::string_view text) {
  return holds_one_of(
      text, {"Connection closed by UNKNOWN port", "terminating, ", "new control master",
             "Connection to UNKNOWN port", "kex_exchange_identification: Connection closed",
             "mux_client_hello_exchange", "ControlSocket ", "disabling multiplexing", "Permanently added"});
}

/// Why there is no connection.
std::string cause_of(const std::vector<std::string>& messages) {
  const std::string cause = last_of(messages, [](std::string_view text) { return !is_consequence(text); });
  if (!cause.empty()) return cause;
  const std::string last = last_of(messages, [](std::string_view) { return true; });
  return last.empty() ? kNoMessage : last;
}

/// What ssh itself says of a connection that was there. All other lines may be the node's.
std::string end_of_connection(const std::vector<std::string>& messages) {
  return last_of(messages, [](std::string_view text) {
    return text.starts_with("Connection to ") || text.starts_with("Connection reset") ||
           text.starts_with("Connection closed") || text.starts_with("Shared connection to ") ||
           text.starts_with("Received disconnect from ") || text.starts_with("Disconnected from ") ||
           text.starts_with("Timeout, server ") || text.starts_with("client_loop: ") ||
           text.starts_with("mux_client_") || text.starts_with("ssh_dispatch_run_fatal: ") ||
           text.starts_with("ssh: ") || text.starts_with("Read from remote host ") ||
           text.starts_with("packet_write_");
  });
}

/// One word for a login shell of any kind.
std::string login_quote(const std::string& word) {
  std::string quoted;
  for (const char c : shell_quote(word)) quoted += c == '!' ? std::string("'\\!'") : std::string(1, c);
  return quoted;
}

}  // namespace

std::vector<std::string> session_options(const std::string& version) {
  constexpr std::string_view kName = "OpenSSH_";
  int major = 0, minor = 0;
  const std::size_t at = version.find(kName);
  if (at == std::string::npos ||
      std::sscanf(version.c_str() + at + kName.size(), "%d.%d", &major, &minor) != 2 ||
      std::pair(major, minor) < std::pair(8, 7)) {
    return {};
  }
  return {"StdinNull=no", "ForkAfterAuthentication=no", "SessionType=default"};
}

const std::vector<std::string>& own_session_options() {
  static const std::vector<std::string> options = [] {
    ProcessSet processes;
    ProcessSpec spec;
    spec.argv = {"ssh", "-V"};
    std::string version;
    const std::int64_t give_up = monotonic_ns() + 5'000'000'000;
    if (processes.start(spec).ok()) {
      while (!processes.empty() && monotonic_ns() < give_up)
        processes.poll(100, [&](const ProcessEvent& event) { version += event.line; });
    }
    return session_options(version);
  }();
  return options;
}

std::string remote_command(const std::vector<std::string>& argv,
                           const std::map<std::string, std::string>& env) {
  std::vector<std::string> words = {"exec"};
  if (!env.empty()) words.emplace_back("env");
  for (const auto& [name, value] : env) words.push_back(login_quote(name + "=" + value));
  words.insert(words.end(), {"/bin/sh", "-c", login_quote(shell_line(argv) + "; exit $?")});
  return join(words, " ");
}

ExitStatus remote_status(const ExitStatus& status) {
  constexpr int kSignalled = 128, kLastSignal = 64;
  const bool signalled =
      status.signal == 0 && status.code > kSignalled && status.code <= kSignalled + kLastSignal;
  // 130 is also how sxbench says that it was interrupted.
  if (!signalled || status.code == static_cast<int>(ExitCode::kInterrupted)) return status;
  return {0, status.code - kSignalled};
}

bool is_missing_program(const ExitStatus& status) {
  return status.signal == 0 && (status.code == 126 || status.code == 127);
}

std::vector<std::string> ssh_argv(const config::Cluster& cluster, const config::Node& node,
                                  const std::filesystem::path& control_dir, const std::string& command,
                                  const std::vector<std::string>& session) {
  std::vector<std::string> argv = {"ssh"};
  if (!cluster.ssh.config.empty()) argv.insert(argv.end(), {"-F", cluster.ssh.config});
  for (const std::string& option : common_options(cluster, control_dir, session)) {
    argv.insert(argv.end(), {"-o", option});
  }
  if (node.ssh_port != 0) argv.insert(argv.end(), {"-p", std::to_string(node.ssh_port)});
  if (!node.ssh_user.empty()) argv.insert(argv.end(), {"-l", node.ssh_user});
  if (!node.ssh_key.empty()) argv.insert(argv.end(), {"-i", node.ssh_key, "-o", "IdentitiesOnly=yes"});
  if (!node.ssh_jump.empty()) argv.insert(argv.end(), {"-J", node.ssh_jump});
  argv.insert(argv.end(), {"--", node.host, command});
  return argv;
}

std::string ssh_config(const config::Cluster& cluster, const std::filesystem::path& control_dir,
                       const std::vector<std::string>& session) {
  std::string text;
  for (const config::Node& node : cluster.nodes) {
    text += fmt::format("Host {}\n  HostName {}\n", node.name, node.host);
    if (node.ssh_port != 0) text += fmt::format("  Port {}\n", node.ssh_port);
    if (!node.ssh_user.empty()) text += fmt::format("  User {}\n", node.ssh_user);
    if (!node.ssh_key.empty())
      text += fmt::format("  IdentityFile \"{}\"\n  IdentitiesOnly yes\n", node.ssh_key);
    if (!node.ssh_jump.empty()) text += fmt::format("  ProxyJump {}\n", node.ssh_jump);
  }
  text += "Host *\n";
  for (const std::string& option : common_options(cluster, control_dir, session)) {
    const std::size_t equals = option.find('=');
    text += fmt::format("  {} {}\n", option.substr(0, equals), option.substr(equals + 1));
  }
  const std::string own = cluster.ssh.config.empty() ? "~/.ssh/config" : cluster.ssh.config;
  text += fmt::format("Include \"{}\"\n", own);
  if (cluster.ssh.config.empty()) text += "Include \"/etc/ssh/ssh_config\"\n";
  return text;
}

Loss explain_ssh(const config::Cluster& cluster, const config::Node& node,
                 const std::vector<std::string>& messages, bool was_connected, double silent_s) {
  using Class = Loss::Class;
  const std::string hand = by_hand(cluster, node);
  if (was_connected) {
    // A shared connection's own message is lost with it, so the silence before its end has to tell.
    const int patience = cluster.ssh.keepalive_s * kKeepaliveCount;
    if (silent_s >= cluster.ssh.keepalive_s * (kKeepaliveCount - 1) ||
        mentions(messages, {"not responding"})) {
      return {Class::kNoAnswer,
              fmt::format("it has not answered for {} s: powered off, hung or cut off", patience),
              "look at its console (BMC); leave it out until it is back"};
    }
    const std::string said = end_of_connection(messages);
    return {Class::kConnectionLost,
            "the ssh connection broke off" + (said.empty() ? ", without a word of ssh's" : ": " + said),
            "look at the node's logs for a reboot or a restart of sshd"};
  }
  if (mentions(messages, {"Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED",
                          "host key is known for"})) {
    const bool changed = mentions(messages, {"REMOTE HOST IDENTIFICATION HAS CHANGED"});
    return {
        Class::kHostKey,
        changed ? "its ssh host key is not the one that is known"
                : "its ssh host key is not known on this machine",
        (changed ? "if it was installed again, remove the old key (ssh-keygen -R), then confirm the new one "
                   "with: "
                 : "confirm the key once with: ") +
            hand};
  }
  if (mentions(messages, {"Permission denied", "Too many authentication failures"})) {
    return {Class::kAuth, "it refuses the login: " + cause_of(messages),
            "set ssh_user and ssh_key in the cluster config, load the key into the ssh agent; try: " + hand};
  }
  // A connection that is to stay hides what the ssh to the jump host says; the call by hand shows it.
  if (mentions(messages, {"UNKNOWN port"}) && is_consequence(cause_of(messages))) {
    return {Class::kUnreachable,
            fmt::format("no ssh connection: its jump host{} cannot be reached, or does not reach it",
                        node.ssh_jump.empty() ? " (of ssh's config)" : " " + node.ssh_jump),
            "try: " + hand};
  }
  return {Class::kUnreachable, "no ssh connection: " + cause_of(messages), "try: " + hand};
}

Loss explain_missing_program(const config::Node& node, const std::string& path) {
  return {Loss::Class::kNotInstalled, fmt::format("{} is not there or cannot be executed", path),
          fmt::format("put it on {} with: sxbench deploy; or set paths.program in the cluster config",
                      node.name)};
}

}  // namespace sxb::launch
