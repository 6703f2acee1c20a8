#include "engine/bench/collectives/collective.h"

namespace sxb::engine {

extern const Collective kGather;
const Collective kGather = {.name = "gather",
                            .rooted = true,
                            .layout = parts_to_whole,
                            .run =
                                [](Communicator& comm, const Call& c) {
                                  if (c.count > 0)
                                    comm.gather(c.send, c.recv, c.count, c.dtype, c.root, c.stream);
                                },
                            .bus_factor = all_but_own,
                            .verify =
                                [](Memory& memory, const Received& r) {
                                  if (r.rank == r.root) expect_whole(memory, r);
                                }};

}  // namespace sxb::engine
