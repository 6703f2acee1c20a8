// pdsh -R ssh: one pdsh per task. It forwards no stdin, so the inputs travel as an argument of the command,
// sealed for keys that the nodes made before; its sshs hold the agents' stdin open, and close it when pdsh
// dies, which it does with this process.
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/secret.h"
#include "base/text.h"
#include "launch/os/private_dir.h"
#include "launch/transport/bundle.h"
#include "launch/transport/group_transport.h"
#include "launch/transport/node_key_line.h"
#include "launch/transport/ssh.h"
#include "launch/transport/transports.h"

namespace sxb::launch {
namespace {

/// The kernel takes 128 KiB for one argument, the remote shell's -c among them.
constexpr std::size_t kMaxCommand = 120 << 10;
/// Nodes of one pdsh: each adds some 120 compressed bytes of its task and 32 of its key, a third more as
/// text.
constexpr std::size_t kNodesPerCall = 256;
constexpr std::int64_t kNsPerS = 1'000'000'000;
constexpr std::int64_t kForgetNs = 3 * kNsPerS;
constexpr int kStopMs = 1000;

/// pdsh replaces %h, %u and %n in the command.
std::string escape_percent(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == '%' ? std::string("%%") : std::string(1, c);
  return escaped;
}

/// "node001: text"; pdsh's own words are "pdsh@head: node001: ssh exited with exit code 4", or "ssh killed by
/// signal 9", which then is the ssh of this machine.
struct PdshLine {
  std::string label, text;
  bool own = false;    ///< of pdsh itself; label and text are of what follows its name
  bool ended = false;  ///< with `status`
  ExitStatus status;
};

PdshLine parse_pdsh_line(const std::string& line) {
  const auto cut = [](const std::string& text) {
    const std::size_t colon = text.find(": ");
    return colon == std::string::npos ? std::pair(std::string(), text)
                                      : std::pair(text.substr(0, colon), text.substr(colon + 2));
  };
  PdshLine parsed;
  std::tie(parsed.label, parsed.text) = cut(line);
  parsed.own = parsed.label.starts_with("pdsh@");
  if (!parsed.own) return parsed;
  std::tie(parsed.label, parsed.text) = cut(parsed.text);
  constexpr std::string_view kExited = "ssh exited with exit code ", kKilled = "ssh killed by signal ";
  if (parsed.text.starts_with(kExited)) {
    parsed.ended = true;
    parsed.status.code = std::atoi(parsed.text.c_str() + kExited.size());
  } else if (parsed.text.starts_with(kKilled)) {
    parsed.ended = true;
    parsed.status.signal = std::atoi(parsed.text.c_str() + kKilled.size());
  }
  return parsed;
}

class PdshTransport final : public GroupTransport {
 public:
  PdshTransport(config::Cluster cluster, PrivateDir dir)
      : cluster_(std::move(cluster)), dir_(std::move(dir)), id_(random_token()) {}
  ~PdshTransport() override { forget_keys(); }

 protected:
  /// True once every node that waits for a task has given a key, or is given up.
  bool prepare(std::vector<Group>& waiting, Events& events) override {
    if (asking_ != 0) {
      asked_too_long_ = asked_too_long_ || monotonic_ns() >= give_up_ns_;
      if (asked_too_long_) processes_.stop(asking_, kStopMs);
      return false;
    }
    std::set<std::string> names;
    std::string program;
    for (const Group& group : waiting) {
      for (const Member& member : group.members) {
        if (member.input.empty() || keys_.count(member.node.name) != 0) continue;
        if (program.empty()) program = group.argv.front();
        if (program == group.argv.front()) names.insert(member.node.name);
      }
    }
    if (!names.empty()) {
      ask_for_keys(program, {names.begin(), names.end()}, waiting, events);
      return false;
    }
    split(waiting);
    return true;
  }

  void on_other(const ProcessEvent& event, std::vector<Group>& waiting, Events& events) override {
    if (event.id != asking_) return;
    if (event.kind == ProcessEvent::Kind::kExit) return keys_are_there(event.status, waiting, events);
    const PdshLine line = parse_pdsh_line(event.line);
    const auto it = asked_.find(line.label);
    if (it == asked_.end()) return pdsh_said_.hear(event.line);
    Asked& node = it->second;
    if (line.own) {
      if (line.ended) node.status = line.status;
      return;
    }
    if (!event.from_stderr) {
      node.connected = true;
      if (const auto key = parse_node_key_line(line.text, id_)) {
        keys_[line.label] = *key;
        holders_.insert(line.label);
        return;
      }
    } else {
      node.messages.push_back(line.text);
      if (node.messages.size() > kKeptMessages) node.messages.erase(node.messages.begin());
    }
    node.words.hear(line.text);
    for (const Group& group : waiting) {
      for (const Member& member : group.members) {
        if (member.node.name == line.label)
          events.push_back({TransportEvent::Kind::kLine, member.id, true, line.text, {}, {}});
      }
    }
  }

