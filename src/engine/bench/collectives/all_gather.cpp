#include "engine/bench/collectives/collective.h"

namespace sxb::engine {

extern const Collective kAllGather;
const Collective kAllGather = {
    .name = "all_gather",
    .layout = parts_to_whole,
    .run = [](Communicator& comm,
              const Call& c) { comm.all_gather(c.send, c.recv, c.count, c.dtype, c.stream); },
    .bus_factor = all_but_own,
    .verify = expect_whole};

}  // namespace sxb::engine
