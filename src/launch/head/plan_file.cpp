#include "launch/head/plan_file.h"

#include <utility>

#include "base/build_info.h"
#include "base/files.h"
#include "launch/head/run.h"

namespace sxb::launch {

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