  Result<ProcessSpec> command(Group& group) override {
    std::vector<std::string> argv = group.argv;
    const NodeInputs inputs = inputs_of(group);
    if (!inputs.empty()) {
      std::vector<std::string> readers;
      for (const auto& [node, input] : inputs) readers.push_back(keys_.at(node));
      argv.insert(argv.end(), {"--bundle", seal_bundle(id_, inputs, readers)});
    }
    std::vector<std::string> names;
    for (const Member& member : group.members) names.push_back(member.node.name);
    return pdsh(names, argv, group.env);
  }

  void read_line(Group& group, bool from_stderr, const std::string& text, Events& events) override {
    const PdshLine parsed = parse_pdsh_line(text);
    Member* member = group.find(parsed.label);
    if (member != nullptr && !parsed.own) return line(*member, from_stderr, parsed.text, events);
    if (member == nullptr || !parsed.ended) return keep_words(group, text);
    const double silent_s = static_cast<double>(monotonic_ns() - member->last_line_ns) * 1e-9;
    member->last = ssh_ended(*member, group.argv.front(), parsed.status, silent_s);
  }

  TransportEvent last_event(const Group& group, const Member& member, const ExitStatus& status) override {
    if (member.stopping) return exited(member, {static_cast<int>(ExitCode::kInterrupted), 0});
    if (status.signal != 0) return lost(member, killed_here("pdsh", status));
    if (member.connected || status.code == 0) return exited(member, {});
    return lost(member, pdsh_failed(group.own_words.empty() ? "" : group.own_words.back(), status));
  }

  void stop_process(Group& group, int grace_ms) override { processes_.stop(group.process, grace_ms); }

 private:
  /// A node that is asked for its key.
  struct Asked {
    bool connected = false;
    std::optional<ExitStatus> status;  ///< unless it was 0
    std::vector<std::string> messages;
    LastWords words;
  };

  /// A pdsh that runs `argv` on the nodes `names`.
  Result<ProcessSpec> pdsh(const std::vector<std::string>& names, const std::vector<std::string>& argv,
                           const std::map<std::string, std::string>& env) const {
    const std::string config = (dir_.path() / "ssh_config").string();
    SXB_RETURN_IF_ERROR(write_file_atomic(config, ssh_config(cluster_, "", own_session_options())));
    // pdsh puts the node's name for %h, which has no character that a shell knows.
    std::string remote = "exec env SXBENCH_NODE=%h " +
                         escape_percent(remote_command(argv, env)).substr(std::string("exec ").size());
    if (remote.size() > kMaxCommand) {
      return Error{fmt::format("the command for {} nodes has {} KiB, an argument holds {}", names.size(),
                               remote.size() >> 10, kMaxCommand >> 10),
                   "pdsh", "set \"transport\": \"ssh\", which has no such limit"};
    }
    ProcessSpec spec;
    // pdsh's fan-out bounds what runs, not what connects: all nodes of a task must run at once.
    spec.argv = {"pdsh",           "-b",  "-R", "ssh", "-f", std::to_string(names.size()), "-w",
                 join(names, ","), remote};
    spec.env = {{"PDSH_SSH_ARGS", "-F " + config + " %h"}, {"PDSH_SSH_ARGS_APPEND", ""}};
    spec.die_with_parent = true;
    return spec;
  }

  void ask_for_keys(const std::string& program, const std::vector<std::string>& names,
                    std::vector<Group>& waiting, Events& events) {
    asked_.clear();
    pdsh_said_ = {};
    for (const std::string& name : names) asked_[name] = {};
    const Result<ProcessSpec> spec = pdsh(names, {program, "worker", "key", id_}, {});
    const Result<int> process = spec.ok() ? processes_.start(*spec) : Result<int>(spec.errors());
    if (!process.ok()) {
      return give_up(waiting, events, [&](const Member& member) -> std::optional<Loss> {
        if (asked_.count(member.node.name) == 0) return std::nullopt;
        return not_started(process.error());
      });
    }
    asking_ = *process;
    asked_too_long_ = false;
    program_ = program;
    give_up_ns_ = monotonic_ns() + patience_s() * kNsPerS;
  }

  /// ssh tries a node's IPv4 and IPv6 address, each for connect_s.
  int patience_s() const { return 2 * cluster_.timeouts.connect_s + cluster_.timeouts.agent_silence_s; }

