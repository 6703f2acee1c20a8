// What a run is asked to do.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/cluster/cluster.h"
#include "launch/head/placement.h"
#include "launch/os/process.h"
#include "plan/task.h"

namespace sxb::launch {

struct RunOptions {
  config::Cluster cluster;            ///< its last nodes are the spares
  Placement placement;                ///< of the same nodes
  std::vector<std::string> spares;    ///< names of the spares
  std::vector<std::string> excluded;  ///< named with --exclude, for the record
  std::vector<plan::Task> tasks;
  int retries = 0;                          ///< how often a task that failed is tried again
  std::filesystem::path resume;             ///< run folder to go on with; empty = a new one
  bool report = true;                       ///< asked for, for the record: resuming does the same
  std::string name;                         ///< part of the run folder's name
  std::string command;                      ///< as typed, for the report
  std::filesystem::path results;            ///< where the run folder goes
  std::string program = self_executable();  ///< sxbench as the nodes have it
  TaskSettings settings;
};

}  // namespace sxb::launch
