#include "launch/push/distribute.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <system_error>

#include "base/clock.h"
#include "base/text.h"
#include "launch/os/interrupt.h"
#include "launch/push/push_facts.h"
#include "launch/transport/ssh.h"
#include "launch/transport/transports.h"

namespace sxb::launch {
namespace {

constexpr int kPollMs = 100;
constexpr std::int64_t kSecond = 1'000'000'000;
/// After this long without news, who is waited for is named.
constexpr std::int64_t kNewsNs = 5 * kSecond;
/// What any disk reads in a second: the proof of a folder reads all of it.
constexpr std::int64_t kSlowestDisk = 20 << 20;
constexpr int kMissingRsync = 93, kRefusedType = 94;  ///< exit codes of kPrepare alone

/// Arguments: the folder, the refused f_types. A folder that is not there yet is on the file system of the
/// nearest one that is. One line: csh and tcsh end a quoted word with it.
constexpr const char* kPrepare =
    "command -v rsync > /dev/null || exit 93; "
    "there=$1; "
    "until [ -e \"$there\" ]; do there=$(dirname -- \"$there\"); done; "
    "type=$(stat -f -c %t -- \"$there\") || exit 1; "
    "case \" $2 \" in *\" $type \"*) echo \"type $type\"; exit 94 ;; esac; "
    "mkdir -p -- \"$1\"";

/// The first line tells that the connection stands, so that others may be set up beside it.
constexpr const char* kSend = "echo sending; exec \"$@\"";

/// How one command on one node ended.
struct Ended {
  Answer answer;
  std::optional<Loss> loss;
  std::int64_t began_ns = 0;  ///< 0: it waits for its turn
};

class Distributor {
 public:
  Distributor(const Distribution& what, std::unique_ptr<Transport> transport, const Progress& progress)
      : what_(what), transport_(std::move(transport)), progress_(progress) {
    for (const config::Node& node : what.cluster.nodes) outcomes_.nodes.push_back({node.name, "", "", {}});
  }

  Outcomes run() {
    std::vector<int> targets(what_.cluster.nodes.size());
    std::iota(targets.begin(), targets.end(), 0);
    targets = prepare(targets);
    targets = send(targets);
    prove(targets);
    return std::move(outcomes_);
  }

 private:
  /// `node` has it, or failed.
  void finished() {
    news_ns_ = monotonic_ns();
    progress_.done(++done_count_);
  }

  void fail(int node, std::string reason, std::string help) {
    NodeOutcome& outcome = outcomes_.nodes[static_cast<std::size_t>(node)];
    outcome.reason = std::move(reason);
    outcome.help = std::move(help);
  }

  bool interrupted() {
    if (interrupts() > 0) outcomes_.interrupted = true;
    return outcomes_.interrupted;
  }

  Result<int> start_on(int node, const std::vector<std::string>& argv) {
    return transport_->start(what_.cluster.nodes[static_cast<std::size_t>(node)], argv, {}, "");
  }

  /// Hands out the commands that end within `timeout_ms`, by their jobs.
  void poll_nodes(int timeout_ms, const std::function<void(int job, Ended)>& ended) {
    transport_->poll(timeout_ms, [&](const TransportEvent& event) {
      Ended& state = commands_[event.job];
      switch (event.kind) {
        case TransportEvent::Kind::kStarted:
          state.began_ns = monotonic_ns();
          return;
        case TransportEvent::Kind::kLine:
          (event.from_stderr ? state.answer.err : state.answer.out).push_back(event.line);
          return;
        case TransportEvent::Kind::kLost:
          state.loss = event.loss;
          break;
        case TransportEvent::Kind::kExit:
          state.answer.status = event.status;
          break;
      }
      Ended result = std::move(state);
      commands_.erase(event.job);
      ended(event.job, std::move(result));
    });
  }

