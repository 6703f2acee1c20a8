#include "analysis/read/topology.h"

#include <algorithm>
#include <map>
#include <set>

#include "analysis/read/json_read.h"

namespace sxb::analysis {
namespace {

std::map<std::string, std::string> hosts_of_nodes(const TaskData& task) {
  std::map<std::string, std::string> hosts;
  for (const auto& entry : task.of<record::Node>()) {
    if (!entry.data.hostname.empty()) hosts[entry.node] = entry.data.hostname;
  }
  return hosts;
}

/// Hosts and GPUs of the ranks that count.
void place_ranks(const TaskData& task, const std::vector<int>& group, Topology& out) {
  const auto hosts = hosts_of_nodes(task);
  std::map<std::string, int> used, all;
  std::set<std::string> gpus;
  bool cuda = true;
  for (const auto& entry : task.of<record::Device>()) {
    const auto host = hosts.find(entry.node);
    if (host == hosts.end()) continue;
    ++all[host->second];
    if (!group.empty() && std::find(group.begin(), group.end(), entry.rank) == group.end()) continue;
    ++used[host->second];
    const record::Device& device = entry.data;
    cuda = cuda && device.device == "cuda";
    gpus.insert(device.name);
    if (out.backend.empty()) out.backend = device.backend;
    if (out.net.empty()) out.net = device.net;
  }
  out.hosts = static_cast<int>(used.size());
  out.ranks = group.empty() ? task.world() : static_cast<int>(group.size());
  if (used.empty()) return;
  const int per_host = used.begin()->second;
  const bool even =
      std::all_of(used.begin(), used.end(), [&](const auto& entry) { return entry.second == per_host; });
  if (even && per_host * out.hosts == out.ranks) out.ranks_per_host = per_host;
  out.mixed_gpus = gpus.size() > 1;
  if (cuda && gpus.size() == 1) out.gpu = *gpus.begin();
  const int beside = all[used.begin()->first];
  if (beside > 0) out.nic_share = static_cast<double>(per_host) / beside;
}

/// The slowest NIC counts, because rings send the same over each.
void add_network(const Network& network, Topology& out) {
  out.fabric = network.fabric;
  out.nics = static_cast<int>(network.nics.size());
  const auto slowest =
      std::min_element(network.nics.begin(), network.nics.end(),
                       [](const Network::Nic& a, const Network::Nic& b) { return a.gBps() < b.gBps(); });
  if (slowest != network.nics.end()) out.nic_gBps = slowest->gBps();
}

/// `pcie_gBps` is absent where a NIC's slot was not recorded.
void add_slots(const Network& network, const TaskData& task, const config::Interconnects& paths,
               Topology& out) {
  std::set<std::string> wanted;
  for (const Network::Nic& nic : network.nics) wanted.insert(nic.name);
  const auto add = [&](const auto& adapters) {
    for (const auto& adapter : adapters) {
      if (!wanted.contains(adapter.name)) continue;
      const double slot = paths.pcie_gBps(adapter.pcie_generation.value_or(0),
                                          static_cast<double>(adapter.pcie_lanes.value_or(0)));
      if (slot > 0) out.nic_pcie_gBps = out.nic_pcie_gBps == 0 ? slot : std::min(out.nic_pcie_gBps, slot);
    }
  };
  for (const auto& entry : task.of<record::Node>()) {
    add(entry.data.rdma);
    add(entry.data.nics);
  }
}

}  // namespace

Network network_of(const Json& cluster) {
  const Json& described = member(cluster, "network");
  Network network{text(described, "fabric"), {}};
  for (const Json& nic : member(described, "nics"))
    network.nics.push_back({text(nic, "name"), number(nic, "line_rate_gbps")});
  return network;
}

double Network::line_rate_gbps() const {
  double sum = 0;
  for (const Nic& nic : nics) sum += nic.line_rate_gbps.value_or(0);
  return sum;
}

Topology topology_of(const Network& network, const TaskData& task, const std::vector<int>& group_ranks,
                     const Hardware& hardware) {
  Topology out;
  place_ranks(task, group_ranks, out);
  if (!out.gpu.empty()) {
    if (const auto gpu = hardware.gpu(out.gpu)) {
      out.nvlink_gBps = gpu->nvlink_gBps;
      out.nvlink_reduction = gpu->nvlink_reduction > 0;
    }
  }
  add_network(network, out);
  add_slots(network, task, hardware.paths, out);
  return out;
}

}  // namespace sxb::analysis
