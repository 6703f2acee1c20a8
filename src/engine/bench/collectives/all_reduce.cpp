#include "engine/bench/collectives/collective.h"

namespace sxb::engine {

extern const Collective kAllReduce;
const Collective kAllReduce = {
    .name = "all_reduce",
    .reduces = true,
    .layout =
        [](const Shape& shape) {
          const std::int64_t count = shape.bytes / shape.element_bytes;
          return Layout{count, count, count, 0, 0};
        },
    .run = [](Communicator& comm,
              const Call& c) { comm.all_reduce(c.send, c.recv, c.count, c.dtype, c.op, c.stream); },
    // Every byte crosses each rank's link twice but for its own share.
    .bus_factor = [](int ranks) { return 2 * all_but_own(ranks); },
    .verify =
        [](Memory& memory, const Received& r) {
          memory.expect(r.data, r.layout.recv, r.pattern, kernels::kAllRanks, r.first);
        }};

}  // namespace sxb::engine
