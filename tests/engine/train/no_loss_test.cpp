// Rows that are one document beside packed ones, and rows that teach nothing: what the records say of them,
// and that weights do not move for nothing.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>

#include "base/files.h"
#include "base/hash.h"
#include "data/packed.h"
#include "data/shard.h"
#include "engine/train/loop/loader.h"
#include "engine/train/training_run.h"

namespace sxb::engine::train {
namespace {

constexpr std::int64_t kRowLen = 16;
using Row = std::vector<std::uint32_t>;

/// A row of documents of these lengths; the rest is padding. Without `taught` no token counts in the loss.
Row row_of(std::uint32_t first_token, const std::vector<int>& documents, bool taught = true) {
  Row row;
  for (const int length : documents) {
    for (int i = 0; i < length; ++i) {
      std::uint32_t word = (first_token + static_cast<std::uint32_t>(row.size()) * 7) % 1000;
      if (i == 0) word |= data::kDocumentStartBit;
      if (taught && i > 0) word |= data::kLossBit;
      row.push_back(word);
    }
  }
  row.resize(static_cast<std::size_t>(kRowLen), data::kPaddingBit);
  return row;
}

/// Writes a prepared dataset of exactly these rows.
void write_dataset(const fs::path& dir, const std::vector<Row>& rows) {
  data::ShardHeader header;
  header.seq_len = kRowLen;
  header.rows = rows.size();
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  for (const Row& row : rows) bytes.append(reinterpret_cast<const char*>(row.data()), row.size() * 4);
  const auto count = static_cast<std::int64_t>(rows.size());
  const Json index = {{"schema", data::kPackedSchema},
                      {"name", "rows"},
                      {"seq_len", kRowLen},
                      {"vocab", 1024},
                      {"tokenizer_hash", ""},
                      {"counts",
                       {{"documents", count},
                        {"truncated", 0},
                        {"rows", count},
                        {"tokens", 0},
                        {"loss_tokens", 0},
                        {"padding", 0}}},
                      {"shards", Json::array({{{"file", "rows-00000.bin"},
                                               {"checksum", hash_hex(bytes)},
                                               {"rows", count},
                                               {"bytes", static_cast<std::int64_t>(bytes.size())}}})}};
  ASSERT_TRUE(write_file_atomic(dir / "rows-00000.bin", bytes).ok());
  ASSERT_TRUE(write_file_atomic(dir / "index.json", pretty_json(index)).ok());
}

plan::RankTask task_on(const fs::path& dir, int world, std::int64_t steps) {
  plan::RankTask task = tiny_task(world, steps);
  config::Model& model = task.task.model;
  model.training.seq_len = kRowLen;
  model.training.micro_batch = 1;
  model.training.warmup = 0;
  model.optimizer.schedule = {};
  model.optimizer.schedule.kind = config::ScheduleKind::kConstant;
  task.dataset_dir = dir.string();
  return task;
}

/// Records by kind, without the assumption that every step has a loss.
struct Seen {
  std::mutex mutex;
  std::map<std::string, std::vector<Json>> of;
  static void add(void* user, const char* json) {
    auto* self = static_cast<Seen*>(user);
    Json line = Json::parse(json);
    const std::lock_guard lock(self->mutex);
    self->of[line.at("kind")].push_back(std::move(line.at("data")));
  }
};

void train(const plan::RankTask& base, Seen& seen) {
  run_gloo(base.world, [&](comm::Communicator& comm) {
    plan::RankTask task = base;
    task.rank = task.local_rank = comm.rank();
    task.local_world = base.world;
    at::set_num_threads(1);
    run_training(task, comm, Emitter(&Seen::add, &seen));
  });
}

TEST(SumOfSquares, IsThatOfAllRanksInEveryStep) {
  const TemporaryDir dir;
  const std::vector<std::vector<int>> documents = {{16}, {16}, {9, 7}, {16}, {4, 4, 8}, {16}, {10}, {16}};
  std::vector<Row> rows;
  for (const auto& lengths : documents)
    rows.push_back(row_of(static_cast<std::uint32_t>(rows.size()) * 31, lengths));
  write_dataset(dir.path(), rows);
  const auto count = static_cast<std::int64_t>(rows.size());
  const auto squares = [&](std::int64_t position, std::uint64_t seed) {
    double sum = 0;
    for (const int length : documents[static_cast<std::size_t>(data::row_at(position, count, seed))])
      sum += length * length;
    return sum;
  };
  constexpr double kWhole = static_cast<double>(kRowLen * kRowLen);
  int rank0_whole_beside_packed = 0;
  for (const int world : {1, 2, 3}) {
    const plan::RankTask task = task_on(dir.path(), world, 8);
    Seen seen;
    train(task, seen);
    const std::vector<Json>& steps = seen.of[record::kind::kStep];
    ASSERT_EQ(steps.size(), 8u);
    bool rank0_packed = false;
    for (std::int64_t step = 0; step < 8; ++step) {
      double expected = 0;
      for (int rank = 0; rank < world; ++rank)
        expected += squares(step * world + rank, task.task.model.training.seed);
      EXPECT_EQ(steps[static_cast<std::size_t>(step)].at("sum_len_sq").get<double>(), expected)
          << "step " << step + 1 << " of " << world << " ranks";
      rank0_packed = rank0_packed || squares(step * world, task.task.model.training.seed) != kWhole;
      if (!rank0_packed && expected != kWhole * world) ++rank0_whole_beside_packed;
    }
  }
  EXPECT_GT(rank0_whole_beside_packed, 0) << "the rows are no test of it";
}

TEST(NoLossTokens, StepsHaveNoLossAndMoveNoWeight) {
  const TemporaryDir dir;
  const Row teaches = row_of(5, {16});
  std::vector<Row> rows(8, row_of(500, {16}, false));
  rows[5] = teaches;
  write_dataset(dir.path() / "mostly", rows);
  write_dataset(dir.path() / "only", {teaches});
  for (const auto sharding : {config::Sharding::kNone, config::Sharding::kFull}) {
    plan::RankTask task = task_on(dir.path() / "mostly", 2, 12);
    task.task.model.training.sharding = sharding;
    task.task.model.optimizer.weight_decay = 5;  // would be seen at once
    Seen mostly;
    train(task, mostly);
    std::vector<double> losses;
    int untaught = 0;
    for (const Json& step : mostly.of[record::kind::kStep]) {
      if (step.contains("loss")) losses.push_back(step.at("loss"));
      if (!step.contains("loss")) ++untaught;
      EXPECT_EQ(step.at("loss_tokens").get<int>(), step.contains("loss") ? 15 : 0);
    }
    // An epoch is four steps, and the row that teaches is in one of them.
    EXPECT_EQ(untaught, 9);
    ASSERT_EQ(losses.size(), 3u);

    // The same row alone: the steps between change nothing.
    task.dataset_dir = (dir.path() / "only").string();
    task.task.model.training.steps = 3;
    Seen only;
    train(task, only);
    const std::vector<Json>& steps = only.of[record::kind::kStep];
    ASSERT_EQ(steps.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_NEAR(losses[i] / steps[i].at("loss").get<double>(), 1.0, 1e-5) << "update " << i + 1;
    EXPECT_LT(losses[2], losses[0]);

    ASSERT_EQ(mostly.of[record::kind::kFinding].size(), 1u);
    const Json& finding = mostly.of[record::kind::kFinding].front();
    EXPECT_EQ(finding.at("code"), "no_loss_tokens");
    EXPECT_NE(finding.at("message").get<std::string>().find("9 of 12 steps"), std::string::npos);
    EXPECT_TRUE(only.of[record::kind::kFinding].empty());
  }
}

TEST(NoLossTokens, EveryRankKnowsOfTheOthers) {
  const TemporaryDir dir;
  std::vector<Row> rows(6, row_of(500, {16}, false));
  rows[3] = row_of(5, {16});
  write_dataset(dir.path(), rows);
  const auto dataset = data::PackedDataset::open(dir.path());
  ASSERT_TRUE(dataset.ok());
  LoaderOptions options;
  options.seq_len = kRowLen;
  options.world = 3;
  options.seed = 11;
  std::vector<std::vector<bool>> said(3);
  for (int rank = 0; rank < 3; ++rank) {
    options.rank = rank;
    const Loader loader(&*dataset, options);
    for (std::int64_t step = 0; step < 10; ++step)
      said[static_cast<std::size_t>(rank)].push_back(loader.any_loss_tokens(step, 1));
  }
  EXPECT_EQ(said[1], said[0]);
  EXPECT_EQ(said[2], said[0]);
  EXPECT_EQ(std::count(said[0].begin(), said[0].end(), true), 5) << "one of two steps of each epoch";
}

}  // namespace
}  // namespace sxb::engine::train
