#include "engine/bench/collective.h"

namespace sxb::engine {

extern const Collective kAllGather;
const Collective kAllGather = {
    .name = "all_gather",
    .reduces = false,
    .root = -1,
    .layout =
        [](std::int64_t bytes, int ranks, std::int64_t element_bytes) {
          const std::int64_t count = aligned_chunk(bytes, ranks, element_bytes);
          return Layout{count, count, count * ranks, count, 0};
        },
    .run = [](Communicator& comm,
              const Call& c) { comm.all_gather(c.send, c.recv, c.count, c.dtype, c.stream); },
    .bus_factor = [](int ranks) { return (ranks - 1.0) / ranks; },
    .verify =
        [](Memory& memory, const void* result, const Layout& layout, const kernels::VerifyPattern& pattern,
           int) {
          const std::int64_t bytes = layout.count * dtype_size(pattern.dtype);
          for (int source = 0; source < pattern.ranks; ++source) {
            memory.expect_copied(static_cast<const char*>(result) + source * bytes, layout.count, pattern,
                                 source, 0);
          }
        }};

}  // namespace sxb::engine
