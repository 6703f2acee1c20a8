// What each NIC carried, by its own counters: beside the formula's value it shows the rail that lags.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/guard/guard.h"
#include "analysis/read/samples.h"
#include "analysis/read/topology.h"

namespace sxb::analysis {

struct NicRate {
  std::string node, name;
  std::optional<double> tx_gBps, rx_gBps;  ///< the busiest half second of the window
  std::optional<double> line_gBps;
  bool lags = false;
  std::string note;  ///< why it is named; "" = nothing to say
};

/// Name -> GB/s.
std::map<std::string, double> line_rates(const Network& network);

/// The NICs that the cluster config names, as RDMA adapters or as interfaces. One that sends less than
/// `lag_share` of the median of all is marked, where they carry anything.
std::vector<NicRate> nic_rates(const TaskSamples& samples, const std::map<std::string, double>& lines,
                               double lag_share);

/// The NIC that comes nearest to its line rate; none without counters.
std::optional<Check> guard_nics(const std::string& subject, const std::vector<NicRate>& nics);

}  // namespace sxb::analysis
