#include "engine/bench/collectives/collective.h"

namespace sxb::engine::bench {

extern const Collective kAllReduce;
const Collective kAllReduce = {
    .name = "all_reduce",
    .layout =
        [](const Shape& shape) {
          const std::int64_t count = shape.bytes / shape.element_bytes;
          return Layout{count, count, count, 0, 0};
        },
    .run = [](comm::Communicator& comm,
              const Call& c) { comm.all_reduce(c.send, c.recv, c.count, c.dtype, c.op, c.stream); },
    .verify =
        [](Memory& memory, const Received& r) {
          memory.expect(r.data, r.layout.recv, r.pattern, kernels::kAllRanks, r.first);
        }};

}  // namespace sxb::engine::bench
