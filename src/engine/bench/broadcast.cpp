#include "engine/bench/collective.h"

namespace sxb::engine {
namespace {
constexpr int kRoot = 0;
}

extern const Collective kBroadcast;
const Collective kBroadcast = {
    .name = "broadcast",
    .reduces = false,
    .root = kRoot,
    .layout =
        [](std::int64_t bytes, int, std::int64_t element_bytes) {
          const std::int64_t count = bytes / element_bytes;
          return Layout{count, count, count, 0, 0};
        },
    .run = [](Communicator& comm,
              const Call& c) { comm.broadcast(c.send, c.recv, c.count, c.dtype, kRoot, c.stream); },
    .bus_factor = [](int) { return 1.0; },
    .verify = [](Memory& memory, const void* result, const Layout& layout,
                 const kernels::VerifyPattern& pattern,
                 int) { memory.expect_copied(result, layout.recv, pattern, kRoot, 0); }};

}  // namespace sxb::engine
