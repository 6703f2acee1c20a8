// Who may read what a process writes from now on: its umask, the one place that every new file and folder
// obeys.
#pragma once

#include <filesystem>

#include "launch/head/run_options.h"

namespace sxb::cli {

/// For the process that writes this run, as its cluster says (config::run_umask()). Its children on this
/// machine would have the same: agents take back what the user had (restore_umask()).
void limit_new_files(const launch::RunOptions& request);

/// For one that writes reports of a run: no more than may read its journal, nor than the user's umask gives.
void limit_new_files_as(const std::filesystem::path& run);

/// Of an agent: weights and datasets that it writes are the user's own files, not those of a run.
void restore_umask();

}  // namespace sxb::cli
