// pdsh -R ssh: one pdsh per task. It forwards no stdin, so the inputs travel as an argument of the command;
// its sshs hold the agents' stdin open, and close it when pdsh dies, which it does with this process.
#include <fmt/format.h>

#include <cstdlib>

#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "launch/os/private_dir.h"
#include "launch/transport/group_transport.h"
#include "launch/transport/ssh.h"
#include "launch/transport/transports.h"

namespace sxb::launch {
namespace {

/// The kernel takes 128 KiB for one argument, the remote shell's -c among them.
constexpr std::size_t kMaxCommand = 120 << 10;

/// pdsh replaces %h, %u and %n in the command.
std::string escape_percent(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == '%' ? std::string("%%") : std::string(1, c);
  return escaped;
}

class PdshTransport final : public GroupTransport {
 public:
  PdshTransport(config::Cluster cluster, PrivateDir dir)
      : cluster_(std::move(cluster)), dir_(std::move(dir)) {}

 protected:
  Result<ProcessSpec> command(Group& group) override {
    const std::string config = (dir_.path() / "ssh_config").string();
    SXB_RETURN_IF_ERROR(write_file_atomic(config, ssh_config(cluster_, "")));
    std::vector<std::string> argv = group.argv;
    const std::string bundle = bundle_of(group);
    if (!bundle.empty()) argv.insert(argv.end(), {"--bundle", bundle});
    // pdsh puts the node's name for %h, which has no character that a shell knows.
    std::string remote = "exec env SXBENCH_NODE=%h " +
                         escape_percent(remote_command(argv, group.env)).substr(std::string("exec ").size());
    if (remote.size() > kMaxCommand) {
      return Error{fmt::format("the command for {} nodes has {} KiB, an argument holds {}",
                               group.members.size(), remote.size() >> 10, kMaxCommand >> 10),
                   "pdsh", "set \"transport\": \"ssh\", which has no such limit"};
    }
    std::vector<std::string> names;
    for (const Member& member : group.members) names.push_back(member.node.name);
    ProcessSpec spec;
    // pdsh's fan-out bounds what runs, not what connects: all nodes of a task must run at once.
    spec.argv = {"pdsh",           "-b",  "-R", "ssh", "-f", std::to_string(names.size()), "-w",
                 join(names, ","), remote};
    spec.env = {{"PDSH_SSH_ARGS", "-F " + config + " %h"}, {"PDSH_SSH_ARGS_APPEND", ""}};
    spec.die_with_parent = true;
    return spec;
  }

  /// "node001: text"; pdsh's own words are "pdsh@head: node001: ssh exited with exit code 4".
  void read_line(Group& group, bool from_stderr, const std::string& text, Events& events) override {
    const std::size_t colon = text.find(": ");
    const std::string label = text.substr(0, colon);
    if (colon != std::string::npos && label.starts_with("pdsh@")) {
      if (read_exit(group, text.substr(colon + 2))) return;
    } else if (Member* member = colon != std::string::npos ? group.find(label) : nullptr) {
      return line(*member, from_stderr, text.substr(colon + 2), events);
    }
    keep_words(group, text);
  }

  TransportEvent last_event(const Group& group, const Member& member, const ExitStatus& status) override {
    if (member.stopping) return exited(member, {static_cast<int>(ExitCode::kInterrupted), 0});
    if (status.signal == 0 && (member.connected || status.code == 0)) return exited(member, {});
    return lost(member, {Loss::Class::kOther,
                         group.own_words.empty() ? "pdsh ended: " + status.text() : group.own_words.back(),
                         "set \"transport\": \"ssh\" to do without pdsh"});
  }

  void stop_process(Group& group, int grace_ms) override { processes_.stop(group.process, grace_ms); }

 private:
  bool read_exit(Group& group, const std::string& text) {
    constexpr std::string_view kPhrase = ": ssh exited with exit code ";
    const std::size_t at = text.find(kPhrase);
    Member* member = at == std::string::npos ? nullptr : group.find(text.substr(0, at));
    if (member == nullptr) return false;
    const int code = std::atoi(text.c_str() + at + kPhrase.size());
    const double silent_s = static_cast<double>(monotonic_ns() - member->last_line_ns) * 1e-9;
    member->last = ssh_ended(*member, group.argv.front(), {code, 0}, silent_s);
    return true;
  }

  TransportEvent ssh_ended(const Member& member, const std::string& program, const ExitStatus& status,
                           double silent_s) const {
    if (status.code == kSshFailed) {
      return lost(member, explain_ssh(cluster_, member.node, {member.messages.begin(), member.messages.end()},
                                      member.connected, silent_s));
    }
    if (!member.connected && is_missing_program(status)) {
      return lost(member, explain_missing_program(member.node, program));
    }
    return exited(member, remote_status(status));
  }

  const config::Cluster cluster_;
  const PrivateDir dir_;
};

}  // namespace

Result<std::unique_ptr<Transport>> pdsh_transport(const config::Cluster& cluster, int /*nodes*/) {
  SXB_ASSIGN_OR_RETURN(PrivateDir dir, PrivateDir::create("pdsh"));
  return std::unique_ptr<Transport>(std::make_unique<PdshTransport>(cluster, std::move(dir)));
}

}  // namespace sxb::launch
