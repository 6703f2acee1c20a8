#include "engine/bench/collectives/collective.h"

namespace sxb::engine::bench {

extern const Collective kAllGather;
const Collective kAllGather = {
    .name = "all_gather",
    .layout = parts_to_whole,
    .run = [](comm::Communicator& comm,
              const Call& c) { comm.all_gather(c.send, c.recv, c.count, c.dtype, c.stream); },
    .verify = expect_whole};

}  // namespace sxb::engine::bench