  /// How long a command may take that has nothing to do but to answer.
  std::int64_t patience_s() const {
    const config::Timeouts& timeouts = what_.cluster.timeouts;
    return 2 * timeouts.connect_s + timeouts.agent_silence_s;
  }

  /// Whether the command of `job` has had its time.
  bool is_overdue(int job, std::int64_t limit_s) const {
    const auto it = commands_.find(job);
    return it != commands_.end() && it->second.began_ns != 0 &&
           monotonic_ns() - it->second.began_ns > limit_s * kSecond;
  }

  /// One command on all `targets`; `each` hears how it ended on each. A node that takes longer than `limit_s`
  /// fails.
  void everywhere(const std::vector<int>& targets, const std::vector<std::string>& argv, std::int64_t limit_s,
                  const std::function<void(int node, const Ended&)>& each) {
    std::map<int, int> node_of;
    for (const int node : targets) {
      const Result<int> job = start_on(node, argv);
      if (job.ok()) {
        node_of[*job] = node;
        continue;
      }
      Ended ended;
      ended.loss = not_started(job.error());
      each(node, ended);
    }
    news_ns_ = monotonic_ns();
    while (!node_of.empty() && !interrupted()) {
      poll_nodes(kPollMs, [&](int job, const Ended& ended) {
        const auto it = node_of.find(job);
        if (it == node_of.end()) return;  // given up before
        const int node = it->second;
        node_of.erase(it);
        news_ns_ = monotonic_ns();
        each(node, ended);
      });
      give_up_overdue(node_of, limit_s, each);
      std::vector<int> waiting;
      for (const auto& [job, node] : node_of) waiting.push_back(node);
      tell_who_is_waited_for(waiting);
    }
    for (const auto& [job, node] : node_of) stop(job, node);
  }

  void give_up_overdue(std::map<int, int>& node_of, std::int64_t limit_s,
                       const std::function<void(int node, const Ended&)>& each) {
    for (auto it = node_of.begin(); it != node_of.end();) {
      const auto [job, node] = *it;
      if (!is_overdue(job, limit_s)) {
        ++it;
        continue;
      }
      transport_->stop(job, 0);
      it = node_of.erase(it);
      Ended ended;
      ended.loss = {
          Loss::Class::kNoAnswer, fmt::format("it has not answered for {} s", limit_s),
          fmt::format("its login hangs, or one of its disks: try ssh {} true; --exclude leaves it out",
                      what_.cluster.nodes[static_cast<std::size_t>(node)].host)};
      news_ns_ = monotonic_ns();
      each(node, ended);
    }
  }

  void tell_who_is_waited_for(std::vector<int> nodes) {
    if (nodes.empty() || monotonic_ns() - news_ns_ < kNewsNs) return;
    std::sort(nodes.begin(), nodes.end());
    if (nodes == told_) return;
    told_ = nodes;
    std::vector<std::string> names;
    for (const int node : nodes) names.push_back(what_.cluster.nodes[static_cast<std::size_t>(node)].name);
    progress_.waiting(names);
  }

  void stop(int job, int node) {
    transport_->stop(job, 0);
    fail(node, "interrupted", "call it again: what is there is not sent twice");
  }

  /// Makes the folder; returns the nodes that are ready for it.
  std::vector<int> prepare(const std::vector<int>& targets) {
    const std::string refused = what_.network_fs_allowed ? "" : network_file_system_types();
    std::vector<int> ready;
    everywhere(targets, {"/bin/sh", "-c", kPrepare, "prepare", what_.target.string(), refused}, patience_s(),
               [&](int node, const Ended& ended) {
                 if (explain_preparing(node, ended)) return;
                 ready.push_back(node);
                 // It prints nothing itself.
                 if (!ended.answer.out.empty()) login_said_[node] = ended.answer.out.front();
               });
    std::sort(ready.begin(), ready.end());
    return ready;
  }

