// What a run would start, given to a transport that starts nothing.
#include "base/json.h"
#include "launch/head/run.h"

namespace sxb::launch {

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
