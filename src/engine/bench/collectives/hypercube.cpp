// An all-gather by pairwise exchanges: in step k with the rank whose number differs in bit k, of all
// that a rank has by then.
#include "engine/bench/collectives/collective.h"

namespace sxb::engine::bench {

extern const Collective kHypercube;
const Collective kHypercube = {
    .name = "hypercube",
    .layout = parts_to_whole,
    .run =
        [](comm::Communicator& comm, const Call& c) {
          const std::int64_t bytes = c.count * dtype_size(c.dtype);
          auto* whole = static_cast<char*>(c.recv);
          char* own = whole + comm.rank() * bytes;
          if (own != c.send) comm.copy(own, c.send, bytes, c.stream);
          for (int step = 1; step < comm.world(); step *= 2) {
            const int mine = comm.rank() / step * step;  // first of the ranks whose parts are here
            comm.group_begin();
            comm.send(whole + mine * bytes, c.count * step, c.dtype, comm.rank() ^ step, c.stream);
            comm.recv(whole + (mine ^ step) * bytes, c.count * step, c.dtype, comm.rank() ^ step, c.stream);
            comm.group_end();
          }
        },
    // Of the size only what comes from others, as nccl-tests counts it.
    .alg_factor = [](int ranks) { return (ranks - 1.0) / ranks; },
    .verify = expect_whole};

}  // namespace sxb::engine::bench
