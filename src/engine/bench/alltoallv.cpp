// Parts that grow with the distance (target - source) mod n, blended with equal ones: the pattern that
// nccl-tests makes without a matrix file. Every rank sends and receives as much as any other.
#include "engine/bench/collective.h"

namespace sxb::engine {
namespace {

/// Elements that `source` sends to `target` when every rank sends ranks * count of them, in multiples of
/// 16 bytes.
std::int64_t part(int source, int target, int ranks, std::int64_t count, std::int64_t element_bytes,
                  double spread) {
  const auto total = static_cast<double>(count * ranks * element_bytes);
  if (ranks == 1) return static_cast<std::int64_t>(total) / 16 * 16 / element_bytes;
  const int distance = (target - source + ranks) % ranks;
  const double distances = 0.5 * ranks * (ranks - 1);
  const double bytes = (1 - spread) * (total / ranks) + spread * (distance * total / distances);
  return static_cast<std::int64_t>(bytes) / 16 * 16 / element_bytes;
}

}  // namespace

extern const Collective kAllToAllV;
const Collective kAllToAllV = {
    .name = "alltoallv",
    .in_place = false,
    .layout =
        [](const Shape& shape) {
          const std::int64_t count = aligned_chunk(shape);
          std::int64_t all = 0;
          for (int target = 0; target < shape.ranks; ++target) {
            all += part(0, target, shape.ranks, count, shape.element_bytes, shape.spread);
          }
          return Layout{count, all, all, 0, 0};
        },
    .run =
        [](Communicator& comm, const Call& c) {
          const std::int64_t element = dtype_size(c.dtype);
          const auto* from = static_cast<const char*>(c.send);
          auto* to = static_cast<char*>(c.recv);
          comm.group_begin();
          for (int peer = 0; peer < comm.world(); ++peer) {
            const std::int64_t out = part(comm.rank(), peer, comm.world(), c.count, element, c.spread);
            const std::int64_t in = part(peer, comm.rank(), comm.world(), c.count, element, c.spread);
            if (out > 0) comm.send(from, out, c.dtype, peer, c.stream);
            if (in > 0) comm.recv(to, in, c.dtype, peer, c.stream);
            from += out * element;
            to += in * element;
          }
          comm.group_end();
        },
    .bus_factor = all_but_own,
    .verify =
        [](Memory& memory, const Received& r) {
          const int ranks = r.pattern.ranks;
          const auto elements = [&](int source, int target) {
            return part(source, target, ranks, r.layout.count, dtype_size(r.pattern.dtype), r.spread);
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

}  // namespace sxb::engine