  bool explain_preparing(int node, const Ended& ended) {
    const std::string& name = outcomes_.nodes[static_cast<std::size_t>(node)].node;
    if (ended.loss) {
      fail(node, ended.loss->what, ended.loss->help);
    } else if (ended.answer.status.code == kMissingRsync) {
      fail(node, "rsync is not installed", fmt::format("on {}: apt-get install rsync", name));
    } else if (ended.answer.status.code == kRefusedType) {
      const std::string line = ended.answer.out.empty() ? "" : ended.answer.out.back();
      fail(node,
           fmt::format("{} is on a network file system ({})", what_.target.string(),
                       network_file_system(line.substr(std::min<std::size_t>(line.size(), 5)))),
           "choose a folder on a disk of the node with --to; --allow-network-fs sends it there all the same");
    } else if (!ended.answer.status.ok()) {
      fail(node, reason_of(ended.answer), fmt::format("make {} writable there", what_.target.string()));
    } else {
      return false;
    }
    finished();
    return true;
  }

  void start_transfer(const Transfer& transfer) {
    const config::Node& node = what_.cluster.nodes[static_cast<std::size_t>(transfer.target)];
    const bool from_head = transfer.source == kHead;
    std::vector<std::string> argv =
        rsync_argv(what_.cluster, node, from_head, from_head ? what_.source : what_.target, what_.target,
                   what_.checksum);
    if (from_head) {
      ProcessSpec spec;
      spec.argv = std::move(argv);
      spec.die_with_parent = true;
      const Result<int> id = own_.start(spec);
      if (id.ok()) {
        from_head_[*id] = {transfer, {}};
      } else {
        rounds_->failed(transfer);
        fail(transfer.target, id.error().where + ": " + id.error().what, id.error().help);
        finished();
      }
      return;
    }
    argv.insert(argv.begin(), {"/bin/sh", "-c", kSend, "send"});
    const Result<int> job = start_on(transfer.source, argv);
    if (job.ok()) {
      between_[*job] = transfer;
    } else {
      rounds_->failed(transfer);
    }
  }

  void finish_transfer(const Transfer& transfer, const Answer& answer) {
    const std::optional<Sent> sent = parse_rsync_stats(answer.out);
    if (answer.status.ok() && sent) {
      rounds_->succeeded(transfer);
      outcomes_.nodes[static_cast<std::size_t>(transfer.target)].sent = sent;
      sent_to_.push_back(transfer.target);
    } else if (rounds_->failed(transfer)) {
      return;
    } else {
      const auto target = static_cast<std::size_t>(transfer.target);
      fail(transfer.target, "rsync: " + reason_of(answer),
           copy_help(answer, what_.cluster.nodes[target], login_said_[transfer.target]));
    }
    finished();
  }

  void poll_head(int timeout_ms) {
    own_.poll(timeout_ms, [&](const ProcessEvent& event) {
      auto& [transfer, answer] = from_head_.at(event.id);
      if (event.kind == ProcessEvent::Kind::kLine) {
        (event.from_stderr ? answer.err : answer.out).push_back(event.line);
        return;
      }
      answer.status = event.status;
      finish_transfer(transfer, answer);
      from_head_.erase(event.id);
    });
  }

  /// Returns the nodes that have the folder.
  std::vector<int> send(const std::vector<int>& targets) {
    rounds_ = std::make_unique<DistributionRounds>(targets, what_.cluster.fanout);
    news_ns_ = monotonic_ns();
    while (!rounds_->finished() && !interrupted()) {
      while (const std::optional<Transfer> transfer = rounds_->next()) start_transfer(*transfer);
      // Two places to listen at: neither may keep the other waiting.
      poll_head(between_.empty() ? kPollMs : kPollMs / 5);
      poll_nodes(from_head_.empty() ? kPollMs : kPollMs / 5, [&](int job, const Ended& ended) {
        const auto it = between_.find(job);
        if (it == between_.end()) return;  // given up before
        Answer answer = ended.answer;
        if (ended.loss) answer.status.code = kSshFailed;
        const Transfer transfer = it->second;
        between_.erase(it);
        finish_transfer(transfer, answer);
      });
      give_up_silent_sources();
      std::vector<int> waiting;
      for (const auto& [id, running] : from_head_) waiting.push_back(running.first.target);
      for (const auto& [job, transfer] : between_) waiting.push_back(transfer.target);
      tell_who_is_waited_for(waiting);
    }
    if (outcomes_.interrupted) {
      own_.stop_all(0);
      for (const auto& [job, transfer] : between_) transport_->stop(job, 0);
      for (const int node : targets) {
        NodeOutcome& outcome = outcomes_.nodes[static_cast<std::size_t>(node)];
        if (!outcome.sent && outcome.reason.empty())
          fail(node, "interrupted", "call it again: what is there is not sent twice");
      }
    }
    std::sort(sent_to_.begin(), sent_to_.end());
    return sent_to_;
  }

