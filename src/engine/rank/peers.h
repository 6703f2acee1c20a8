// What the ranks of a task look at together before they measure: are the GPUs of one kind, and does
// NCCL reach them the way the cluster's description promises.
#pragma once

#include <string>
#include <vector>

#include "engine/base/emitter.h"
#include "engine/comm/communicator.h"
#include "engine/comm/nccl/nccl_log.h"
#include "engine/comm/rendezvous.h"
#include "plan/task.h"
#include "record/kinds/run.h"

namespace sxb::engine::rank {

/// What a rank says of itself to the others.
struct Peer {
  std::string node;
  std::string gpu;  ///< its name
  comm::Transports transports;
};

/// Findings of severity error: mixed_gpus; net_socket, if the fabric promises RDMA and NCCL connects nodes by
/// TCP (a warning if `sockets_chosen`: somebody has told NCCL to). Warnings: no_gpu_direct, no_p2p,
/// no_nvlink. Pure; `peers` in rank order.
std::vector<record::Finding> judge_peers(const std::vector<Peer>& peers, const std::string& fabric,
                                         bool sockets_chosen, bool mixed_gpus);

/// What judge_peers() finds of the task's ranks, by this process's environment.
std::vector<record::Finding> judge_peers(const plan::RankTask& task, const std::vector<Peer>& peers);

/// For phases without a communicator of all ranks: every rank holds its GPU's name against rank 0's.
/// EngineError "mixed_gpus" unless task.mixed_gpus.
void check_same_gpus(const plan::RankTask& task, const std::string& gpu, comm::Rendezvous& rendezvous);

/// Collective: gathers what every rank says. Rank 0 emits the warnings; the first error is thrown as an
/// EngineError on every rank.
void check_peers(const plan::RankTask& task, comm::Communicator& comm, const comm::Transports& mine,
                 const Emitter& emitter);

}  // namespace sxb::engine::rank
