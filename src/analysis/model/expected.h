// What a healthy system reaches, from its topology and NCCL's algorithm: the model of docs/expectations.md.
// Its figures come from configs/hardware; this file holds the formulas only.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "analysis/read/topology.h"

namespace sxb::analysis {

/// What decides how NCCL moves the data. "" = not recorded.
struct AlgorithmFacts {
  std::string recorded;      ///< as NCCL names it: RING, TREE, NVLS, NVLS_TREE, PAT ...
  std::string path;          ///< the kernels that ran, e.g. "ncclDevKernel_AllReduce_Sum_f32_RING_LL"
  std::string registration;  ///< none, local or symmetric
  std::map<std::string, std::string> env;  ///< NCCL variables of the run
};

/// t(S) = alpha + ramp·sqrt(S) + S/B, the shape of fit.h.
struct Expectation {
  std::string algorithm;   ///< Ring, Tree, NVLS, NVLSTree, or p2p
  std::string chosen_by;   ///< "recorded", "NCCL_ALGO", or "likely": the fastest that NCCL has here
  std::string resource;    ///< what limits: NIC, PCIe of the NIC, NVLink, NVSwitch
  std::string arithmetic;  ///< how busbw comes about
  double busbw_gBps = 0;   ///< asymptote for large sizes
  double slowest_gBps =
      0;              ///< of the algorithms that NCCL may have taken; busbw_gBps where it is known which ran
  double factor = 1;  ///< busbw / algbw of the collective
  double alpha_us = 0, ramp_us = 0;
  double pass = 0, warn = 0;  ///< shares of the expected value
  double algbw_gBps() const { return busbw_gBps / factor; }
  double time_us(double size_bytes) const;
  Expectation slowest() const;               ///< the same with slowest_gBps
  double busbw_at(double size_bytes) const;  ///< what the time model leaves of it at this size
};

/// Either a value, or why there is none.
struct Expected {
  std::optional<Expectation> value;
  std::string unknown;
};
Expected expect_collective(const std::string& collective, const Topology& topology,
                           const AlgorithmFacts& facts, const config::Interconnects& paths);

/// Bytes/s that each NIC sends when the collective runs at this busbw. Ring: each host boundary carries
/// busbw. Tree of two hosts: algbw; of more: 2·algbw on the busiest host. alltoall: each rank sends the
/// (n-g)/(n-1) that lives elsewhere. sendrecv: one NIC carries a boundary. nullopt: one host, no NICs known,
/// or no rule.
std::optional<double> nic_wire_gBps(const std::string& collective, const std::string& algorithm,
                                    const Topology& topology, double busbw_gBps);

/// "NIC-bound: 48.3 of 50 GB/s per rail, 97 %" for a measured busbw.
std::string describe_bound(const std::string& collective, const Expectation& expected,
                           const Topology& topology, double busbw_gBps);

}  // namespace sxb::analysis
