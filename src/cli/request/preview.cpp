#include "cli/request/preview.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "base/shell.h"
#include "base/units.h"
#include "cli/request/file_mode.h"
#include "cli/ui/news.h"
#include "cli/ui/terminal.h"
#include "launch/head/run.h"
#include "launch/node/agent_task.h"
#include "launch/transport/transports.h"
#include "plan/memory.h"
#include "plan/validate.h"

namespace sxb::cli {
namespace {

std::string assignments(const std::map<std::string, std::string>& env) {
  std::vector<std::string> words;
  for (const auto& [name, value] : env) words.push_back(name + "=" + value);
  return shell_line(words);
}

/// The agent's command, then what the agent will start.
void print_commands(const config::Node& node, const std::vector<std::string>& argv,
                    const std::map<std::string, std::string>& env, const std::string& input) {
  const Result<Json> json = parse_json(input, "plan");
  const Result<launch::AgentTask> agent =
      json.ok() ? launch::parse_agent_task(*json, "plan") : Result<launch::AgentTask>(json.errors());
  if (!agent.ok()) panic(__FILE__, __LINE__, "the head's own agent task does not parse");
  const std::string prefix = assignments(env);
  print_out("# {} ({})\n{}: {}{}{}\n", name_of(agent->task), agent->task.id, node.name, prefix,
            prefix.empty() ? "" : " ", shell_line(argv));
  if (agent->task.phase == plan::Phase::kSft) {
    const plan::ShardingChoice choice =
        plan::resolve_sharding(agent->task.model, plan::ranks_of(agent->ranks.front()));
    print_out("  # sharding: {} ({})\n", config::to_string(choice.sharding), choice.reason);
  }
  for (const plan::RankTask& rank : agent->ranks) {
    print_out("  rank {}/{}: {} {} worker rank\n", rank.rank, rank.world,
              assignments(launch::rank_environment(*agent, rank)), shell_line({argv.front()}));
  }
}

}  // namespace

ExitCode preview_commands(const Request& request) {
  limit_new_files(request);
  const auto transport = launch::dry_run_transport(print_commands);
  Status status = launch::dry_run(request, *transport);
  const std::filesystem::path file = request.results / "plan.json";
  if (status.ok()) status = launch::write_plan(file, request);
  if (!status.ok()) {
    write_err(format_errors(status.errors()));
    return status.error().code;
  }
  print_err("nothing was started; {} has the input of every command\n", file.string());
  return ExitCode::kOk;
}

ExitCode preview_tasks(const Request& request) {
  const launch::Placement& placement = request.placement;
  std::size_t width = 30;
  for (const plan::Task& task : request.tasks) width = std::max(width, name_of(task).size());
  print_out("{:<12}  {:>5}  {:>6}  {:<{}}  {}\n", "task", "nodes", "ranks", "what", width,
            "memory per rank (predicted), sharding");
  for (const plan::Task& task : request.tasks) {
    const int world = placement.world(task.nodes);
    std::string memory = "-";
    if (task.phase == plan::Phase::kSft) {
      const plan::Ranks ranks = plan::ranks_of(request.cluster, task.nodes, placement.facts);
      memory = format_bytes(plan::estimate_memory(plan::resolve_auto(task.model, ranks), ranks).total());
      if (ranks.memory_bytes > 0) memory += " of " + format_bytes(ranks.memory_bytes);
      const plan::ShardingChoice choice = plan::resolve_sharding(task.model, ranks);
      memory += fmt::format(", {} ({})", config::to_string(choice.sharding), choice.reason);
    }
    print_out("{:<12}  {:>5}  {:>6}  {:<{}}  {}\n", task.id, task.nodes, world, name_of(task), width, memory);
  }
  return ExitCode::kOk;
}

}  // namespace sxb::cli
