#include "launch/transport/transports.h"

#include <algorithm>

namespace sxb::launch {

using config::TransportKind;

const TransportRows& transports() {
  static const TransportRows rows = {
      {TransportKind::kLocal, Reach::kThisMachine, local_transport},
      {TransportKind::kSsh, Reach::kLogins, ssh_transport},
      {TransportKind::kPdsh, Reach::kLogins, pdsh_transport},
      {TransportKind::kSlurm, Reach::kBatchSystem, slurm_transport},
      {TransportKind::kDryRun, Reach::kNothing, refuse_to_run_dry},
  };
  return rows;
}

const TransportRow& transport_of(const config::Cluster& cluster, const TransportRows& rows) {
  TransportKind kind = cluster.transport;
  if (kind == TransportKind::kAuto) {
    kind = cluster.nodes.size() == 1 ? TransportKind::kLocal : TransportKind::kSsh;
  }
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const TransportRow& one) { return one.kind == kind; });
  if (row == rows.end()) panic(__FILE__, __LINE__, "a transport of the config has no row");
  return *row;
}

bool reaches_only_this_machine(const config::Cluster& cluster) {
  return transport_of(cluster).reach == Reach::kThisMachine;
}

Result<std::unique_ptr<Transport>> make_transport(const config::Cluster& cluster, int nodes,
                                                  const TransportRows& rows) {
  return transport_of(cluster, rows).make(cluster, nodes);
}

}  // namespace sxb::launch
