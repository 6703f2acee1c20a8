#include "analysis/read/topology.h"

#include <algorithm>
#include <map>
#include <set>

#include "analysis/read/json_read.h"

namespace sxb::analysis {
namespace {

std::map<std::string, std::string> hosts_of_nodes(const TaskData& task) {
  std::map<std::string, std::string> hosts;
  for (const Entry& entry : task.of(record::kind::kNode)) {
    if (const std::string host = text(entry.record.data, "hostname"); !host.empty())
      hosts[entry.record.node] = host;
  }
  return hosts;
}

/// Hosts and GPUs of the ranks that count.
void place_ranks(const TaskData& task, const std::vector<int>& group, Topology& out) {
  const auto hosts = hosts_of_nodes(task);
  std::map<std::string, int> used, all;
  std::set<std::string> gpus;
  bool cuda = true;
  for (const Entry& entry : task.of(record::kind::kDevice)) {
    const auto host = hosts.find(entry.record.node);
    if (host == hosts.end()) continue;
    ++all[host->second];
    if (!group.empty() && std::find(group.begin(), group.end(), entry.record.rank) == group.end()) continue;
    ++used[host->second];
    const Json& data = entry.record.data;
    cuda = cuda && text(data, "device") == "cuda";
    gpus.insert(text(data, "name"));
    if (out.backend.empty()) out.backend = text(data, "backend");
    if (out.net.empty()) out.net = text(data, "net");
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

/// The NICs that the cluster config promises; the slowest counts, because rings send the same over each.
void add_network(const Json& network, Topology& out) {
  out.fabric = text(network, "fabric");
  for (const Json& nic : member(network, "nics")) {
    const double line = number(nic, "line_rate_gbps").value_or(0) / 8;
    out.nic_gBps = out.nics == 0 ? line : std::min(out.nic_gBps, line);
    ++out.nics;
  }
}

/// `pcie_gBps` is absent where a NIC's slot was not recorded.
void add_slots(const Json& network, const TaskData& task, const config::Interconnects& paths, Topology& out) {
  std::set<std::string> wanted;
  for (const Json& nic : member(network, "nics")) wanted.insert(text(nic, "name"));
  for (const Entry& entry : task.of(record::kind::kNode)) {
    for (const char* kind : {"rdma", "nics"}) {
      for (const Json& nic : member(entry.record.data, kind)) {
        if (!wanted.contains(text(nic, "name"))) continue;
        const double slot = paths.pcie_gBps(number(nic, "pcie_generation").value_or(0),
                                            number(nic, "pcie_lanes").value_or(0));
        if (slot > 0) out.nic_pcie_gBps = out.nic_pcie_gBps == 0 ? slot : std::min(out.nic_pcie_gBps, slot);
      }
    }
  }
}

}  // namespace

Topology topology_of(const Json& run, const TaskData& task, const std::vector<int>& group_ranks,
                     const Hardware& hardware) {
  Topology out;
  place_ranks(task, group_ranks, out);
  if (!out.gpu.empty()) {
    if (const auto gpu = hardware.gpu(out.gpu)) {
      out.nvlink_gBps = gpu->nvlink_gBps;
      out.nvlink_reduction = gpu->nvlink_reduction > 0;
    }
  }
  const Json& network = member(member(run, "cluster"), "network");
  add_network(network, out);
  add_slots(network, task, hardware.paths, out);
  return out;
}

}  // namespace sxb::analysis
