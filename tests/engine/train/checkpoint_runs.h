// Trainings with checkpoints on CPU ranks, for the tests of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "engine/train/training_run.h"
#include "record/kinds/checkpoint.h"

namespace sxb::engine::train {

inline constexpr std::int64_t kSteps = 24;

struct Shape {
  const char* name;
  int world;
  config::Sharding sharding;
  int nodes = 1;
  std::int64_t accumulation = 1;
  config::Offload offload = config::Offload::kNone;
};

inline plan::RankTask shape_task(const Shape& shape, const fs::path& folder) {
  plan::RankTask task = tiny_task(shape.world, kSteps);
  task.task.nodes = shape.nodes;
  task.ranks_per_node = shape.world / shape.nodes;
  config::Training& training = task.task.model.training;
  training.sharding = shape.sharding;
  training.micro_batch = kGlobalBatch / shape.world / shape.accumulation;
  training.grad_accumulation = shape.accumulation;
  training.offload = shape.offload;
  training.checkpoint.every_steps = 3;
  training.checkpoint.keep = 50;
  task.checkpoint_dir = folder.string();
  task.task.id = "0123456789ab";  // these two for a task that travels as JSON
  task.task.model.data.dataset = "synthetic";
  return task;
}

/// Waits until every rank has written the newest checkpoint of a step before `step`, so that a training of
/// milliseconds leaves several. From the record of that step: rank 0 writes no manifest before the one
/// before. Of older ones a rank may be removing its part.
inline void wait_for_checkpoint(const fs::path& folder, int world, std::int64_t step) {
  std::error_code ec;
  std::int64_t newest = 0;
  fs::path dir;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    const std::string name = it->path().filename().string();
    if (name.rfind("step-", 0) != 0) continue;
    const std::int64_t number = std::stoll(name.substr(5));
    if (number < step && number > newest) newest = number, dir = it->path();
  }
  for (int rank = 0; newest > 0 && rank < world; ++rank) {
    std::string number = std::to_string(rank);
    number.insert(0, 5 - number.size(), '0');
    while (!fs::exists(dir / ("rank-" + number + ".json"), ec))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// Losses by step, and all other records by kind. `at`: called with each record, under the lock.
struct SeenRecords {
  std::mutex mutex;
  std::map<std::int64_t, double> losses;
  std::map<std::string, std::vector<Json>> of;
  std::function<void(const std::string& kind, const Json& data)> at;

  static void add(void* user, const char* json) {
    auto* self = static_cast<SeenRecords*>(user);
    const Json line = Json::parse(json);
    const std::string kind = line.at("kind");
    const Json& data = line.at("data");
    const std::lock_guard lock(self->mutex);
    if (kind == record::kind::kStep) self->losses[data.at("step")] = data.at("loss");
    self->of[kind].push_back(data);
    if (self->at) self->at(kind, data);
  }
  bool found(const std::string& code) const {
    const auto findings = of.find(record::kind::kFinding);
    return findings != of.end() && std::any_of(findings->second.begin(), findings->second.end(),
                                               [&](const Json& data) { return data.at("code") == code; });
  }
  /// 0: it began at step 1.
  std::int64_t resumed() const {
    const auto records = of.find(record::Resumed::kKind);
    return records == of.end() ? 0 : records->second.front().at("step").get<std::int64_t>();
  }
};

inline void train_ranks(const plan::RankTask& base, SeenRecords& seen) {
  run_gloo(base.world, [&](comm::Communicator& comm) {
    plan::RankTask task = base;
    task.rank = comm.rank();
    task.local_world = base.ranks_per_node;
    task.local_rank = task.rank % task.local_world;
    task.node_rank = task.rank / task.local_world;
    at::set_num_threads(1);
    run_training(task, comm, Emitter(&SeenRecords::add, &seen));
  });
}

inline const Shape kShapes[] = {
    {"none_on_1", 1, config::Sharding::kNone},
    {"none_on_2", 2, config::Sharding::kNone},
    {"optimizer_on_2", 2, config::Sharding::kOptimizer},
    {"gradients_on_3", 3, config::Sharding::kGradients},
    {"full_on_4", 4, config::Sharding::kFull},
    {"hybrid_on_2_by_2", 4, config::Sharding::kHybrid, 2},
    {"accumulation_on_2", 2, config::Sharding::kGradients, 1, 3},
    {"offload_on_2", 2, config::Sharding::kFull, 1, 1, config::Offload::kOptimizer},
};
inline std::string shape_name(const testing::TestParamInfo<Shape>& info) { return info.param.name; }

}  // namespace sxb::engine::train
