#include "engine/bench/collective.h"

namespace sxb::engine {

extern const Collective kReduceScatter;
const Collective kReduceScatter = {
    .name = "reduce_scatter",
    .reduces = true,
    .root = -1,
    .layout =
        [](std::int64_t bytes, int ranks, std::int64_t element_bytes) {
          const std::int64_t count = aligned_chunk(bytes, ranks, element_bytes);
          return Layout{count, count * ranks, count, 0, count};
        },
    .run = [](Communicator& comm,
              const Call& c) { comm.reduce_scatter(c.send, c.recv, c.count, c.dtype, c.op, c.stream); },
    .bus_factor = [](int ranks) { return (ranks - 1.0) / ranks; },
    .verify = [](Memory& memory, const void* result, const Layout& layout,
                 const kernels::VerifyPattern& pattern,
                 int rank) { memory.expect_reduced(result, layout.recv, pattern, rank * layout.count); }};

}  // namespace sxb::engine
