// srun, one step per task. The inputs of all agents are one line on srun's stdin, which it gives to every
// task; when this process is gone srun passes the end of its stdin on.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/units.h"
#include "launch/os/private_dir.h"
#include "launch/transport/bundle.h"
#include "launch/transport/group_transport.h"
#include "launch/transport/slurm.h"
#include "launch/transport/transports.h"
#include "record/record.h"

namespace sxb::launch {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::size_t kLongestRecord = 4 << 20;
constexpr int kInterruptedCode = static_cast<int>(ExitCode::kInterrupted);

std::string surrounding_job() {
  const char* job = std::getenv("SLURM_JOB_ID");
  return job != nullptr ? job : "";
}

class SlurmTransport final : public GroupTransport {
 public:
  SlurmTransport(config::Cluster cluster, std::size_t nodes, PrivateDir dir)
      : cluster_(std::move(cluster)), nodes_(nodes), dir_(std::move(dir)), job_(surrounding_job()) {}

  ~SlurmTransport() override {
    if (salloc_ == 0) return;
    if (job_.empty()) {  // it waits in the queue, reads no stdin, and takes its request back
      processes_.stop(salloc_, 5000);
    } else {
      processes_.end_input(salloc_, 5000);
    }
    const std::int64_t give_up = monotonic_ns() + 6 * kSecond;
    while (processes_.running(salloc_) && monotonic_ns() < give_up) {
      processes_.poll(100, [](const ProcessEvent&) {});
    }
  }

  void send(int job, const std::string& text) override { send_to_all(job, text); }

 protected:
  /// True with an allocation; asks for one first where there is none.
  bool prepare(std::vector<Group>& waiting, Events& events) override {
    if (!job_.empty()) return true;
    if (salloc_ == 0) {
      std::vector<std::string> names;
      for (std::size_t i = 0; i < nodes_; ++i) names.push_back(cluster_.nodes[i].name);
      ProcessSpec spec;
      spec.argv = salloc_argv(cluster_, names);
      spec.keep_stdin_open = true;
      const Result<int> process = processes_.start(spec);
      if (!process.ok()) {
        give_up_all(waiting, not_started(process.error()), events);
        return false;
      }
      salloc_ = *process;
      asked_ns_ = monotonic_ns();
    } else if (!taking_back_ && monotonic_ns() - asked_ns_ > cluster_.timeouts.queue_s * kSecond) {
      processes_.stop(salloc_, 5000);
      taking_back_ = true;
      give_up_all(waiting,
                  no_allocation(fmt::format("Slurm granted no allocation within {}",
                                            format_duration(cluster_.timeouts.queue_s * kSecond))),
                  events);
    }
    return false;
  }

  void on_other(const ProcessEvent& event, std::vector<Group>& waiting, Events& events) override {
    if (event.id != salloc_) return;
    if (event.kind == ProcessEvent::Kind::kExit) {
      salloc_ = 0;
      job_.clear();
      if (std::exchange(taking_back_, false)) return;  // who waits now asks anew
      give_up_all(waiting,
                  no_allocation(salloc_said_.empty() ? "salloc ended: " + event.status.text() : salloc_said_),
                  events);
    } else if (!event.from_stderr && event.line.starts_with(kAllocationPrefix)) {
      job_ = event.line.substr(std::string(kAllocationPrefix).size());
    } else {
      salloc_said_ = event.line;
      for (Group& group : waiting) {
        for (Member& member : group.members) line(member, true, event.line, events);
      }
    }
  }

  Result<ProcessSpec> command(Group& group) override {
    std::string hosts;
    for (const Member& member : group.members) hosts += member.node.name + "\n";
    const std::string file = (dir_.path() / fmt::format("hosts-{}", group.members.front().id)).string();
    SXB_RETURN_IF_ERROR(write_file_atomic(file, hosts));
    std::vector<std::string> argv = group.argv;
    ProcessSpec spec;
    if (const NodeInputs inputs = inputs_of(group); !inputs.empty()) {
      argv.insert(argv.end(), {"--bundle", "-"});
      spec.stdin_text = pack_bundle(inputs) + "\n\n";  // the empty line is the first sign of life
    }
    spec.argv = srun_argv(cluster_, job_, group.members.size(), argv);
    spec.env = group.env;  // srun passes its environment on
    spec.env["SLURM_HOSTFILE"] = file;
    spec.keep_stdin_open = true;
    return spec;
  }

  void read_line(Group& group, bool from_stderr, const std::string& text, Events& events) override {
    if (Member* member = labelled(group, text)) {
      const std::string rest = text.substr(text.find(": ") + 2);
      if (from_stderr) {
        line(*member, true, rest, events);
      } else {
        read_output(*member, rest, events);
      }
      if (from_stderr) hear_slurmstepd(*member, rest);
      return;
    }
    if (const auto exit = parse_srun_exit(text)) {
      for (const int task : exit->tasks) {
        if (task < 0 || static_cast<std::size_t>(task) >= group.members.size()) continue;
        Member& member = group.members[static_cast<std::size_t>(task)];
        member.last_line_ns = monotonic_ns();
        member.last = exited(member, exit->status);
      }
      if (exit->status.signal != 0) keep_words(group, text);
      return;
    }
    for (const std::string& name : parse_node_failure(text)) {
      if (Member* member = group.find(name)) member->last = lost(*member, node_failure(text));
    }
    keep_words(group, text);
  }

