#include "engine/bench/collectives/collective.h"

namespace sxb::engine::bench {

extern const Collective kSendRecv;
const Collective kSendRecv = {.name = "sendrecv",
                              .in_place = false,
                              .layout =
                                  [](const Shape& shape) {
                                    const std::int64_t count = shape.bytes / shape.element_bytes;
                                    return Layout{count, count, count, 0, 0};
                                  },
                              // A ring: to the next rank, from the one before.
                              .run =
                                  [](comm::Communicator& comm, const Call& c) {
                                    const int n = comm.world();
                                    comm.group_begin();
                                    comm.send(c.send, c.count, c.dtype, (comm.rank() + 1) % n, c.stream);
                                    comm.recv(c.recv, c.count, c.dtype, (comm.rank() + n - 1) % n, c.stream);
                                    comm.group_end();
                                  },
                              .verify =
                                  [](Memory& memory, const Received& r) {
                                    const int source = (r.rank + r.pattern.ranks - 1) % r.pattern.ranks;
                                    memory.expect(r.data, r.layout.recv, r.pattern, source, r.first);
                                  }};

}  // namespace sxb::engine::bench
