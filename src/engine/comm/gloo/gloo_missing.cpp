// Stands in for gloo_communicator.cpp where the build machine has no Gloo.
#include "engine/comm/communicator.h"
#include "engine/comm/group.h"

namespace sxb::engine::comm {

bool has_gloo() { return false; }

std::unique_ptr<Communicator> create_gloo_group(Rendezvous& rendezvous, const CommunicatorOptions& options,
                                                int, int) {
  return create_gloo_communicator(rendezvous, options);
}

std::unique_ptr<Communicator> create_gloo_communicator(Rendezvous&, const CommunicatorOptions&) {
  throw EngineError("this engine was built without Gloo, so ranks cannot run on the CPU", "no_gloo",
                    "install libgloo-dev and build again, or run on GPUs", ExitCode::kEnvironment);
}

}  // namespace sxb::engine::comm
