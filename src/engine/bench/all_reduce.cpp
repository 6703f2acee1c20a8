#include "engine/bench/collective.h"

namespace sxb::engine {

extern const Collective kAllReduce;
const Collective kAllReduce = {
    .name = "all_reduce",
    .reduces = true,
    .root = -1,
    .layout =
        [](std::int64_t bytes, int, std::int64_t element_bytes) {
          const std::int64_t count = bytes / element_bytes;
          return Layout{count, count, count, 0, 0};
        },
    .run = [](Communicator& comm,
              const Call& c) { comm.all_reduce(c.send, c.recv, c.count, c.dtype, c.op, c.stream); },
    // Every byte crosses each rank's link twice but for its own share.
    .bus_factor = [](int ranks) { return 2.0 * (ranks - 1) / ranks; },
    .verify = [](Memory& memory, const void* result, const Layout& layout,
                 const kernels::VerifyPattern& pattern,
                 int) { memory.expect_reduced(result, layout.recv, pattern, 0); }};

}  // namespace sxb::engine
