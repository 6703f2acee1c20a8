#include "engine/bench/collectives/collective.h"

namespace sxb::engine::bench {

extern const Collective kAllToAll;
const Collective kAllToAll = {
    .name = "alltoall",
    .in_place = false,
    .layout =
        [](const Shape& shape) {
          const std::int64_t count = aligned_chunk(shape);
          return Layout{count, count * shape.ranks, count * shape.ranks, 0, 0};
        },
    .run = [](comm::Communicator& comm,
              const Call& c) { comm.all_to_all(c.send, c.recv, c.count, c.dtype, c.stream); },
    .verify =
        [](Memory& memory, const Received& r) {
          const std::int64_t count = r.layout.count;
          for (int source = 0; source < r.pattern.ranks; ++source) {
            memory.expect(r.at(source * count), count, r.pattern, source, r.first + r.rank * count);
          }
        }};

}  // namespace sxb::engine::bench
