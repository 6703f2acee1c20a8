#include "engine/bench/collectives/collective.h"

namespace sxb::engine::bench {

extern const Collective kReduce;
const Collective kReduce = {
    .name = "reduce",
    .layout =
        [](const Shape& shape) {
          const std::int64_t count = shape.bytes / shape.element_bytes;
          return Layout{count, count, count, 0, 0};
        },
    .run = [](comm::Communicator& comm,
              const Call& c) { comm.reduce(c.send, c.recv, c.count, c.dtype, c.op, c.root, c.stream); },
    .verify =
        [](Memory& memory, const Received& r) {
          if (r.rank != r.root) return;
          memory.expect(r.data, r.layout.recv, r.pattern, kernels::kAllRanks, r.first);
        }};

}  // namespace sxb::engine::bench
