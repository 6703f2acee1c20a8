#include "engine/bench/collectives/collective.h"

namespace sxb::engine::bench {

extern const Collective kScatter;
const Collective kScatter = {.name = "scatter",
                             .layout =
                                 [](const Shape& shape) {
                                   const std::int64_t count = aligned_chunk(shape);
                                   return Layout{count, count * shape.ranks, count, 0, count};
                                 },
                             .run =
                                 [](comm::Communicator& comm, const Call& c) {
                                   if (c.count > 0)
                                     comm.scatter(c.send, c.recv, c.count, c.dtype, c.root, c.stream);
                                 },
                             .verify =
                                 [](Memory& memory, const Received& r) {
                                   memory.expect(r.data, r.layout.recv, r.pattern, r.root,
                                                 r.first + r.rank * r.layout.count);
                                 }};

}  // namespace sxb::engine::bench
