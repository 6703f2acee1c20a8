// How sxbench calls Slurm's commands, and what their messages mean. Pure.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "config/cluster/cluster.h"
#include "launch/os/process.h"

namespace sxb::launch {

/// salloc of `nodes` that holds the allocation until its stdin closes, and prints "sxbench-allocation ID".
std::vector<std::string> salloc_argv(const config::Cluster& cluster, const std::vector<std::string>& nodes);
inline constexpr const char* kAllocationPrefix = "sxbench-allocation ";

/// srun of one task on each of `count` nodes, in the order of the hostfile that SLURM_HOSTFILE names, in
/// the allocation `job`. Lines come back as "INDEX: text".
std::vector<std::string> srun_argv(const config::Cluster& cluster, const std::string& job, std::size_t count,
                                   const std::vector<std::string>& command);

/// "srun: error: node[001-002]: tasks 0-1: Exited with exit code 3" and its relatives.
struct SrunExit {
  std::vector<int> tasks;
  ExitStatus status;
};
std::optional<SrunExit> parse_srun_exit(const std::string& line);

/// What slurmstepd says when it cannot start a task's program.
bool says_program_is_missing(const std::string& line);

/// "slurmstepd: error: *** STEP 4.0 ON node001 CANCELLED AT 2026-11-30T03:00:00 ***", from what srun and one
/// of its tasks said; also DUE TO TIME LIMIT, and what Slurm says when it ended a task for lack of memory. ""
/// if neither said so.
std::string cancelling_words(const std::vector<std::string>& srun, const std::deque<std::string>& task);

/// The last line of srun that tells why it ended: no warning, and not which tasks ended how. "" if there is
/// none.
std::string telling_words(const std::vector<std::string>& srun);

/// The node set in "srun: error: Node failure on node003" and its relatives; empty: another message.
std::vector<std::string> parse_node_failure(const std::string& line);

}  // namespace sxb::launch