  /// A source that does not even begin: the head sends instead. Once it has begun, rsync's --timeout bounds
  /// it.
  void give_up_silent_sources() {
    for (auto it = between_.begin(); it != between_.end();) {
      const auto [job, transfer] = *it;
      const auto command = commands_.find(job);
      const bool silent = command != commands_.end() && command->second.answer.out.empty();
      if (!silent || !is_overdue(job, patience_s())) {
        ++it;
        continue;
      }
      transport_->stop(job, 0);
      it = between_.erase(it);
      rounds_->failed(transfer);
    }
  }

  void prove(const std::vector<int>& targets) {
    const std::int64_t limit_s = patience_s() + bytes_in(what_.source) / kSlowestDisk;
    everywhere(targets, what_.proof, limit_s, [&](int node, const Ended& ended) {
      if (ended.loss && ended.loss->kind != Loss::Class::kNotInstalled) {
        fail(node, ended.loss->what, ended.loss->help);
      } else if (ended.loss) {
        const std::string said = ended.answer.err.empty() ? "" : ": " + reason_of(ended.answer);
        fail(node, ended.loss->what + said, "sxbench deploy puts the head's sxbench there");
      } else if (const std::string wrong = what_.judge(ended.answer); !wrong.empty()) {
        fail(node, wrong, "send it again with --checksum, which compares contents, not size and time");
      }
    });
  }

  const Distribution& what_;
  std::unique_ptr<Transport> transport_;
  const Progress& progress_;
  Outcomes outcomes_;
  std::map<int, Ended> commands_;  ///< by the transport's job
  std::unique_ptr<DistributionRounds> rounds_;
  ProcessSet own_;  ///< rsyncs of this machine
  std::map<int, std::pair<Transfer, Answer>> from_head_;
  std::map<int, Transfer> between_;  ///< by the transport's job
  std::vector<int> sent_to_;
  std::map<int, std::string> login_said_;  ///< by node: before the command that was asked for
  int done_count_ = 0;
  std::int64_t news_ns_ = 0;  ///< when a node last ended what it was asked
  std::vector<int> told_;     ///< who was named last as waited for
};

/// Once, in place of one error per node.
Status find_rsync() {
  ProcessSet probe;
  ProcessSpec spec;
  spec.argv = {"rsync", "--version"};
  const Result<int> id = probe.start(spec);
  if (!id.ok()) {
    return Error{"rsync is not installed on this machine", "",
                 "here and on every node: apt-get install rsync", ExitCode::kEnvironment};
  }
  while (!probe.empty()) probe.poll(kPollMs, [](const ProcessEvent&) {});
  return ok_status();
}

}  // namespace

Result<Outcomes> distribute(const Distribution& distribution, const Progress& progress) {
  SXB_RETURN_IF_ERROR(find_rsync());
  SXB_ASSIGN_OR_RETURN(auto transport, ssh_transport(distribution.cluster,
                                                     static_cast<int>(distribution.cluster.nodes.size())));
  return Distributor(distribution, std::move(transport), progress).run();
}

}  // namespace sxb::launch
