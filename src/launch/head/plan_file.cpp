#include "launch/head/plan_file.h"

#include <utility>

#include "base/build_info.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/folder.h"
#include "launch/head/journal.h"
#include "launch/head/run.h"

namespace sxb::launch {
namespace {

/// Whole, so that --resume finds it from any working folder; "builtin" and "slurm" are no files.
std::string source_of(const config::Cluster& cluster) {
  std::error_code ec;
  const std::filesystem::path path = cluster.source;
  return std::filesystem::exists(path, ec) ? absolute_path(path).string() : cluster.source;
}

}  // namespace

Json tasks_json(const std::vector<plan::Task>& tasks) {
  Json json = Json::array();
  for (const plan::Task& task : tasks) json.push_back(plan::to_json(task));
  return json;
}

Status write_plan(const std::filesystem::path& path, const RunOptions& options) {
  const config::Cluster shown = config::redacted(options.cluster);
  return write_file_atomic(path, [&](const Append& append) {
    std::string tasks = pretty_json(tasks_json(options.tasks));
    tasks.pop_back();  // its newline
    append("{\"tasks\": " + tasks + ",\n\"commands\": [");
    const char* separator = "\n";
    for (const plan::Task& task : options.tasks) {
      const AgentTasks agents(shown, options.placement, task, options.settings, 0, "");
      for (int i = 0; i < agents.size(); ++i) {
        const AgentTask agent = agents[i];
        const Json command = {{"task", task.id},
                              {"node", agent.node},
                              {"argv", {options.program, "worker", "agent"}},
                              {"stdin", to_json(agent)}};
        append(std::exchange(separator, ",\n") + dump(command));
      }
    }
    append("\n]}\n");
  });
}

Status write_manifest(const Journal& journal, const RunOptions& options, const std::string& config_hash) {
  const Json manifest = {{"schema", 1},
                         {"run_id", journal.run_id()},
                         {"name", options.name},
                         {"command", options.command},
                         {"build_id", build_id()},
                         {"config_hash", config_hash},
                         {"started", format_utc(wall_ns())},
                         {"cluster", options.cluster.name},
                         {"cluster_source", source_of(options.cluster)}};
  SXB_RETURN_IF_ERROR(write_file_atomic(journal.dir() / "manifest.json", pretty_json(manifest)));
  return write_plan(journal.dir() / "plan.json", options);
}

Status dry_run(const RunOptions& options, Transport& transport) {
  const config::Cluster shown = config::redacted(options.cluster);
  for (const plan::Task& task : options.tasks) {
    const AgentTasks agents(shown, options.placement, task, options.settings, 0, "");
    for (int i = 0; i < agents.size(); ++i) {
      const config::Node& node = options.placement.nodes[static_cast<std::size_t>(i)].node;
      SXB_RETURN_IF_ERROR(
          transport.start(node, {options.program, "worker", "agent"}, {}, dump(to_json(agents[i])) + "\n"));
    }
  }
  return ok_status();
}

}  // namespace sxb::launch
