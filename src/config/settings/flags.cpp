#include "config/settings/flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "base/text.h"
#include "config/cluster/cluster_settings.h"
#include "config/cluster/node_set.h"
#include "config/model/model_settings.h"

namespace sxb::config {
namespace {

constexpr const char* kNodesFlag = "--nodes";
constexpr std::int64_t kMinIntervalMs = 10, kMaxIntervalMs = 60000;

/// A value as it was written, in whichever type.
std::string written(const Json& value) { return value.is_string() ? value.get<std::string>() : dump(value); }

void read_node_counts(ObjectReader& reader, Run& run) {
  const Json* value = reader.find("nodes");
  if (value == nullptr) return;
  auto counts = parse_count_list(written(*value), kNodesFlag);
  if (!counts.ok()) return reader.error("nodes", counts.error().what, counts.error().help);
  run.node_counts = std::move(counts).value();
}

void read_interval(ObjectReader& reader, Run& run) {
  const Json* value = reader.find("metrics_interval_ms");
  if (value == nullptr) return;
  const std::string text = written(*value);
  std::int64_t read = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), read);
  if (ec != std::errc() || end != text.data() + text.size() || read < kMinIntervalMs ||
      read > kMaxIntervalMs) {
    return reader.error(
        "metrics_interval_ms", fmt::format("\"{}\" is not a sampling interval", text),
        fmt::format("write milliseconds from {} to {}, e.g. 100", kMinIntervalMs, kMaxIntervalMs));
  }
  run.metrics_interval_ms = read;
}

}  // namespace

const Selector kClusterFlag = {"--cluster", "SXBENCH_CLUSTER", &CommandLine::cluster,
                               "cluster config: a path or a shipped name", "this machine"};
const Selector kHostfileFlag = {
    "--hostfile", nullptr, &CommandLine::hostfile,
    "nodes as DeepSpeed and MPI list them, \"node001 slots=8\" a line, reached by ssh", ""};
const Selector kModelsFlag = {"--models", "SXBENCH_MODELS", &CommandLine::models,
                              "shipped names, model files, a Hugging Face config.json",
                              "7b on GPUs, else tiny"};
const Selector kExcludeFlag = {"--exclude", nullptr, &CommandLine::exclude,
                               "nodes to leave out, e.g. node[003,007]", ""};
const Selector kSparesFlag = {"--spares", nullptr, &CommandLine::spares,
                              "nodes that wait, and take the place of one that fails", ""};

const Table<Run>& run_settings() {
  static const Table<Run> table = [] {
    Table<Run> t;
    t.custom("nodes", {{"type", "array"}, {"items", {{"type", "integer"}, {"minimum", 1}}}},
             "node counts, e.g. 1,2,4", read_node_counts,
             [](const Run& run, Json& object) { object["nodes"] = run.node_counts; },
             {.otherwise = "all nodes of the cluster", .flag = kNodesFlag, .variable = "SXBENCH_NODES"});
    t.text("out", &Run::out, "folder for run folders",
           {.otherwise = "paths.results of the cluster", .flag = "--out", .variable = "SXBENCH_OUT"});
    Json interval = integer_schema(kMinIntervalMs, kMaxIntervalMs);
    interval["default"] = Run{}.metrics_interval_ms;
    t.custom("metrics_interval_ms", std::move(interval), "time between two metric samples", read_interval,
             [](const Run& run, Json& object) { object["metrics_interval_ms"] = run.metrics_interval_ms; },
             {.unit = "ms", .flag = "--metrics-interval-ms", .variable = "SXBENCH_METRICS_INTERVAL_MS"});
    return t;
  }();
  return table;
}

std::vector<RowInfo> rows_with_flags(Document document) {
  const Rows& rows = document == Document::kCluster ? static_cast<const Rows&>(cluster_settings())
                     : document == Document::kModel ? static_cast<const Rows&>(model_settings())
                                                    : static_cast<const Rows&>(run_settings());
  std::vector<RowInfo> found;
  std::copy_if(rows.infos().begin(), rows.infos().end(), std::back_inserter(found),
               [](const RowInfo& row) { return row.extra.flag != nullptr || row.extra.variable != nullptr; });
  return found;
}

std::string CommandLine::of(const std::string& flag) const {
  const auto is_it = [&](const RowInfo& row) { return row.extra.flag != nullptr && row.extra.flag == flag; };
  bool known = false;
  for (const Document document : {Document::kCluster, Document::kModel, Document::kRun}) {
    const std::vector<RowInfo> rows = rows_with_flags(document);
    known = known || std::any_of(rows.begin(), rows.end(), is_it);
  }
  if (!known) panic(__FILE__, __LINE__, "a flag that no setting has");
  const auto it = keys.find(flag);
  return it == keys.end() ? "" : it->second;
}

std::string flag_help(const Selector& selector) {
  const std::string otherwise = selector.otherwise;
  return otherwise.empty() ? selector.help : fmt::format("{} (default: {})", selector.help, otherwise);
}

std::vector<std::string> variables() {
  std::vector<std::string> names;
  for (const Selector* selector :
       {&kClusterFlag, &kHostfileFlag, &kModelsFlag, &kExcludeFlag, &kSparesFlag}) {
    if (selector->variable != nullptr) names.emplace_back(selector->variable);
  }
  for (const Document document : {Document::kRun, Document::kCluster, Document::kModel}) {
    for (const RowInfo& row : rows_with_flags(document)) {
      if (row.extra.variable != nullptr) names.emplace_back(row.extra.variable);
    }
  }
  return names;
}

}  // namespace sxb::config
