#include "analysis/model/expected.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "analysis/model/latency_bandwidth_fit.h"
#include "plan/collectives.h"

namespace sxb::analysis {
namespace {

using config::CollectiveShare;
using config::Interconnects;
using config::NetworkPath;

/// One algorithm's asymptote with what limits it.
struct Candidate {
  std::string algorithm, resource, arithmetic;
  double busbw_gBps = 0;
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// NCCL's names, in any of its spellings, to ours; "" for one without a model.
std::string algorithm_name(const std::string& text) {
  const std::string name = lower(text);
  if (name == "ring") return "Ring";
  if (name == "tree") return "Tree";
  if (name == "nvls") return "NVLS";
  if (name == "nvls_tree" || name == "nvlstree") return "NVLSTree";
  return "";
}

std::string variable(const AlgorithmFacts& facts, const char* name) {
  const auto it = facts.env.find(name);
  return it == facts.env.end() ? "" : it->second;
}

bool uses_algorithms(const std::string& collective) {
  for (const char* name : {"all_reduce", "all_gather", "reduce_scatter", "broadcast", "reduce"}) {
    if (collective == name) return true;
  }
  return false;
}

const Candidate& slower(const Candidate& a, const Candidate& b) {
  return a.busbw_gBps <= b.busbw_gBps ? a : b;
}

/// The candidates for one collective; `share` is what it reaches of each.
class Model {
 public:
  Model(const Topology& topology, const Interconnects& paths, const NetworkPath* network, double share)
      : t_(topology), paths_(paths), network_(network), share_(share) {}

  std::vector<Candidate> one_host(const std::string& collective) const {
    const double ring = t_.nvlink_gBps * paths_.node.ring_share * share_;
    std::vector<Candidate> out = {{uses_algorithms(collective) ? "Ring" : "p2p", "NVLink",
                                   fmt::format("{:g} GB/s NVLink x {:g}{} = {:.1f} GB/s", t_.nvlink_gBps,
                                               paths_.node.ring_share, share_text(), ring),
                                   ring}};
    if (collective == "all_reduce" && t_.nvlink_reduction) out.push_back(switch_reduction("NVLS"));
    return out;
  }

  std::vector<Candidate> several_hosts(const std::string& collective) const {
    if (collective == "alltoall") return {all_to_all()};
    if (collective == "sendrecv") return {boundary()};
    std::vector<Candidate> out = {ring()};
    if (collective != "all_reduce") return out;
    out.push_back(tree("Tree"));
    if (t_.nvlink_reduction && t_.ranks_per_host > 1) out.push_back(tree("NVLSTree"));
    return out;
  }

 private:
  double n() const { return t_.ranks; }
  double g() const { return t_.ranks_per_host; }
  std::string share_text() const { return share_ == 1 ? "" : fmt::format(" x {:g}", share_); }
  double nic_payload() const {
    const double line = t_.nic_gBps * network_->payload_share;
    return behind_pcie() ? t_.nic_pcie_gBps * paths_.pcie_copy_share : line;
  }
  bool behind_pcie() const {
    return t_.nic_pcie_gBps > 0 &&
           t_.nic_pcie_gBps * paths_.pcie_copy_share < t_.nic_gBps * network_->payload_share;
  }
  std::string nic_name() const { return behind_pcie() ? "PCIe of the NIC" : "NIC"; }
  std::string nic_text() const {
    return behind_pcie() ? fmt::format("{:g} GB/s PCIe x {:g}", t_.nic_pcie_gBps, paths_.pcie_copy_share)
                         : fmt::format("{:g} GB/s x {:g}", t_.nic_gBps, network_->payload_share);
  }
  double host_payload() const { return t_.nics * t_.nic_share * nic_payload(); }
  std::string host_text() const { return fmt::format("{:g} x {}", t_.nics * t_.nic_share, nic_text()); }

