// Whole training runs on CPU ranks over Gloo, for the tests of them.
#pragma once

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "data/packed.h"
#include "engine/support/ranks.h"
#include "engine/train/loop/trainer.h"
#include "record/record.h"

namespace sxb::engine::train {

namespace fs = std::filesystem;

/// A scratch folder that lives as long as the test.
class TemporaryDir {
 public:
  TemporaryDir() {
    std::string pattern = (fs::temp_directory_path() / "sxbench-train-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryDir() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

constexpr std::int64_t kSeqLen = 64;
constexpr std::int64_t kGlobalBatch = 12;  // divides by 1, 2, 3 and 4 ranks

/// The shipped dataset, packed once for all tests of this process.
inline const fs::path& dataset() {
  static const TemporaryDir dir;
  static const fs::path packed = [] {
    data::PrepareOptions options;
    const fs::path shipped = fs::path(SXB_SOURCE_DIR) / "tests/fixtures/train-dataset";
    options.dataset = shipped / "data.json";
    options.tokenizer = shipped / "tokenizer.model";
    options.name = "data";
    options.out = dir.path() / "packed";
    options.seq_len = kSeqLen;
    const auto summary = data::prepare(options);
    if (!summary) ADD_FAILURE() << format_errors(summary.errors());
    return options.out;
  }();
  return packed;
}

inline plan::RankTask tiny_task(int world, std::int64_t steps) {
  plan::RankTask task;
  task.task.phase = plan::Phase::kSft;
  config::Model& model = task.task.model;
  model.name = "tiny";
  model.arch.hidden = 64, model.arch.ffn = 176, model.arch.layers = 2, model.arch.heads = 4,
  model.arch.kv_heads = 2;
  model.arch.vocab = 1024;
  model.training.seq_len = kSeqLen;
  model.training.micro_batch = kGlobalBatch / world;
  model.training.steps = steps;
  model.training.warmup = 2;
  model.optimizer.lr = 3e-3;
  model.optimizer.weight_decay = 0.01;
  model.optimizer.schedule.warmup_steps = 5;
  task.world = task.ranks_per_node = world;
  task.dataset_dir = dataset().string();
  return task;
}

struct RunRecords {
  std::mutex mutex;
  std::vector<std::pair<std::string, Json>> all;
  std::vector<double> losses;

  static void add(void* user, const char* json) {
    auto* self = static_cast<RunRecords*>(user);
    Json line = Json::parse(json);
    const std::lock_guard lock(self->mutex);
    if (line.at("kind") == record::kind::kStep && line.at("data").contains("loss"))
      self->losses.push_back(line.at("data").at("loss"));
    self->all.emplace_back(line.at("kind"), std::move(line.at("data")));
  }
};

/// On task.nodes pretended nodes with ranks_per_node ranks each.
inline void run(const plan::RankTask& base, RunRecords& records) {
  run_gloo(base.world, [&](comm::Communicator& comm) {
    plan::RankTask task = base;
    task.rank = comm.rank();
    task.local_world = base.ranks_per_node;
    task.local_rank = task.rank % task.local_world;
    task.node_rank = task.rank / task.local_world;
    at::set_num_threads(1);  // ranks are threads here: more would only wait for each other
    run_training(task, comm, Emitter(&RunRecords::add, &records));
  });
}

inline std::vector<double> losses(const plan::RankTask& task) {
  RunRecords records;
  run(task, records);
  EXPECT_EQ(records.losses.size(), static_cast<std::size_t>(task.task.model.training.steps));
  return records.losses;
}

}  // namespace sxb::engine::train
