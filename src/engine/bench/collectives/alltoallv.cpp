// What a matrix says; without one, parts that grow with the distance (target - source) mod n, blended with
// equal ones: then every rank sends and receives as much as any other. Both as in nccl-tests.
#include <algorithm>

#include "engine/bench/collectives/collective.h"

namespace sxb::engine::bench {
namespace {

/// Elements that `source` sends to `target`, in multiples of 16 bytes; without a matrix every rank sends
/// ranks * count of them.
std::int64_t part(int source, int target, int ranks, std::int64_t count, std::int64_t element_bytes,
                  const Traffic& traffic) {
  if (traffic.matrix != nullptr) {
    const auto& row = traffic.matrix->rows[static_cast<std::size_t>(source)];
    return row[static_cast<std::size_t>(target)] / element_bytes;
  }
  const auto total = static_cast<double>(count * ranks * element_bytes);
  if (ranks == 1) return static_cast<std::int64_t>(total) / 16 * 16 / element_bytes;
  const int distance = (target - source + ranks) % ranks;
  const double distances = 0.5 * ranks * (ranks - 1);
  const double bytes =
      (1 - traffic.spread) * (total / ranks) + traffic.spread * (distance * total / distances);
  return static_cast<std::int64_t>(bytes) / 16 * 16 / element_bytes;
}

/// Of the rank that sends, and of the one that receives, the most. nccl-tests' count column is 0 with a
/// matrix.
Layout layout_of(const Shape& shape) {
  const bool matrix = shape.traffic.matrix != nullptr;
  const std::int64_t count = matrix ? 0 : aligned_chunk(shape);
  Layout layout{count, 0, 0, 0, 0};
  for (int rank = 0; rank < (matrix ? shape.ranks : 1); ++rank) {
    std::int64_t sent = 0, received = 0;
    for (int peer = 0; peer < shape.ranks; ++peer) {
      sent += part(rank, peer, shape.ranks, count, shape.element_bytes, shape.traffic);
      received += part(peer, rank, shape.ranks, count, shape.element_bytes, shape.traffic);
    }
    layout.send = std::max(layout.send, sent);
    layout.recv = std::max(layout.recv, received);
  }
  return layout;
}

}  // namespace

extern const Collective kAllToAllV;
const Collective kAllToAllV = {
    .name = "alltoallv",
    .in_place = false,
    .layout = layout_of,
    .run =
        [](comm::Communicator& comm, const Call& c) {
          const std::int64_t element = dtype_size(c.dtype);
          const auto* from = static_cast<const char*>(c.send);
          auto* to = static_cast<char*>(c.recv);
          comm.group_begin();
          for (int peer = 0; peer < comm.world(); ++peer) {
            const std::int64_t out = part(comm.rank(), peer, comm.world(), c.count, element, c.traffic);
            const std::int64_t in = part(peer, comm.rank(), comm.world(), c.count, element, c.traffic);
            if (out > 0) comm.send(from, out, c.dtype, peer, c.stream);
            if (in > 0) comm.recv(to, in, c.dtype, peer, c.stream);
            from += out * element;
            to += in * element;
          }
          comm.group_end();
        },
    .verify =
        [](Memory& memory, const Received& r) {
          const int ranks = r.pattern.ranks;
          const auto elements = [&](int source, int target) {
            return part(source, target, ranks, r.layout.count, dtype_size(r.pattern.dtype), r.traffic);
          };
          std::int64_t at = 0;
          for (int source = 0; source < ranks; ++source) {
            std::int64_t before = 0;
            for (int target = 0; target < r.rank; ++target) before += elements(source, target);
            const std::int64_t count = elements(source, r.rank);
            memory.expect(r.at(at), count, r.pattern, source, r.first + before);
            at += count;
          }
        }};

}  // namespace sxb::engine::bench
