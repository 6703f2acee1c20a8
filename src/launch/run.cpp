#include "launch/run.h"

#include <algorithm>

#include "launch/interrupt.h"
#include "launch/task_run.h"
#include "sxbench/base/build_info.h"
#include "sxbench/base/clock.h"
#include "sxbench/base/files.h"
#include "sxbench/base/hash.h"

namespace sxb::launch {
namespace {

Json tasks_json(const std::vector<plan::Task>& tasks) {
  Json json = Json::array();
  for (const plan::Task& task : tasks) json.push_back(plan::to_json(task));
  return json;
}

record::Record head_record(const char* kind, const std::string& task, Json data) {
  return {kind, task, "", -1, monotonic_ns(), wall_ns(), std::move(data)};
}

Json run_facts(const RunOptions& options, const std::string& run_id, const std::string& config_hash) {
  return {{"run_id", run_id},
          {"name", options.name},
          {"command", options.command},
          {"build_id", build_id()},
          {"config_hash", config_hash},
          {"cluster", config::to_json(options.cluster)},
          {"plan", tasks_json(options.tasks)},
          {"nccl_env", options.cluster.nccl_env}};
}

Status write_manifest(const Journal& journal, const RunOptions& options, const std::string& config_hash) {
  const Json manifest = {{"schema", kProtocolVersion},
                         {"run_id", journal.run_id()},
                         {"name", options.name},
                         {"command", options.command},
                         {"build_id", build_id()},
                         {"config_hash", config_hash},
                         {"started", format_utc(wall_ns())},
                         {"cluster", options.cluster.name},
                         {"cluster_source", options.cluster.source}};
  SXB_RETURN_IF_ERROR(write_file_atomic(journal.dir() / "manifest.json", pretty_json(manifest)));
  return write_file_atomic(journal.dir() / "plan.json", pretty_json(plan_document(options)));
}

Json start_facts(const RunOptions& options, const plan::Task& task) {
  Json nodes = Json::array();
  for (int i = 0; i < task.nodes; ++i)
    nodes.push_back(options.layout.nodes[static_cast<std::size_t>(i)].node.name);
  return {{"phase", plan::to_string(task.phase)},
          {"label", task.label()},
          {"nodes", std::move(nodes)},
          {"world", options.layout.world(task.nodes)},
          {"attempt", 1}};
}

Json end_facts(const TaskOutcome& outcome) {
  return {{"status", outcome.status},           {"reason", outcome.reason},
          {"failed_node", outcome.failed_node}, {"failed_rank", outcome.failed_rank},
          {"duration_s", outcome.duration_s},   {"exit_code", static_cast<int>(outcome.code)}};
}

Result<TaskOutcome> execute_task(const RunOptions& options, const plan::Task& task, Transport& transport,
                                 Journal& journal, Observer& observer) {
  SXB_RETURN_IF_ERROR(
      journal.append(head_record(record::kind::kTaskStart, task.id, start_facts(options, task))));
  SXB_RETURN_IF_ERROR(journal.log("steps", "# " + task.label()));
  SXB_ASSIGN_OR_RETURN(TaskOutcome outcome, TaskRun(options, task, transport, journal, observer).run());
  SXB_RETURN_IF_ERROR(journal.append(head_record(record::kind::kTaskEnd, task.id, end_facts(outcome))));
  SXB_RETURN_IF_ERROR(journal.sync());
  return outcome;
}

const char* status_name(ExitCode code) {
  switch (code) {
    case ExitCode::kOk:
      return "ok";
    case ExitCode::kPartial:
      return "partial";
    case ExitCode::kInterrupted:
      return "interrupted";
    default:
      return "failed";
  }
}

}  // namespace

Result<RunOutcome> execute(const RunOptions& options, Transport& transport, Observer& observer) {
  const Json identity = {{"cluster", config::to_json(options.cluster)}, {"plan", tasks_json(options.tasks)}};
  const std::string config_hash = hash_hex(canonical_json(identity));
  SXB_ASSIGN_OR_RETURN(Journal journal, Journal::create(options.results, options.name, config_hash));
  SXB_RETURN_IF_ERROR(write_manifest(journal, options, config_hash));
  SXB_RETURN_IF_ERROR(
      journal.append(head_record(record::kind::kRun, "", run_facts(options, journal.run_id(), config_hash))));
  observer.run_started(journal.dir());

  RunOutcome result;
  result.dir = journal.dir();
  const int total = static_cast<int>(options.tasks.size());
  for (int i = 0; i < total && interrupts() == 0; ++i) {
    const plan::Task& task = options.tasks[static_cast<std::size_t>(i)];
    observer.task_started(task, i + 1, total);
    SXB_ASSIGN_OR_RETURN(TaskOutcome outcome, execute_task(options, task, transport, journal, observer));
    observer.task_ended(task, outcome);
    result.tasks.push_back(std::move(outcome));
  }
  result.interrupted = interrupts() > 0;
  result.code = result.interrupted ? ExitCode::kInterrupted : exit_code_of(result.tasks);
  SXB_RETURN_IF_ERROR(journal.append(
      head_record(record::kind::kRunEnd, "",
                  {{"status", status_name(result.code)}, {"exit_code", static_cast<int>(result.code)}})));
  SXB_RETURN_IF_ERROR(journal.sync());
  return result;
}

ExitCode exit_code_of(const std::vector<TaskOutcome>& tasks) {
  const auto ok = [](const TaskOutcome& task) { return task.code == ExitCode::kOk; };
  if (std::all_of(tasks.begin(), tasks.end(), ok)) return ExitCode::kOk;
  if (std::any_of(tasks.begin(), tasks.end(), ok)) return ExitCode::kPartial;
  const bool same = std::all_of(tasks.begin(), tasks.end(),
                                [&](const TaskOutcome& task) { return task.code == tasks.front().code; });
  return same ? tasks.front().code : ExitCode::kTaskFailed;
}

Json plan_document(const RunOptions& options) {
  Json commands = Json::array();
  for (const plan::Task& task : options.tasks) {
    for (const AgentTask& agent :
         agent_tasks(options.cluster, options.layout, task, options.settings, 0, "")) {
      commands.push_back({{"task", task.id},
                          {"node", agent.node},
                          {"argv", {options.program, "worker", "agent"}},
                          {"stdin", to_json(agent)}});
    }
  }
  return {{"tasks", tasks_json(options.tasks)}, {"commands", std::move(commands)}};
}

Status dry_run(const RunOptions& options, Transport& transport) {
  for (const plan::Task& task : options.tasks) {
    for (const AgentTask& agent :
         agent_tasks(options.cluster, options.layout, task, options.settings, 0, "")) {
      const config::Node& node = options.layout.nodes[static_cast<std::size_t>(agent.node_rank)].node;
      SXB_RETURN_IF_ERROR(
          transport.start(node, {options.program, "worker", "agent"}, {}, to_json(agent).dump() + "\n"));
    }
  }
  return ok_status();
}

}  // namespace sxb::launch