  /// algbw of reduction in the switch is a fixed share of NVLink; NVLSTree reduces inside the host the same
  /// way, so its busbw is bound as on one host.
  Candidate switch_reduction(const char* algorithm) const {
    const double busbw = t_.nvlink_gBps * paths_.node.reduction_share * 2 * (g() - 1) / g() * share_;
    return {algorithm, "NVSwitch",
            fmt::format("{:g} GB/s NVLink x {:g} x 2({:g}-1)/{:g}{} = {:.1f} GB/s", t_.nvlink_gBps,
                        paths_.node.reduction_share, g(), g(), share_text(), busbw),
            busbw};
  }

  /// Every host boundary carries busbw, and of the g ranks of a host g-1 pass it on over NVLink.
  Candidate ring() const {
    const double wire = host_payload() * share_;
    Candidate nic = {"Ring", nic_name(), fmt::format("{}{} = {:.1f} GB/s", host_text(), share_text(), wire),
                     wire};
    if (g() < 2) return nic;
    const double nvlink = t_.nvlink_gBps * paths_.node.ring_share * g() / (g() - 1) * share_;
    return slower(nic, {"Ring", "NVLink",
                        fmt::format("{:g} GB/s NVLink x {:g} x {:g}/({:g}-1){} = {:.1f} GB/s", t_.nvlink_gBps,
                                    paths_.node.ring_share, g(), g(), share_text(), nvlink),
                        nvlink});
  }

  /// Two hosts exchange S once each way; of more, the busiest sends 2S. Inside a host NVLS, or a chain in
  /// which every GPU sends each byte up and down.
  Candidate tree(const char* algorithm) const {
    const double times = t_.hosts == 2 ? 2 : 1;
    const double wire = times * (n() - 1) / n() * host_payload() * share_;
    Candidate nic = {algorithm, nic_name(),
                     fmt::format("{:g}({:g}-1)/{:g} x {}{} = {:.1f} GB/s", times, n(), n(), host_text(),
                                 share_text(), wire),
                     wire};
    if (g() < 2) return nic;
    if (std::string(algorithm) == "NVLSTree") return slower(nic, switch_reduction("NVLSTree"));
    const double chain = t_.nvlink_gBps * paths_.node.ring_share * (n() - 1) / n() * share_;
    return slower(nic, {algorithm, "NVLink",
                        fmt::format("{:g} GB/s NVLink x {:g} x ({:g}-1)/{:g}{} = {:.1f} GB/s", t_.nvlink_gBps,
                                    paths_.node.ring_share, n(), n(), share_text(), chain),
                        chain});
  }

  Candidate all_to_all() const {
    const double busbw = host_payload() / g() * (n() - 1) / (n() - g()) * share_;
    return {"p2p", nic_name(),
            fmt::format("{} / {:g} GPUs x ({:g}-1)/({:g}-{:g}){} = {:.1f} GB/s", host_text(), g(), n(), n(),
                        g(), share_text(), busbw),
            busbw};
  }

  /// The hop between two hosts runs over one NIC.
  Candidate boundary() const {
    const double busbw = nic_payload() * share_;
    return {"p2p", nic_name(), fmt::format("{}{} = {:.1f} GB/s", nic_text(), share_text(), busbw), busbw};
  }

