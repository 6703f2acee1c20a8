// The engine's side of `sxbench locate`: one launch, all rounds.
#pragma once

#include "engine/base/emitter.h"
#include "engine/comm/rendezvous.h"
#include "plan/task.h"
#include "record/kinds/node.h"

namespace sxb::engine::locate {

/// Collective over all ranks. After each round rank 0 emits what it gave ("locate_node", "locate_link",
/// "locate_group") and decides on the next with plan::next_round(); at the end it emits "locate". A group
/// that cannot connect, hangs or receives wrong data is a result like any other. EngineError "no_answer" if a
/// rank cannot be heard at all, "mixed_gpus" as from check_same_gpus(), and on every rank "net_socket" as
/// from check_peers() (peers.h), once the first round between nodes has told what NCCL uses. `device` is
/// emitted when that is known too.
void run_locate(const plan::RankTask& task, comm::Rendezvous& rendezvous, record::Device device,
                const Emitter& emitter);

}  // namespace sxb::engine::locate
