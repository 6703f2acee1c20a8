// One probe of one group: an all-reduce, repeated until its median has settled.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/bench/memory/memory.h"
#include "engine/comm/communicator.h"

namespace sxb::engine::locate {

struct ProbeFigures {
  double time_us = 0;  ///< median over the iterations of the maximum over ranks
  int iterations = 0;
  std::int64_t wrong = 0;  ///< elements of the last result, all ranks
  /// A pair's, each way alone; GB/s.
  std::optional<double> first_to_second_gBps, second_to_first_gBps;
};

/// Two buffers on this rank's device, made once: registering memory with NCCL takes longer than a probe.
class Prober {
 public:
  Prober(bench::Memory& memory, std::int64_t bytes, double seconds);

  std::int64_t bytes() const { return bytes_; }
  /// Collective over the ranks of `comm`; `ways`: each direction of a pair too. EngineError as the
  /// communicator.
  ProbeFigures probe(comm::Communicator& comm, bool ways);

 private:
  template <typename Call>
  std::pair<double, int> settle(comm::Communicator& comm, Call&& call) const;
  double one_way_gBps(comm::Communicator& comm, int sender);

  bench::Memory& memory_;
  std::int64_t count_;
  std::int64_t bytes_;
  double seconds_;
  void* send_;
  void* recv_;
};

/// Bus bandwidth of an all-reduce of `bytes`; GB/s. Nothing with one rank.
std::optional<double> all_reduce_busbw_gBps(std::int64_t bytes, double time_us, int ranks);

}  // namespace sxb::engine::locate
