#include "engine/bench/collectives/collective.h"

namespace sxb::engine::bench {

extern const Collective kGather;
const Collective kGather = {.name = "gather",
                            .layout = parts_to_whole,
                            .run =
                                [](comm::Communicator& comm, const Call& c) {
                                  if (c.count > 0)
                                    comm.gather(c.send, c.recv, c.count, c.dtype, c.root, c.stream);
                                },
                            .verify =
                                [](Memory& memory, const Received& r) {
                                  if (r.rank == r.root) expect_whole(memory, r);
                                }};

}  // namespace sxb::engine::bench
