// One collective of the sweep: how its buffers are laid out, how it is called, what it must give, and
// its bandwidth formula. Sizes and formulas are those of nccl-tests (doc/PERFORMANCE.md there), so that
// rows can be compared line by line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/bench/memory/memory.h"
#include "engine/comm/communicator.h"
#include "plan/collectives.h"
#include "plan/sweep.h"

namespace sxb::engine::bench {

/// What alltoallv sends: a matrix, or parts by `spread`: 0 = equal ones, 1 = they grow with the distance of
/// the peer.
struct Traffic {
  double spread = 1;
  const plan::TrafficMatrix* matrix = nullptr;
};

inline Traffic traffic_of(const plan::CollectiveSweep& sweep) {
  return {sweep.spread, sweep.matrix.empty() ? nullptr : &sweep.matrix};
}

/// What a layout follows from. `bytes`: the size asked for; what comes out may be smaller (aligned chunks).
struct Shape {
  std::int64_t bytes;
  int ranks;
  std::int64_t element_bytes;
  Traffic traffic{};
};

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
  int root;
  Traffic traffic;
  Stream stream;
};

/// What rank `rank` has received, and from which data: element i of a rank's send buffer was element
/// first + i of the pattern.
struct Received {
  const char* data;
  const Layout& layout;
  const kernels::VerifyPattern& pattern;
  int rank;
  int root;
  Traffic traffic;
  std::int64_t first;

  const char* at(std::int64_t element) const { return data + element * dtype_size(pattern.dtype); }
};

struct Collective {
  const char* name;  ///< a row of plan::collective_kinds()
  /// False: nccl-tests times it in place too, but what comes out is not defined (its N/A).
  bool in_place = true;
  Layout (*layout)(const Shape& shape);
  void (*run)(comm::Communicator& comm, const Call& call);
  /// Algorithm bandwidth over size / time. Bus bandwidth over algorithm bandwidth:
  /// plan::bus_bandwidth_factor.
  double (*alg_factor)(int ranks) = [](int) { return 1.0; };
  /// Tells `memory` what must have been received.
  void (*verify)(Memory& memory, const Received& received);

  /// What the plan knows of it.
  const plan::CollectiveKind& kind() const { return *plan::find_collective_kind(name); }
};

/// THE list of collectives.
const std::vector<const Collective*>& collectives();
/// EngineError with a suggestion if there is none of that name.
const Collective& find_collective(const std::string& name);

/// A rank's chunk of a buffer, in elements: a multiple of 16 bytes, as nccl-tests cuts it.
inline std::int64_t aligned_chunk(const Shape& shape) {
  const std::int64_t per_16_bytes = 16 / shape.element_bytes;
  return shape.bytes / shape.element_bytes / shape.ranks / per_16_bytes * per_16_bytes;
}

/// Every rank gives a part of the same size, which stands in the whole by its rank.
inline Layout parts_to_whole(const Shape& shape) {
  const std::int64_t count = aligned_chunk(shape);
  return {count, count, count * shape.ranks, count, 0};
}
/// The whole of such parts.
inline void expect_whole(Memory& memory, const Received& r) {
  const std::int64_t count = r.layout.count;
  for (int source = 0; source < r.pattern.ranks; ++source) {
    memory.expect(r.at(source * count), count, r.pattern, source, r.first);
  }
}

}  // namespace sxb::engine::bench
