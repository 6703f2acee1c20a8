#include "engine/bench/collectives/collective.h"

namespace sxb::engine::bench {

extern const Collective kBroadcast;
const Collective kBroadcast = {
    .name = "broadcast",
    .layout =
        [](const Shape& shape) {
          const std::int64_t count = shape.bytes / shape.element_bytes;
          return Layout{count, count, count, 0, 0};
        },
    .run = [](comm::Communicator& comm,
              const Call& c) { comm.broadcast(c.send, c.recv, c.count, c.dtype, c.root, c.stream); },
    .verify = [](Memory& memory,
                 const Received& r) { memory.expect(r.data, r.layout.recv, r.pattern, r.root, r.first); }};

}  // namespace sxb::engine::bench
