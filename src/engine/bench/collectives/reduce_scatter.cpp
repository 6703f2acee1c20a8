#include "engine/bench/collectives/collective.h"

namespace sxb::engine {

extern const Collective kReduceScatter;
const Collective kReduceScatter = {
    .name = "reduce_scatter",
    .reduces = true,
    .layout =
        [](const Shape& shape) {
          const std::int64_t count = aligned_chunk(shape);
          return Layout{count, count * shape.ranks, count, 0, count};
        },
    .run = [](Communicator& comm,
              const Call& c) { comm.reduce_scatter(c.send, c.recv, c.count, c.dtype, c.op, c.stream); },
    .bus_factor = all_but_own,
    .verify =
        [](Memory& memory, const Received& r) {
          memory.expect(r.data, r.layout.recv, r.pattern, kernels::kAllRanks,
                        r.first + r.rank * r.layout.count);
        }};

}  // namespace sxb::engine