  const Topology& t_;
  const Interconnects& paths_;
  const NetworkPath* network_;
  double share_;
};

/// NCCL's own latency model for its protocol LL: the faster of ring and tree for all_reduce, a ring for
/// all_gather and reduce_scatter, one hop for what has a direct path.
double alpha_us(const std::string& collective, const Topology& t, const config::NodePath& node,
                const NetworkPath* network) {
  const double n = t.ranks;
  const double k = t.hosts;
  const double ring_net = network != nullptr ? network->ring_hop_us : node.ring_hop_us;
  const double tree_net = network != nullptr ? network->tree_hop_us : 0;
  if (collective == "all_reduce") {
    const double between = k > 1 ? 2 * k : 0;
    const double ring = (2 * (n - 1) - between) * node.ring_hop_us + between * ring_net;
    const double tree = 2 * ((n / k - 1) * node.tree_hop_us + std::floor(std::log2(k)) * tree_net);
    return node.base_us + std::min(ring, tree);
  }
  if (collective == "all_gather" || collective == "reduce_scatter")
    return node.base_us + (n - k) * node.ring_hop_us + (k - 1) * ring_net;
  return node.base_us + (k > 1 ? ring_net : node.ring_hop_us);
}

/// Why nothing can be expected before any figure is looked at; "" if something can.
std::string blocked(const Topology& t, const AlgorithmFacts& facts) {
  if (t.backend != "nccl") return "no model for CPU ranks";
  if (t.ranks < 2) return "one rank transfers nothing";
  if (t.hosts < 1) return "the records do not say on how many machines the ranks were";
  if (t.mixed_gpus) return "the ranks have different GPUs";
  if (t.gpu.empty()) return "the records do not name the GPU";
  if (t.ranks_per_host < 1) return "the machines have different numbers of ranks";
  if (facts.registration == "symmetric" || facts.path.find("ncclSymk") != std::string::npos)
    return "no model for kernels on symmetric windows";
  if (facts.path.starts_with("copy engine")) return "no model for copy engines";
  return "";
}

std::string blocked_path(const Topology& t, const AlgorithmFacts& facts, const NetworkPath* network) {
  if (t.ranks_per_host > 1) {
    if (t.nvlink_gBps <= 0) return fmt::format("{} has no NVLink in configs/hardware/gpus.json", t.gpu);
    if (variable(facts, "NCCL_P2P_DISABLE") == "1" || variable(facts, "NCCL_P2P_LEVEL") == "LOC")
      return "NVLink is switched off (NCCL_P2P_DISABLE or NCCL_P2P_LEVEL)";
  }
  if (t.hosts == 1)
    return t.net.empty() ? "" : fmt::format("NCCL used its network ({}) within one machine", t.net);
  if (t.net == "Socket") return "NCCL ran over TCP sockets, for which there is no model";
  if (t.nics < 1 || t.nic_gBps <= 0) return "the cluster config names no NIC line rate (network.nics)";
  if (network == nullptr)
    return fmt::format("configs/hardware/interconnects.json has no fabric \"{}\" (network.fabric)", t.fabric);
  return "";
}

/// The algorithm that is known to have run ("" = not known) and by whom.
std::pair<std::string, std::string> known_algorithm(const AlgorithmFacts& facts) {
  if (!facts.recorded.empty()) return {facts.recorded, "recorded"};
  return {variable(facts, "NCCL_ALGO"), "NCCL_ALGO"};
}

/// Takes the candidate that ran, or the fastest that NCCL may take.
Expected choose(std::vector<Candidate> candidates, const AlgorithmFacts& facts) {
  const bool direct = candidates.front().algorithm == "p2p";
  const auto [known, by] = known_algorithm(facts);
  const std::string name = algorithm_name(known);
  Expectation out;
  if (!direct && by == "recorded" && name.empty())
    return {{}, fmt::format("no model for algorithm {}", known)};
  if (!direct && !name.empty()) {
    std::erase_if(candidates, [&](const Candidate& candidate) { return candidate.algorithm != name; });
    if (candidates.empty()) return {{}, fmt::format("no model for {} here ({})", name, by)};
    out.chosen_by = by;
  } else if (!direct) {
    if (variable(facts, "NCCL_COLLNET_ENABLE") == "1")
      return {{}, "NCCL_COLLNET_ENABLE=1: no model for reduction in the network"};
    const std::string nvls = variable(facts, "NCCL_NVLS_ENABLE");
    if (nvls == "0")
      std::erase_if(candidates,
                    [](const Candidate& candidate) { return candidate.algorithm.starts_with("NVLS"); });
    out.chosen_by = "likely";
  }
  const auto [worst, fastest] =
      std::minmax_element(candidates.begin(), candidates.end(),
                          [](const Candidate& a, const Candidate& b) { return a.busbw_gBps < b.busbw_gBps; });
  const Candidate& best = *fastest;
  out.slowest_gBps = worst->busbw_gBps;
  out.algorithm = best.algorithm;
  out.resource = best.resource;
  out.arithmetic = best.arithmetic;
  out.busbw_gBps = best.busbw_gBps;
  return {out, ""};
}

}  // namespace

double Expectation::time_us(double size_bytes) const {
  return alpha_us + ramp_us * std::sqrt(size_bytes) / kRampUnit + size_bytes / (algbw_gBps() * 1e3);
}

Expectation Expectation::slowest() const {
  Expectation out = *this;
  out.busbw_gBps = slowest_gBps;
  return out;
}

double Expectation::busbw_at(double size_bytes) const {
  return size_bytes / time_us(size_bytes) * 1e-3 * factor;
}

Expected expect_collective(const std::string& collective, const Topology& t, const AlgorithmFacts& facts,
                           const Interconnects& paths) {
  if (std::string why = blocked(t, facts); !why.empty()) return {{}, std::move(why)};
  const NetworkPath* network = t.hosts > 1 ? paths.network(t.fabric) : nullptr;
  if (std::string why = blocked_path(t, facts, network); !why.empty()) return {{}, std::move(why)};
  const std::vector<CollectiveShare>& shares = t.hosts > 1 ? network->collectives : paths.node.collectives;
  const CollectiveShare* share = config::find_share(shares, collective);
  const auto factor = plan::bus_bandwidth_factor(collective, t.ranks);
  if (share == nullptr || !factor) {
    return {{},
            fmt::format("configs/hardware/interconnects.json has no figure for {} {}", collective,
                        t.hosts > 1 ? "between hosts" : "within a host")};
  }
  const Model model(t, paths, network, share->share);
  Expected out = choose(t.hosts > 1 ? model.several_hosts(collective) : model.one_host(collective), facts);
  if (!out.value) return out;
  out.value->factor = *factor;
  out.value->alpha_us = alpha_us(collective, t, paths.node, network);
  out.value->ramp_us = network != nullptr ? network->ramp_us : paths.node.ramp_us;
  out.value->pass = share->pass.value_or(paths.thresholds.pass);
  out.value->warn = share->warn.value_or(paths.thresholds.warn);
  return out;
}

std::optional<double> nic_wire_gBps(const std::string& collective, const std::string& algorithm,
                                    const Topology& t, double busbw_gBps) {
  if (t.hosts < 2 || t.nics < 1 || t.ranks_per_host < 1) return std::nullopt;
  if (collective == "sendrecv") return busbw_gBps;
  const double n = t.ranks;
  const double g = t.ranks_per_host;
  const double nics = t.nics * t.nic_share;
  if (collective == "alltoall") return busbw_gBps * g * (n - g) / (n - 1) / nics;
  if (!uses_algorithms(collective)) return std::nullopt;
  if (algorithm == "Ring") return busbw_gBps / nics;
  const double algbw = busbw_gBps * n / (2 * (n - 1));
  return (t.hosts == 2 ? 1 : 2) * algbw / nics;
}

std::string describe_bound(const std::string& collective, const Expectation& expected, const Topology& t,
                           double busbw_gBps) {
  const auto wire = nic_wire_gBps(collective, expected.algorithm, t, busbw_gBps);
  const auto of = [](double value, double full) { return fmt::format("{:.1f} of {:g} GB/s", value, full); };
  const auto percent = [](double value, double full) { return fmt::format("{:.0f} %", value / full * 100); };
  if (expected.resource == "NIC" && wire)
    return fmt::format("NIC-bound: {} per rail, {}", of(*wire, t.nic_gBps), percent(*wire, t.nic_gBps));
  if (expected.resource == "PCIe of the NIC" && wire) {
    return fmt::format("bound by the PCIe slot of the NIC: {} per rail, {}", of(*wire, t.nic_pcie_gBps),
                       percent(*wire, t.nic_pcie_gBps));
  }
  // NVLS: every GPU sends and receives each byte once. Rings and direct copies: busbw.
  const double link = expected.resource == "NVSwitch" ? busbw_gBps / expected.factor : busbw_gBps;
  std::string text = fmt::format("{}-bound: {} NVLink, {}", expected.resource, of(link, t.nvlink_gBps),
                                 percent(link, t.nvlink_gBps));
  if (wire) {
    text += fmt::format("; the NICs carry {}, {}: one that lost up to {:.0f} % does not show",
                        of(*wire, t.nic_gBps), percent(*wire, t.nic_gBps), (1 - *wire / t.nic_gBps) * 100);
  }
  return text;
}

}  // namespace sxb::analysis
