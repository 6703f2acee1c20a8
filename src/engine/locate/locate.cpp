#include "engine/locate/locate.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>

#include "base/clock.h"
#include "engine/bench/memory/memory.h"
#include "engine/comm/group.h"
#include "engine/locate/control.h"
#include "engine/locate/matmul.h"
#include "engine/locate/network.h"
#include "engine/locate/probe.h"
#include "engine/rank/peers.h"
#include "plan/locate/locate.h"
#include "record/kinds/locate.h"

namespace sxb::engine::locate {
namespace {

using plan::LocateStage;
using plan::ProbeResult;
using plan::ProbeRound;

constexpr double kMatmulSeconds = 0.3;
constexpr const char* kCollective = "all_reduce";

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }
std::optional<double> number(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_number() ? std::optional(it->get<double>()) : std::nullopt;
}

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1e3));
}

/// An answer may take a connection, a warm-up and the last iteration of a figure that each just hold the
/// limit, and each way of a pair as much again.
std::chrono::milliseconds answer_limit(const plan::Locate& config) {
  constexpr double kSlackSeconds = 15;
  return milliseconds(4 * config.timeout_s + 3 * config.probe_s + kSlackSeconds);
}

std::vector<int> all_ranks(const plan::RankTask& task) {
  std::vector<int> ranks(static_cast<std::size_t>(task.world));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

/// One ring: `ranks` of the world. `probe` and `rail` say whose figure it is.
struct Group {
  int probe = 0, rail = 0;
  std::vector<int> ranks;
};

/// What every rank does with a round: finds its group, connects, waits for all others to have connected,
/// probes.
class Member {
 public:
  Member(const plan::RankTask& task, comm::Rendezvous& rendezvous, Control& control, NetworkWatch& network)
      : task_(task),
        rendezvous_(rendezvous),
        control_(control),
        network_(network),
        memory_(task.cuda ? bench::make_cuda_memory() : bench::make_host_memory(task.local_world)),
        prober_(*memory_, task.task.locate.size_bytes, task.task.locate.probe_s) {}

  std::int64_t bytes() const { return prober_.bytes(); }
  bool done() const { return done_; }
  /// What ends the search on every rank.
  const std::optional<EngineError>& error() const { return error_; }

  /// The first half of a round, up to "ready".
  void connect(const Json& round) {
    comm_.reset();  // the last round is over on every rank: nobody is still waiting for us in it
    ranks_.clear();
    failure_.clear();
    topic_ = std::to_string(round.at("number").get<int>());
    done_ = round.at("groups").empty();
    if (const auto error = round.find("error"); error != round.end()) {
      error_.emplace(error->at("message").get<std::string>(), error->at("code").get<std::string>(),
                     error->at("help").get<std::string>(), ExitCode::kEnvironment);
    }
    stage_ = round.at("stage").get<std::string>();
    for (const Json& group : round.at("groups")) {
      const auto ranks = group.at("ranks").get<std::vector<int>>();
      if (std::find(ranks.begin(), ranks.end(), task_.rank) == ranks.end()) continue;
      ranks_ = ranks;
      alone_ = group.at("alone").get<bool>();
    }
    if (ranks_.empty()) return;
    if (ranks_.size() > 1) {
      network_.begin();
      failure_ = guarded([&] { comm_ = create(); });
    }
    control_.answer("ready/" + topic_, failure_);
  }

  /// The second half; `broken`: ranks whose group lacks a member.
  void probe() {
    if (ranks_.empty()) return;
    const Json broken = control_.hear("go/" + topic_);
    Json result = Json::object();
    if (failure_.empty() && !broken.empty()) {
      const auto lost = std::find_if(broken.begin(), broken.end(), [&](const Json& item) {
        return std::find(ranks_.begin(), ranks_.end(), item.at("rank").get<int>()) != ranks_.end();
      });
      if (lost != broken.end()) failure_ = lost->at("failure").get<std::string>();
    }
    // Ranks on a CPU share its cores, often with those of other nodes: their speed says nothing about a
    // device.
    if (alone_ && task_.cuda) result["tflops"] = matmul_tflops(kMatmulSeconds);
    if (failure_.empty() && comm_) failure_ = guarded([&] { measure(result); });
    if (!failure_.empty()) result["failure"] = failure_;
    if (const auto transports = network_.end(!alone_)) result["transports"] = to_json(*transports);
    control_.answer("result/" + topic_, result);
  }

 private:
  std::unique_ptr<comm::Communicator> create() {
    comm::CommunicatorOptions options;
    options.name = "locate/" + topic_ + "/" + std::to_string(ranks_.front());
    options.timeout = milliseconds(task_.task.locate.timeout_s);
    const int place = static_cast<int>(std::find(ranks_.begin(), ranks_.end(), task_.rank) - ranks_.begin());
    const int world = static_cast<int>(ranks_.size());
    return task_.cuda ? comm::create_nccl_group(rendezvous_, options, place, world)
                      : comm::create_gloo_group(rendezvous_, options, place, world);
  }

  void measure(Json& result) {
    const bool ways = stage_ == plan::to_string(LocateStage::kConfirm) && !alone_;
    const ProbeFigures figures = prober_.probe(*comm_, ways);
    if (figures.wrong > 0) failure_ = std::to_string(figures.wrong) + " wrong elements were received";
    result["time_us"] = figures.time_us;
    result["iterations"] = figures.iterations;
    result["a_to_b_gBps"] = or_null(figures.first_to_second_gBps);
    result["b_to_a_gBps"] = or_null(figures.second_to_first_gBps);
  }

  /// What the network or a peer did; anything else is not a result but an error.
  template <typename F>
  std::string guarded(F&& f) {
    try {
      f();
      return failure_;
    } catch (const EngineError& error) {
      const bool network = error.code == "gloo_error" || error.code == "nccl_error" ||
                           error.code == "collective_timeout" || error.code == "rendezvous_timeout";
      if (!network) throw;
      comm_.reset();
      return error.what();
    }
  }

  const plan::RankTask& task_;
  comm::Rendezvous& rendezvous_;
  Control& control_;
  NetworkWatch& network_;
  std::unique_ptr<bench::Memory> memory_;
  Prober prober_;
  std::string topic_, stage_, failure_;
  bool done_ = false, alone_ = false;
  std::optional<EngineError> error_;
  std::vector<int> ranks_;
  std::unique_ptr<comm::Communicator> comm_;
};

/// Rank 0's other half: knows who is where, decides, and records.
class Leader {
 public:
  Leader(const plan::RankTask& task, std::int64_t bytes, Control& control, const Emitter& emitter)
      : task_(task), config_(task.task.locate), bytes_(bytes), control_(control), emitter_(emitter) {
    for (const auto& [rank, place] : control_.collect("place", all_ranks(task))) {
      const auto node = place.at("node_rank").get<std::size_t>();
      if (node >= nodes_.size()) nodes_.resize(node + 1);
      nodes_[node].name = place.at("node").get<std::string>();
      nodes_[node].ranks.push_back(rank);             // by local rank: ranks are numbered node by node
      peers_.push_back({nodes_[node].name, "", {}});  // its GPU: check_same_gpus()
    }
    for (const Node& node : nodes_) ranks_.push_back(static_cast<int>(node.ranks.size()));
  }

  void announce() {
    groups_.clear();
    if (error_) {
      return control_.say(
          "round/" + std::to_string(round_.number + 1),
          {{"groups", Json::array()},
           {"number", round_.number + 1},
           {"stage", ""},
           {"error", {{"message", error_->message}, {"code", error_->code}, {"help", error_->help}}}});
    }
    round_ = plan::next_round(config_, ranks_, results_);
    for (std::size_t i = 0; i < round_.probes.size(); ++i)
      add_groups(static_cast<int>(i), round_.probes[i].nodes);
    Json groups = Json::array();
    for (const Group& group : groups_) {
      groups.push_back(
          {{"ranks", group.ranks}, {"alone", round_.probes[index(group.probe)].nodes.size() == 1}});
    }
    control_.say("round/" + std::to_string(round_.number),
                 {{"number", round_.number}, {"stage", plan::to_string(round_.stage)}, {"groups", groups}});
  }

  /// Waits until everybody is connected, then lets all begin at once.
  void start() {
    Json broken = Json::array();
    for (const auto& [rank, failure] : control_.collect("ready/" + topic(), members())) {
      if (failure != "") broken.push_back({{"rank", rank}, {"failure", failure}});
    }
    control_.say("go/" + topic(), broken);
  }

  void gather() {
    const std::map<int, Json> answers = control_.collect("result/" + topic(), members());
    std::vector<ProbeResult> results;
    for (const plan::Probe& probe : round_.probes)
      results.push_back({round_.stage, round_.number, probe.nodes, {}, {}, ""});
    for (const Group& group : groups_) {
      ProbeResult& result = results[index(group.probe)];
      const Json figures = join(group, answers);
      const std::string failure = figures.value("failure", "");
      if (!failure.empty()) result.failure = failure;
      result.busbw_gBps.push_back(number(figures, "busbw_gBps"));
      if (result.nodes.size() == 1) {
        for (const int rank : group.ranks) result.tflops.push_back(number(answers.at(rank), "tflops"));
      }
      emit(group, result, figures);
    }
    std::move(results.begin(), results.end(), std::back_inserter(results_));
    for (const auto& [rank, answer] : answers) {
      if (answer.contains("transports"))
        peers_[index(rank)].transports = transports_of(answer.at("transports"));
    }
    if (round_.probes.front().nodes.size() > 1) judge_network();
  }

  void finish(std::int64_t began_ns) {
    record::Locate end;
    end.nodes = static_cast<int>(nodes_.size());
    end.rounds = round_.number;
    end.repeats = config_.rounds;
    end.all_pairs = *end.nodes <= config_.all_pairs;
    end.size_bytes = bytes_;
    end.duration_s = static_cast<double>(monotonic_ns() - began_ns) * 1e-9;
    emitter_.emit(end);
  }

 private:
  struct Node {
    std::string name;
    std::vector<int> ranks;
  };

  static std::size_t index(int i) { return static_cast<std::size_t>(i); }

  /// After the first round between nodes: whether NCCL does there what the cluster's description promises.
  void judge_network() {
    if (judged_ || !task_.cuda) return;
    judged_ = true;
    for (const record::Finding& finding : rank::judge_peers(task_, peers_)) {
      if (finding.severity != "error") {
        emitter_.emit(finding);
      } else if (!error_) {
        error_ = finding;
      }
    }
  }

  std::string topic() const { return std::to_string(round_.number); }

  void add_groups(int probe, const std::vector<int>& nodes) {
    if (nodes.size() == 1) return groups_.push_back({probe, 0, nodes_[index(nodes.front())].ranks});
    int rails = ranks_[index(nodes.front())];
    for (const int node : nodes) rails = std::min(rails, ranks_[index(node)]);
    for (int rail = 0; rail < rails; ++rail) {
      Group group{probe, rail, {}};
      for (const int node : nodes) group.ranks.push_back(nodes_[index(node)].ranks[index(rail)]);
      groups_.push_back(std::move(group));
    }
  }

  std::vector<int> members() const {
    std::vector<int> ranks;
    for (const Group& group : groups_) ranks.insert(ranks.end(), group.ranks.begin(), group.ranks.end());
    return ranks;
  }

  /// The figures of the group's first rank, which are the same on all, or the first failure.
  Json join(const Group& group, const std::map<int, Json>& answers) const {
    for (const int rank : group.ranks) {
      if (answers.at(rank).contains("failure")) return {{"failure", answers.at(rank).at("failure")}};
    }
    Json figures = answers.at(group.ranks.front());
    if (const auto time_us = number(figures, "time_us")) {
      figures["busbw_gBps"] =
          or_null(all_reduce_busbw_gBps(bytes_, *time_us, static_cast<int>(group.ranks.size())));
    }
    return figures;
  }

  void emit(const Group& group, const ProbeResult& result, const Json& figures) const {
    if (result.nodes.size() == 1) {
      auto node = probed<record::LocateNode>(group, figures);
      node.node = nodes_[index(result.nodes.front())].name;
      node.tflops = result.tflops;
      return emitter_.emit(node);
    }
    if (result.nodes.size() == 2) {
      auto link = probed<record::LocateLink>(group, figures);
      link.rail = group.rail;
      link.a = record::LocateEnd{nodes_[index(result.nodes[0])].name, group.ranks[0]};
      link.b = record::LocateEnd{nodes_[index(result.nodes[1])].name, group.ranks[1]};
      link.a_to_b_gBps = number(figures, "a_to_b_gBps");
      link.b_to_a_gBps = number(figures, "b_to_a_gBps");
      return emitter_.emit(link);
    }
    auto ring = probed<record::LocateGroup>(group, figures);
    ring.rail = group.rail;
    for (const int node : result.nodes) ring.nodes.push_back(nodes_[index(node)].name);
    emitter_.emit(ring);
  }

  /// What the records of all probes have in common.
  template <typename Kind>
  Kind probed(const Group& group, const Json& figures) const {
    Kind fields;
    fields.stage = plan::to_string(round_.stage);
    fields.round = round_.number;
    fields.collective = kCollective;
    fields.size_bytes = bytes_;
    fields.ranks = static_cast<int>(group.ranks.size());
    fields.busbw_gBps = number(figures, "busbw_gBps");
    fields.time_us = number(figures, "time_us");
    if (const auto count = figures.find("iterations"); count != figures.end())
      fields.iterations = count->template get<int>();
    fields.failure = figures.value("failure", "");
    return fields;
  }

  const plan::RankTask& task_;
  const plan::Locate& config_;
  std::int64_t bytes_;
  Control& control_;
  const Emitter& emitter_;
  std::vector<rank::Peer> peers_;  ///< by rank
  bool judged_ = false;
  std::optional<record::Finding> error_;  ///< ends the search
  std::vector<Node> nodes_;
  std::vector<int> ranks_;  ///< of each node
  ProbeRound round_;
  std::vector<Group> groups_;
  std::vector<ProbeResult> results_;
};

}  // namespace

void run_locate(const plan::RankTask& task, comm::Rendezvous& rendezvous, record::Device device,
                const Emitter& emitter) {
  const std::int64_t began_ns = monotonic_ns();
  Control control(rendezvous, answer_limit(task.task.locate));
  const std::string gpu = device.name;
  control.answer("place", {{"node", task.node}, {"node_rank", task.node_rank}});
  NetworkWatch network(std::move(device), task.cuda && task.local_world < task.world, emitter);
  if (task.cuda) rank::check_same_gpus(task, gpu, rendezvous);
  Member member(task, rendezvous, control, network);
  std::optional<Leader> leader;
  if (task.rank == 0) leader.emplace(task, member.bytes(), control, emitter);
  for (int number = 0;; ++number) {
    if (leader) leader->announce();
    member.connect(control.hear("round/" + std::to_string(number)));
    if (member.done()) break;
    if (leader) leader->start();
    member.probe();
    if (leader) leader->gather();
  }
  control.answer("bye", nullptr);
  if (leader) {
    if (!member.error()) leader->finish(began_ns);
    // Rank 0 serves the rendezvous until all have read its last word.
    control.collect("bye", all_ranks(task));
  }
  if (member.error()) throw *member.error();
}

}  // namespace sxb::engine::locate
