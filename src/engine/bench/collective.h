// One collective of the sweep: how its buffers are laid out, how it is called, what it must give, and
// its bandwidth formula. Sizes and formulas are those of nccl-tests (doc/PERFORMANCE.md there), so that
// rows can be compared line by line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/bench/memory.h"
#include "engine/comm/communicator.h"

namespace sxb::engine {

/// Elements of one call on one rank.
struct Layout {
  std::int64_t count;  ///< nccl-tests' count column and the argument of the call
  std::int64_t send;   ///< elements that a rank sends
  std::int64_t recv;   ///< elements that a rank has received at the end
  /// In place there is one buffer; rank r sends from element r * in_place_send of it and receives at
  /// r * in_place_recv.
  std::int64_t in_place_send;
  std::int64_t in_place_recv;
};

struct Call {
  const void* send;
  void* recv;
  std::int64_t count;
  DType dtype;
  RedOp op;
  Stream stream;
};

struct Collective {
  const char* name;  ///< that of nccl-tests' program without "_perf"
  bool reduces;      ///< has an operator
  int root;          ///< -1: has no root
  /// `bytes`: the size asked for; the result may be smaller (aligned chunks).
  Layout (*layout)(std::int64_t bytes, int ranks, std::int64_t element_bytes);
  void (*run)(Communicator& comm, const Call& call);
  /// Bus bandwidth over algorithm bandwidth, where the latter is size / time.
  double (*bus_factor)(int ranks);
  /// Counts in `memory` the elements of `result` that differ from what rank `rank` must hold.
  void (*verify)(Memory& memory, const void* result, const Layout& layout,
                 const kernels::VerifyPattern& pattern, int rank);
};

/// THE list of collectives.
const std::vector<const Collective*>& collectives();
/// EngineError with a suggestion if there is none of that name.
const Collective& find_collective(const std::string& name);

/// A rank's chunk of a buffer of `bytes`, in elements: a multiple of 16 bytes, as nccl-tests cuts it.
inline std::int64_t aligned_chunk(std::int64_t bytes, int ranks, std::int64_t element_bytes) {
  const std::int64_t per_16_bytes = 16 / element_bytes;
  return bytes / element_bytes / ranks / per_16_bytes * per_16_bytes;
}

}  // namespace sxb::engine
