// What connects the ranks of a collective, from the records of its task: hosts, GPUs, NVLink, NICs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/read/dataset.h"
#include "analysis/read/hardware.h"

namespace sxb::analysis {

/// What the cluster config says of the network between the hosts.
struct Network {
  struct Nic {
    std::string name;
    std::optional<double> line_rate_gbps;
    double gBps() const { return line_rate_gbps.value_or(0) / 8; }
  };
  std::string fabric;     ///< "" = not named
  std::vector<Nic> nics;  ///< of every host
  /// Of all NICs of a host.
  double line_rate_gbps() const;
};
/// `cluster`: as in the `run` record.
Network network_of(const Json& cluster);

/// 0 and "" = unknown. Bandwidths are per direction, in 1e9 byte/s.
struct Topology {
  int ranks = 0;
  int hosts = 0;           ///< machines, not pretended nodes
  int ranks_per_host = 0;  ///< of these ranks; 0: the hosts differ
  std::string gpu;         ///< name; "" on CPU ranks, or where ranks have different GPUs
  double nvlink_gBps = 0;  ///< of one GPU
  bool nvlink_reduction = false;
  int nics = 0;              ///< of one host
  double nic_gBps = 0;       ///< line rate of the slowest NIC
  double nic_pcie_gBps = 0;  ///< of the slowest slot that a NIC sits in; 0 = not recorded
  double nic_share =
      1;               ///< of the host's NICs: the part that is left when other groups run beside these ranks
  std::string fabric;  ///< network.fabric of the cluster config
  std::string net;     ///< what NCCL used between nodes: "IB", "Socket", a plugin's name
  std::string backend;  ///< nccl or gloo
  bool mixed_gpus = false;

  double line_gBps() const {
    return nics * nic_gBps * nic_share;
  }  ///< what the hosts' NICs promise these ranks
};

/// `group_ranks`: world ranks of a split group; empty = all ranks of the task.
Topology topology_of(const Network& network, const TaskData& task, const std::vector<int>& group_ranks,
                     const Hardware& hardware);

}  // namespace sxb::analysis
