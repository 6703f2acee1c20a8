// Puts a folder of the head on many nodes and has each node prove that it is whole.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/cluster/cluster.h"
#include "launch/os/process.h"
#include "launch/push/distribution_rounds.h"

namespace sxb::launch {

/// What a node said to the command that proves the folder.
struct Answer {
  ExitStatus status;
  std::vector<std::string> out, err;
};

struct Distribution {
  config::Cluster cluster;  ///< all its nodes are targets, reached by ssh
  std::filesystem::path source, target;
  bool network_fs_allowed = false;
  bool checksum = false;           ///< rsync compares contents, not size and time
  std::vector<std::string> proof;  ///< executed on each node afterwards
  /// What is wrong with the answer, "" if nothing.
  std::function<std::string(const Answer&)> judge;
};

struct NodeOutcome {
  std::string node;
  std::string reason, help;  ///< reason empty: the node has the folder and proved it
  std::optional<Sent> sent;  ///< none: no transfer ended well
};

struct Outcomes {
  std::vector<NodeOutcome> nodes;  ///< in the cluster's order
  bool interrupted = false;
};

/// What is to be told meanwhile.
struct Progress {
  /// How many nodes have the folder or failed.
  std::function<void(int done)> done;
  /// For some seconds none of these nodes has ended what it was asked; again when they are others.
  std::function<void(const std::vector<std::string>& nodes)> waiting;
};

/// A node that does not answer fails, the others go on: a command has twice timeouts.connect_s (a node may
/// have two addresses) and timeouts.agent_silence_s; the proof also the time in which the slowest disk reads
/// the folder; a copy as long as bytes come, of which none may come for timeouts.agent_silence_s. An error:
/// nothing could be tried at all.
Result<Outcomes> distribute(const Distribution& distribution, const Progress& progress);

}  // namespace sxb::launch
