#include "engine/bench/collective.h"

namespace sxb::engine {

extern const Collective kGather;
const Collective kGather = {.name = "gather",
                            .rooted = true,
                            .layout =
                                [](const Shape& shape) {
                                  const std::int64_t count = aligned_chunk(shape);
                                  return Layout{count, count, count * shape.ranks, count, 0};
                                },
                            .run =
                                [](Communicator& comm, const Call& c) {
                                  if (c.count > 0)
                                    comm.gather(c.send, c.recv, c.count, c.dtype, c.root, c.stream);
                                },
                            .bus_factor = all_but_own,
                            .verify =
                                [](Memory& memory, const Received& r) {
                                  const std::int64_t count = r.layout.count;
                                  for (int source = 0; r.rank == r.root && source < r.pattern.ranks;
                                       ++source) {
                                    memory.expect(r.at(source * count), count, r.pattern, source, r.first);
                                  }
                                }};

}  // namespace sxb::engine