  /// srun cuts long lines (after 1,024 bytes) and labels every piece: puts records together again.
  static void read_output(Member& member, const std::string& text, Events& events) {
    constexpr std::size_t kShortestPiece = 512;
    // What a container's start-up prints without a newline stands before it; inside of a record it is a
    // quote.
    const bool begins = member.begun.empty() ? text.find(record::kWirePrefix) != std::string::npos
                                             : text.starts_with(record::kWirePrefix);
    if (begins && !member.begun.empty()) line(member, false, std::exchange(member.begun, {}), events);
    if (member.begun.empty() && (!begins || text.size() < kShortestPiece)) {
      return line(member, false, text, events);
    }
    member.begun += text;
    const std::size_t prefix = std::min(member.begun.find(record::kWirePrefix), member.begun.size());
    const std::size_t json =
        std::min(member.begun.find('{', prefix), member.begun.size());  // after the nonce
    const bool whole = member.begun.back() == '}' && is_json(std::string_view(member.begun).substr(json));
    if (whole || member.begun.size() > kLongestRecord) {
      line(member, false, std::exchange(member.begun, {}), events);
    }
  }

  TransportEvent last_event(const Group& group, const Member& member, const ExitStatus& status) override {
    if (status.ok()) return exited(member, {});
    if (member.stopping) return exited(member, {kInterruptedCode, 0});
    if (status.signal != 0) return lost(member, killed_here("srun", status));
    // srun exits with the highest code of its tasks, and has named those that were not 0.
    const std::string words = telling_words(group.own_words);
    if (member.connected && words.empty()) return exited(member, {});
    return lost(member, {member.connected ? Loss::Class::kConnectionLost : Loss::Class::kOther,
                         words.empty() ? "srun ended: " + status.text() : words,
                         "look at sacct and at the logs of slurmd on the node"});
  }

  /// What slurmstepd says of a task comes before srun's word of its end or after it.
  TransportEvent settled(const Group& group, const Member& member, TransportEvent last) override {
    if (last.kind != TransportEvent::Kind::kExit || last.status.ok() || member.stopping) return last;
    if (const auto missing = missing_.find(member.id); missing != missing_.end() && !member.answered) {
      return lost(
          member,
          {Loss::Class::kNotInstalled, group.argv.front() + " cannot be started there: " + missing->second,
           "install sxbench at the same path on every node, or in the container image, or set "
           "paths.program in the cluster config"});
    }
    const bool ended_from_outside = last.status.signal != 0 || last.status.code == kInterruptedCode;
    const std::string cancelled = cancelling_words(group.own_words, member.messages);
    if (ended_from_outside && !cancelled.empty()) {
      return lost(member, {Loss::Class::kOther, "Slurm ended its step: " + cancelled,
                           "somebody cancelled it (scancel), or a limit of the job did: scontrol show job, "
                           "sacct; slurm.time sets the limit of an allocation that sxbench makes"});
    }
    return last;
  }

  void stop_process(Group& group, int grace_ms) override {
    if (grace_ms > 0) {
      processes_.end_input(group.process, grace_ms);
    } else {
      processes_.stop(group.process, 0);
    }
  }

 private:
  void hear_slurmstepd(const Member& member, const std::string& text) {
    if (says_program_is_missing(text)) missing_[member.id] = text;
  }

  /// "2: text", padded to the width of the last index.
  static Member* labelled(Group& group, const std::string& text) {
    const std::size_t colon = text.find(": ");
    std::size_t index = 0;
    const std::size_t begin = text.find_first_not_of(' ');
    if (colon == std::string::npos || begin == std::string::npos) return nullptr;
    const char* last = text.data() + colon;
    const auto [end, ec] = std::from_chars(text.data() + begin, last, index);
    return ec == std::errc() && end == last && index < group.members.size() ? &group.members[index] : nullptr;
  }

  static Loss node_failure(const std::string& text) {
    return {Loss::Class::kNoAnswer, "Slurm has lost it: " + text,
            "look at its console (BMC) and at sinfo; leave it out until it is back"};
  }

  static Loss no_allocation(const std::string& what) {
    return {
        Loss::Class::kOther, what,
        "check with sinfo that the nodes are free and the partition fits; timeouts.queue_s bounds the wait"};
  }

  static void give_up_all(std::vector<Group>& waiting, const Loss& loss, Events& events) {
    give_up(waiting, events, [&](const Member&) { return loss; });
  }

  const config::Cluster cluster_;
  const std::size_t nodes_;  ///< the first ones are what an allocation is made of
  const PrivateDir dir_;
  std::string job_;  ///< id of the allocation; empty: none yet
  int salloc_ = 0;   ///< the process that holds it, if it is ours
  std::int64_t asked_ns_ = 0;
  bool taking_back_ = false;  ///< it has waited too long in the queue, and ends its request
  std::string salloc_said_;
  std::map<int, std::string> missing_;  ///< by job: why its program could not be started
};

}  // namespace

Result<std::unique_ptr<Transport>> slurm_transport(const config::Cluster& cluster, int nodes) {
  SXB_ASSIGN_OR_RETURN(PrivateDir dir, PrivateDir::create("slurm"));
  return std::unique_ptr<Transport>(
      std::make_unique<SlurmTransport>(cluster, static_cast<std::size_t>(nodes), std::move(dir)));
}

}  // namespace sxb::launch
