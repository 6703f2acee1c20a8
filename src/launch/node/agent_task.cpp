#include "launch/node/agent_task.h"

#include <fmt/format.h>

#include "base/build_info.h"

namespace sxb::launch {

Json to_json(const AgentTask& task) {
  Json ranks = Json::array();
  for (const plan::RankTask& rank : task.ranks) {
    Json json = plan::to_json(rank);
    json.erase("task");
    json.erase("nonce");
    ranks.push_back(std::move(json));
  }
  return {{"protocol", kProtocolVersion},
          {"build_id", task.build_id},
          {"node", task.node},
          {"nonce", task.nonce},
          {"node_rank", task.node_rank},
          {"task", plan::to_json(task.task)},
          {"ranks", std::move(ranks)},
          {"env", task.env},
          {"gpus", task.gpus},
          {"data_dir", task.data_dir},
          {"sample_interval_ns", task.sample_interval_ns},
          {"timeouts", config::to_json(task.timeouts)}};
}

Result<AgentTask> parse_agent_task(const Json& json, const std::string& where) {
  try {
    AgentTask task;
    task.build_id = json.at("build_id").get<std::string>();
    task.node = json.at("node").get<std::string>();
    task.nonce = json.at("nonce").get<std::string>();
    task.node_rank = json.at("node_rank").get<int>();
    SXB_ASSIGN_OR_RETURN(task.task, plan::parse_task(json.at("task"), where + ":/task"));
    for (const Json& item : json.at("ranks")) {
      Json rank = item;
      rank["task"] = json.at("task");
      rank["nonce"] = task.nonce;
      SXB_ASSIGN_OR_RETURN(
          plan::RankTask parsed,
          plan::parse_rank_task(rank, fmt::format("{}:/ranks/{}", where, task.ranks.size())));
      task.ranks.push_back(std::move(parsed));
    }
    task.env = json.at("env").get<std::map<std::string, std::string>>();
    task.gpus = json.at("gpus").get<std::vector<int>>();
    task.data_dir = json.at("data_dir").get<std::string>();
    task.sample_interval_ns = json.at("sample_interval_ns").get<std::int64_t>();
    SXB_ASSIGN_OR_RETURN(task.timeouts, config::parse_timeouts(json.at("timeouts"), where + ":/timeouts"));
    return task;
  } catch (const nlohmann::json::exception& e) {
    return Error{fmt::format("not an agent task of this build: {}", e.what()), where,
                 "deploy the same sxbench to every node"};
  }
}

namespace {

/// A rank sees its GPU alone, which is device 0 then. Where GPUs are measured the others of the node follow:
/// copies between two of them need both in one process.
std::string visible_gpus(const AgentTask& task, const plan::RankTask& rank) {
  std::string gpus = std::to_string(rank.gpu);
  if (task.task.phase != plan::Phase::kGpu) return gpus;
  for (const plan::RankTask& other : task.ranks) {
    if (other.gpu != rank.gpu) gpus += "," + std::to_string(other.gpu);
  }
  return gpus;
}

}  // namespace

std::map<std::string, std::string> rank_environment(const AgentTask& task, const plan::RankTask& rank) {
  std::map<std::string, std::string> env = task.env;
  if (rank.cuda) {
    // NVML counts in PCI order; CUDA does so only when told.
    env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID";
    env["CUDA_VISIBLE_DEVICES"] = visible_gpus(task, rank);
  } else {
    env["CUDA_VISIBLE_DEVICES"] = "";
    env["OMP_NUM_THREADS"] = std::to_string(rank.cpu_threads);
  }
  return env;
}

}  // namespace sxb::launch
