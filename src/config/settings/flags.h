// What the command line and the environment can say. A flag either chooses what a run works with (a
// selector), or stands for a key of a table: such a flag is part of the key's row.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/table.h"

namespace sxb::config {

/// What the command line said; empty = not given.
struct CommandLine {
  std::string cluster, hostfile, models, exclude, spares;
  std::vector<std::string> set;             ///< --set key=value of every model; wins over the other flags
  std::map<std::string, std::string> keys;  ///< flags that stand for a key: "--steps" -> "40"

  /// The text of a flag that stands for a key; "" if it was not given. Panics if no row has such a flag.
  std::string of(const std::string& flag) const;
};

/// A flag that stands for no key.
struct Selector {
  const char* flag;      ///< nullptr: a variable alone
  const char* variable;  ///< nullptr: a flag alone
  std::string CommandLine::*member;
  const char* help;
  const char* otherwise;  ///< what holds without it
};
extern const Selector kClusterFlag, kHostfileFlag, kModelsFlag, kExcludeFlag, kSparesFlag;

/// How the run goes, beside cluster and models.
struct Run {
  std::vector<int> node_counts;
  std::string out;
  std::int64_t metrics_interval_ms = 100;
};
const Table<Run>& run_settings();

enum class Document { kCluster, kModel, kRun };
/// The rows of a document that have a flag or a variable.
std::vector<RowInfo> rows_with_flags(Document document);

/// "--help" of a selector.
std::string flag_help(const Selector& selector);
/// Every variable of the environment that sxbench reads, in the order of the documents.
std::vector<std::string> variables();

}  // namespace sxb::config
