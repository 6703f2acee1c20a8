// Communicators of only some ranks of a rendezvous: these alone take part in their creation, and meet under
// options.name. A peer that cannot be reached, already while connecting, is an error after options.timeout
// and never a hang.
#pragma once

#include <memory>

#include "engine/comm/communicator.h"

namespace sxb::engine::comm {

/// `rank` of `world`: the place of this process in the group. NCCL's calls do not block, so that they can be
/// given up; EngineError as from any communicator.
std::unique_ptr<Communicator> create_nccl_group(Rendezvous&, const CommunicatorOptions&, int rank, int world);
std::unique_ptr<Communicator> create_gloo_group(Rendezvous&, const CommunicatorOptions&, int rank, int world);

}  // namespace sxb::engine::comm
