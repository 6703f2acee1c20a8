#include "plan/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/hash.h"
#include "base/redact.h"
#include "base/text.h"
#include "config/reader.h"
#include "plan/limits.h"

namespace sxb::plan {
namespace {

using config::Need;
using config::ObjectReader;

constexpr config::EnumName<Phase> kPhases[] = {
    {Phase::kCheck, "check"},   {Phase::kGpu, "gpu"}, {Phase::kBurn, "burn"},    {Phase::kNccl, "nccl"},
    {Phase::kLocate, "locate"}, {Phase::kSft, "sft"}, {Phase::kReport, "report"}};
/// "full": what `sxbench run` does when it is told nothing else.
constexpr const char* kFull[] = {"check", "nccl", "sft", "report"};

void read_model(ObjectReader& reader, config::Model& model, Errors& errors) {
  const Json* json = reader.find("model");
  if (json == nullptr) {
    reader.error("model", "a task of phase sft needs a model", "");
    return;
  }
  auto parsed = config::parse_model(*json, reader.where("model"));
  if (parsed.ok()) {
    model = std::move(parsed).value();
  } else {
    errors.insert(errors.end(), parsed.errors().begin(), parsed.errors().end());
  }
}

/// What a task of its phase holds under `key`.
template <typename T>
void read_part(ObjectReader& reader, const char* key, Result<T> (*parse)(const Json&, const std::string&),
               T& out, Errors& errors) {
  const Json* json = reader.find(key);
  if (json == nullptr) return;
  Result<T> parsed = parse(*json, reader.where(key));
  if (parsed.ok()) {
    out = std::move(parsed).value();
  } else {
    errors.insert(errors.end(), parsed.errors().begin(), parsed.errors().end());
  }
}

void read_task(ObjectReader reader, Task& task, Errors& errors) {
  reader.text("id", task.id, Need::kRequired);
  reader.choice("phase", task.phase, kPhases);
  reader.integer("nodes", task.nodes, 1, 1 << 20);
  reader.integer("repeat", task.repeat, 0, 1 << 20);
  if (task.phase == Phase::kSft) read_model(reader, task.model, errors);
  if (task.phase == Phase::kNccl) read_sweep(reader.child("sweep"), task.sweep);
  if (task.phase == Phase::kLocate) read_locate(reader.child("locate"), task.locate);
  if (task.phase == Phase::kGpu) read_part(reader, "gpu", parse_gpu_suite, task.gpu, errors);
  if (task.phase == Phase::kBurn) read_part(reader, "burn", parse_burn, task.burn, errors);
  reader.finish();
}

/// What of the cluster changes the result of a task on its first `nodes` nodes. Addresses and SSH
/// settings do not.
Json cluster_facts(const config::Cluster& cluster, int nodes) {
  Json list = Json::array();
  for (const config::Node& node : cluster.nodes) {
    if (static_cast<int>(list.size()) == nodes) break;
    list.push_back({{"name", node.name}, {"gpus", node.gpus}, {"slots", node.slots}});
  }
  return {{"nodes", list},
          {"device", to_string(cluster.device)},
          {"nccl_env", Json(redacted(cluster.nccl_env))},
          {"env", Json(redacted(cluster.env))}};
}

std::string task_id(const Task& task, const config::Cluster& cluster) {
  Json json = to_json(task);
  json.erase("id");
  if (json.contains("model")) {
    json["model"].erase("description");
    json["model"]["training"].erase("checkpoint");  // what is saved on the way changes no result
  }
  json["cluster"] = cluster_facts(cluster, task.nodes);
  return hash_hex(canonical_json(json)).substr(0, 12);
}

/// Adds one task per repeat.
void append(const PlanInput& input, Task task, int repeats, std::vector<Task>& tasks) {
  for (int repeat = 0; repeat < repeats; ++repeat) {
    task.repeat = repeat;
    task.id = task_id(task, input.cluster);
    tasks.push_back(task);
  }
}

Task make_task(Phase phase, int nodes) {
  Task task;
  task.phase = phase;
  task.nodes = nodes;
  return task;
}

}  // namespace

std::string to_string(Phase phase) { return config::enum_name(kPhases, phase); }

Result<std::vector<Phase>> parse_phases(std::string_view text) {
  std::vector<std::string> known;
  for (const auto& entry : kPhases) known.emplace_back(entry.name);
  std::vector<std::string> wanted;
  for (const std::string& piece : split(text, ',')) {
    wanted.emplace_back(trim(piece));
    if (wanted.back() == "full") {
      wanted.assign(std::begin(kFull), std::end(kFull));
      break;
    }
    if (std::find(known.begin(), known.end(), wanted.back()) != known.end()) continue;
    std::vector<std::string> candidates = known;
    candidates.emplace_back("full");
    return Error{fmt::format("unknown phase \"{}\"", wanted.back()), "--phases",
                 suggest(wanted.back(), candidates)};
  }
  // In the order they run in, whatever the order they were named in.
  std::vector<Phase> phases;
  for (const auto& entry : kPhases) {
    if (std::find(wanted.begin(), wanted.end(), entry.name) != wanted.end()) phases.push_back(entry.value);
  }
  return phases;
}

std::string Task::label() const {
  std::string what;
  if (phase == Phase::kNccl) what = " " + sweep.collective;
  if (phase == Phase::kNccl && !sweep.split.empty()) what += " (" + sweep.split + ")";
  if (phase == Phase::kSft) what = " " + model.name;
  if (phase == Phase::kBurn) what = fmt::format(" {}, {} s", burn.precision, burn.duration_s);
  return fmt::format("{}{} on {} {}", to_string(phase), what, nodes, nodes == 1 ? "node" : "nodes");
}

Json to_json(const Task& task) {
  Json json = {
      {"id", task.id}, {"phase", to_string(task.phase)}, {"nodes", task.nodes}, {"repeat", task.repeat}};
  if (task.phase == Phase::kSft) json["model"] = to_json(task.model);
  if (task.phase == Phase::kNccl) json["sweep"] = to_json(task.sweep);
  if (task.phase == Phase::kLocate) json["locate"] = to_json(task.locate);
  if (task.phase == Phase::kGpu) json["gpu"] = to_json(task.gpu);
  if (task.phase == Phase::kBurn) json["burn"] = to_json(task.burn);
  return json;
}

Result<Task> parse_task(const Json& json, const std::string& where) {
  Errors errors;
  Task task;
  read_task(ObjectReader(json, where, "", errors), task, errors);
  if (!errors.empty()) return errors;
  return task;
}

std::vector<Task> expand(const PlanInput& input) {
  std::vector<Task> tasks;
  const auto wanted = [&](Phase phase) {
    return std::find(input.phases.begin(), input.phases.end(), phase) != input.phases.end();
  };
  if (input.node_counts.empty()) return tasks;
  const int most = *std::max_element(input.node_counts.begin(), input.node_counts.end());
  if (wanted(Phase::kCheck)) append(input, make_task(Phase::kCheck, most), 1, tasks);
  if (wanted(Phase::kGpu)) {
    Task task = make_task(Phase::kGpu, most);  // nothing crosses nodes: fewer of them say nothing new
    task.gpu = input.gpu;
    append(input, task, input.repeats, tasks);
  }
  if (wanted(Phase::kBurn)) {
    for (const int nodes : input.node_counts) {
      Task task = make_task(Phase::kBurn, nodes);
      task.burn = input.burn;
      append(input, task, input.repeats, tasks);
    }
  }
  if (wanted(Phase::kNccl)) {
    for (const CollectiveSweep& sweep : input.sweeps) {
      for (const int nodes : input.node_counts) {
        Task task = make_task(Phase::kNccl, nodes);
        task.sweep = sweep;
        append(input, task, input.repeats, tasks);
      }
    }
  }
  if (wanted(Phase::kLocate)) {
    for (const int nodes : input.node_counts) {
      Task task = make_task(Phase::kLocate, nodes);
      task.locate = input.locate;
      append(input, task, input.repeats, tasks);
    }
  }
  if (wanted(Phase::kSft)) {
    for (const config::Model& model : input.models) {
      for (const int nodes : input.node_counts) {
        Task task = make_task(Phase::kSft, nodes);
        task.model = model;
        append(input, task, input.repeats, tasks);
      }
    }
  }
  return tasks;
}

Json to_json(const RankTask& task) {
  return {{"task", to_json(task.task)},
          {"node", task.node},
          {"rank", task.rank},
          {"world", task.world},
          {"local_rank", task.local_rank},
          {"local_world", task.local_world},
          {"node_rank", task.node_rank},
          {"ranks_per_node", task.ranks_per_node},
          {"cuda", task.cuda},
          {"gpu", task.gpu},
          {"rendezvous_host", task.rendezvous_host},
          {"rendezvous_port", task.rendezvous_port},
          {"token", task.token},
          {"nonce", task.nonce},
          {"dataset_dir", task.dataset_dir},
          {"save_dir", task.save_dir},
          {"checkpoint_dir", task.checkpoint_dir},
          {"recorded_steps", task.recorded_steps},
          {"memory_bytes", task.memory_bytes},
          {"peak_tflops", task.peak_tflops},
          {"cpu_threads", task.cpu_threads},
          {"fabric", task.fabric},
          {"mixed_gpus", task.mixed_gpus}};
}

Result<RankTask> parse_rank_task(const Json& json, const std::string& where) {
  Errors errors;
  RankTask task;
  ObjectReader reader(json, where, "", errors);
  read_task(reader.child("task"), task.task, errors);
  reader.text("node", task.node);
  reader.integer("rank", task.rank, 0, limits::kMaxRanks);
  reader.integer("world", task.world, 1, limits::kMaxRanks);
  reader.integer("local_rank", task.local_rank, 0, limits::kMaxRanks);
  reader.integer("local_world", task.local_world, 1, limits::kMaxRanks);
  reader.integer("node_rank", task.node_rank, 0, limits::kMaxRanks);
  reader.integer("ranks_per_node", task.ranks_per_node, 0, limits::kMaxRanks);
  reader.flag("cuda", task.cuda);
  reader.integer("gpu", task.gpu, -1, 1024);
  reader.text("rendezvous_host", task.rendezvous_host);
  reader.integer("rendezvous_port", task.rendezvous_port, 0, 65535);
  reader.text("token", task.token);
  reader.text("nonce", task.nonce);
  reader.text("dataset_dir", task.dataset_dir);
  reader.text("save_dir", task.save_dir);
  reader.text("checkpoint_dir", task.checkpoint_dir);
  reader.integer("recorded_steps", task.recorded_steps, 0, std::numeric_limits<std::int64_t>::max());
  reader.integer("memory_bytes", task.memory_bytes, 0, std::numeric_limits<std::int64_t>::max());
  reader.number("peak_tflops", task.peak_tflops, 0, 1e6);
  reader.integer("cpu_threads", task.cpu_threads, 1, 4096);
  reader.text("fabric", task.fabric);
  reader.flag("mixed_gpus", task.mixed_gpus);
  reader.finish();
  if (task.rank >= task.world) reader.error("rank", fmt::format("rank {} of {}", task.rank, task.world), "");
  if (!errors.empty()) return errors;
  return task;
}

}  // namespace sxb::plan
