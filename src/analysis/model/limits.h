// Physical limits of collectives: what no correct measurement can exceed, whatever the algorithm.
#pragma once

#include <optional>
#include <string>

namespace sxb::analysis {

/// Where the ranks of a collective sit and what connects them. 0 = unknown.
struct Placement {
  int ranks = 0;
  int hosts = 0;                      ///< machines, not pretended nodes
  double network_gBps = 0;            ///< sum over the NICs of one host, per direction
  double nvlink_gBps = 0;             ///< of one GPU, per direction
  bool in_network_reduction = false;  ///< InfiniBand SHARP is possible
};

struct Limit {
  double busbw_gBps = 0;
  std::string resource;    ///< "network line rate", "NVLink"
  std::string arithmetic;  ///< "450 GB/s NVLink x 2(4-1)/4 = 675.0 GB/s"
};

/// The largest busbw (nccl-tests' definition) that the bytes which have to cross the slowest cut allow,
/// whatever the algorithm; nullopt if the facts are unknown or the collective has no rule (alltoallv: parts
/// differ).
///
/// One host, NVLink B per GPU: all_reduce with reduction in the switch sends and receives each byte
/// once, so algbw <= B and busbw <= B·2(n-1)/n; for the others busbw <= B: what a rank, or the root, must
/// move over its own links. k hosts with R each: all_reduce moves 2(k-1)/k of the data out of every host
/// (once with reduction in the network); all_gather, reduce_scatter, gather and scatter the (n-g)/n that
/// lives elsewhere, alltoall and hypercube that for each of its g ranks; broadcast, reduce and sendrecv all
/// of it.
std::optional<Limit> busbw_limit(const std::string& collective, const Placement& placement);

/// Bytes/s that one host sends into the network during an all_reduce of this busbw and algbw: algbw on
/// two hosts with NCCL's trees, busbw with rings and on more hosts (each boundary carries 2(n-1)/n).
double all_reduce_wire_gBps(double algbw_gBps, double busbw_gBps, int hosts, bool ring);

}  // namespace sxb::analysis