  void keys_are_there(const ExitStatus& status, std::vector<Group>& waiting, Events& events) {
    asking_ = 0;
    give_up(waiting, events, [&](const Member& member) -> std::optional<Loss> {
      const auto asked = asked_.find(member.node.name);
      if (member.input.empty() || asked == asked_.end() || keys_.count(member.node.name) != 0)
        return std::nullopt;
      return no_key(member.node, asked->second, status);
    });
  }

  Loss no_key(const config::Node& node, const Asked& asked, const ExitStatus& status) const {
    const ExitStatus ended = asked.status.value_or(ExitStatus{});
    if (ended.signal != 0) return killed_here("ssh", ended);
    if (ended.code == kSshFailed) return explain_ssh(cluster_, node, asked.messages, asked.connected, 0);
    if (is_missing_program(ended)) return explain_missing_program(node, program_);
    const std::string words = asked.words.text();
    if (ended.ok() && asked_too_long_) {
      return {Loss::Class::kNoAnswer,
              fmt::format("no sxbench answered on it within {} s{}", patience_s(),
                          words.empty() ? "" : ", but: " + words),
              fmt::format("try: ssh {} true; leave it out until it answers", node.host)};
    }
    if (ended.ok() && status.signal != 0) return killed_here("pdsh", status);
    if (!ended.ok() && !asked.connected && words.empty() && status.code != 0 && !pdsh_said_.text().empty())
      return pdsh_failed(pdsh_said_.text(), status);
    return {
        Loss::Class::kOther,
        fmt::format("no sxbench answered on it: {}{}", ended.text(), words.empty() ? "" : ": " + words),
        fmt::format("see what its login does: ssh {} {} --version; sxbench deploy puts the head's sxbench "
                    "there",
                    node.host, program_)};
  }

  static Loss pdsh_failed(const std::string& words, const ExitStatus& status) {
    return {Loss::Class::kOther, words.empty() ? "pdsh ended: " + status.text() : words,
            "set \"transport\": \"ssh\" to do without pdsh"};
  }

  TransportEvent ssh_ended(const Member& member, const std::string& program, const ExitStatus& status,
                           double silent_s) {
    // It may have been restarted, and its key be gone with that: the next task asks again.
    keys_.erase(member.node.name);
    if (status.signal != 0) {
      return member.stopping ? exited(member, {static_cast<int>(ExitCode::kInterrupted), 0})
                             : lost(member, killed_here("ssh", status));
    }
    if (status.code == kSshFailed) {
      return lost(member, explain_ssh(cluster_, member.node, {member.messages.begin(), member.messages.end()},
                                      member.connected, silent_s));
    }
    if (!member.answered && is_missing_program(status)) {
      return lost(member, explain_missing_program(member.node, program));
    }
    return exited(member, remote_status(status));
  }

  /// Groups that one command line holds.
  static void split(std::vector<Group>& waiting) {
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].members.size() <= kNodesPerCall) continue;
      Group rest = waiting[i];
      rest.members.erase(rest.members.begin(),
                         rest.members.begin() + static_cast<std::ptrdiff_t>(kNodesPerCall));
      waiting[i].members.resize(kNodesPerCall);
      waiting.push_back(std::move(rest));
    }
  }

  /// The nodes remove their keys; those that do not in time do it a day later, with the next run.
  void forget_keys() {
    if (holders_.empty()) return;
    const std::vector<std::string> names(holders_.begin(), holders_.end());
    const Result<ProcessSpec> spec = pdsh(names, {program_, "worker", "key", id_, "--forget"}, {});
    ProcessSet forgetting;
    if (!spec.ok() || !forgetting.start(*spec).ok()) return;
    const std::int64_t give_up = monotonic_ns() + kForgetNs;
    while (!forgetting.empty() && monotonic_ns() < give_up) forgetting.poll(100, [](const ProcessEvent&) {});
  }

  const config::Cluster cluster_;
  const PrivateDir dir_;
  const std::string id_;                     ///< of this transport's keys
  std::map<std::string, std::string> keys_;  ///< public halves by node
  std::set<std::string> holders_;            ///< nodes that have made one
  int asking_ = 0;                           ///< the process that asks for keys, 0: none
  std::string program_;                      ///< that made the keys
  std::int64_t give_up_ns_ = 0;
  bool asked_too_long_ = false;
  std::map<std::string, Asked> asked_;
  LastWords pdsh_said_;
};

}  // namespace

Result<std::unique_ptr<Transport>> pdsh_transport(const config::Cluster& cluster, int /*nodes*/) {
  SXB_ASSIGN_OR_RETURN(PrivateDir dir, PrivateDir::create("pdsh"));
  return std::unique_ptr<Transport>(std::make_unique<PdshTransport>(cluster, std::move(dir)));
}

}  // namespace sxb::launch
