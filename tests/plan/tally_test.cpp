// What is missing of a task, by its plan.
#include "plan/tally.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "record/kinds/kinds.h"
#include "record/typed.h"

namespace sxb::plan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Two nodes with two ranks each.
std::vector<RankPlace> tally_ranks() { return {{0, 0, 0}, {1, 1, 0}, {2, 0, 1}, {3, 1, 1}}; }

template <typename T>
void tell(Tally& tally, const T& fields, int rank = 0) {
  record::Record record = record::make(fields);
  record.rank = rank;
  tally.add(record);
}

Tally tally_with_devices(const Task& task) {
  Tally tally(task, tally_ranks());
  for (int rank = 0; rank < 4; ++rank) tell(tally, record::Device{}, rank);
  return tally;
}

Task task_of(Phase phase) {
  Task task;
  task.phase = phase;
  task.nodes = 2;
  return task;
}

TEST(TallyTest, ACheckIsThatEveryRankHasTold) {
  const Task task = task_of(Phase::kCheck);
  EXPECT_THAT(Tally(task, tally_ranks()).missing(),
              ElementsAre("rank 0, 1, 2 and 1 more has not told its device"));
  EXPECT_THAT(tally_with_devices(task).missing(), IsEmpty());
  Tally three(task, tally_ranks());
  for (const int rank : {0, 1, 3}) tell(three, record::Device{}, rank);
  EXPECT_THAT(three.missing(), ElementsAre("rank 2 has not told its device"));
}

TEST(TallyTest, AResumedTrainingHasThoseAfterItsCheckpoint) {
  Task task = task_of(Phase::kSft);
  task.model.training.steps = 10;
  Tally tally = tally_with_devices(task);
  record::Resumed resumed;
  resumed.step = 6;
  tell(tally, resumed);
  for (const int number : {7, 8, 10}) {
    record::Step record;
    record.step = number;
    tell(tally, record);
  }
  for (int rank = 0; rank < 4; ++rank) tell(tally, record::Rank{}, rank);
  tell(tally, record::Training{});
  EXPECT_THAT(tally.missing(), ElementsAre("step 9 of 10"));
  resumed.step = 1000;  // more than there are: all were there before
  tell(tally, resumed);
  EXPECT_THAT(tally.missing(), IsEmpty());
}

TEST(TallyTest, ATrainingHasEveryStep) {
  Task task = task_of(Phase::kSft);
  task.model.training.steps = 10;
  Tally tally = tally_with_devices(task);
  const auto step = [&](int number) {
    record::Step record;
    record.step = number;
    tell(tally, record);
  };
  for (const int number : {1, 2, 5, 6, 8}) step(number);
  for (int rank = 0; rank < 4; ++rank) tell(tally, record::Rank{}, rank);
  EXPECT_THAT(tally.missing(), ElementsAre("step 3 to 4, 7, 9 to 10 of 10", "the totals of the training"));
  for (const int number : {3, 4, 7, 9, 10}) step(number);
  tell(tally, record::Training{});
  EXPECT_THAT(tally.missing(), IsEmpty());
}

TEST(TallyTest, RanksThatSendNoTotalsAreNamed) {
  Task task = task_of(Phase::kSft);
  task.model.training.steps = 1;
  Tally tally = tally_with_devices(task);
  record::Step step;
  step.step = 1;
  tell(tally, step);
  tell(tally, record::Training{});
  for (const int rank : {0, 1, 2}) tell(tally, record::Rank{}, rank);
  EXPECT_THAT(tally.missing(), ElementsAre("rank 3 has sent no totals of its own"));
}

record::Collective row(const char* dtype, int root = -1, int group = 0) {
  record::Collective row;
  row.dtype = dtype;
  row.redop = "sum";
  row.root = root;
  row.group = group;
  return row;
}

Task sweep_of_four_sizes() {
  Task task = task_of(Phase::kNccl);
  task.sweep.min_bytes = 8;
  task.sweep.max_bytes = 64;
  return task;
}

TEST(TallyTest, ASweepHasEverySize) {
  const Task task = sweep_of_four_sizes();
  Tally tally = tally_with_devices(task);
  EXPECT_THAT(tally.missing(),
              ElementsAre("all_reduce: 0 of 1 series of sizes came, of types, operators, roots and groups"));
  for (int size = 0; size < 3; ++size) tell(tally, row("float"));
  EXPECT_THAT(tally.missing(), ElementsAre("all_reduce (float sum root -1, group 0): 3 of 4 sizes came"));
  tell(tally, row("float"));
  EXPECT_THAT(tally.missing(), IsEmpty());
  tell(tally, row("float"));
  EXPECT_THAT(tally.missing(), ElementsAre("all_reduce (float sum root -1, group 0): 5 of 4 sizes came"));
}

TEST(TallyTest, ASweepHasEveryGroupRootAndType) {
  Task task = sweep_of_four_sizes();
  task.sweep.split = "nodes";
  Tally one_group = tally_with_devices(task);
  for (int size = 0; size < 4; ++size) tell(one_group, row("float", -1, 0));
  EXPECT_THAT(one_group.missing(),
              ElementsAre("all_reduce: 1 of 2 series of sizes came, of types, operators, roots and groups"));
  task.sweep.collective = "broadcast";
  task.sweep.root = -1;
  Tally roots = tally_with_devices(task);  // two of each group
  for (const int group : {0, 1}) {
    for (const int root : {0, 1}) {
      for (int size = 0; size < 4; ++size) tell(roots, row("float", root, group));
    }
  }
  EXPECT_THAT(roots.missing(), IsEmpty());
  task = sweep_of_four_sizes();
  task.sweep.dtype = "all";
  Tally types = tally_with_devices(task);
  for (std::size_t i = 0; i + 2 < dtype_names().size(); ++i) {
    for (int size = 0; size < 4; ++size) tell(types, row(dtype_names()[i].c_str()));
  }
  EXPECT_EQ(types.missing().size(), 1U);
  for (int pair = 0; pair < 2; ++pair) tell(types, record::Finding{"info", "pair_skipped", "", ""});
  EXPECT_THAT(types.missing(), IsEmpty()) << "what the device lacks was said";
}

TEST(TallyTest, ARangeThatDidNotFitIsCutWithAFinding) {
  Tally tally = tally_with_devices(sweep_of_four_sizes());
  for (int size = 0; size < 3; ++size) tell(tally, row("float"));
  tell(tally, record::Finding{"warning", "sweep_range_cut", "", ""});
  EXPECT_THAT(tally.missing(), IsEmpty());
}

TEST(TallyTest, EveryNodeHasEveryTestOfTheSuite) {
  Task task = task_of(Phase::kGpu);
  task.gpu.tests = {"gemm", "p2p"};
  Tally tally = tally_with_devices(task);
  const auto figure = [&](const char* group, int rank) {
    record::GpuBench bench;
    bench.group = group;
    tell(tally, bench, rank);
  };
  figure("gemm", 0), figure("p2p", 1), figure("gemm", 3);
  EXPECT_THAT(tally.missing(), ElementsAre("node 1 (from 0): no figure of p2p"));
  figure("p2p", 2);
  EXPECT_THAT(tally.missing(), IsEmpty());
}

TEST(TallyTest, ABurnAndASearchHaveTheirEnd) {
  Tally burn = tally_with_devices(task_of(Phase::kBurn));
  for (const int rank : {0, 1, 2}) tell(burn, record::Burn{}, rank);
  EXPECT_THAT(burn.missing(), ElementsAre("rank 3 has sent no figure of the burn"));
  Tally search = tally_with_devices(task_of(Phase::kLocate));
  EXPECT_THAT(search.missing(), ElementsAre("the end of the search"));
  tell(search, record::Locate{});
  EXPECT_THAT(search.missing(), IsEmpty());
}

// --- recorded runs: what ended well on real GPUs and CPUs must be called whole

struct RecordedTask {
  Task task;
  int world = 0;
  bool ok = false;
  std::vector<record::Record> records;  ///< of its last attempt
};

std::map<std::string, RecordedTask> recorded_tasks(const std::filesystem::path& journal) {
  std::map<std::string, RecordedTask> tasks;
  std::ifstream in(journal);
  for (std::string line; std::getline(in, line);) {
    const auto record = record::parse_line(line, journal.string());
    if (!record.ok()) continue;
    if (record->kind == record::kind::kRun) {
      for (const Json& item : record::read<record::Run>(*record).plan) {
        const auto task = parse_task(item, journal.string());
        if (task.ok()) tasks[task->id].task = *task;
      }
    }
    const auto found = tasks.find(record->task);
    if (found == tasks.end()) continue;
    if (record->kind == record::kind::kTaskStart) {
      found->second.records.clear();
      found->second.world = record::read<record::TaskStart>(*record).world.value_or(0);
    }
    if (record->kind == record::kind::kTaskEnd) {
      found->second.ok = record::read<record::TaskEnd>(*record).status == "ok";
    }
    found->second.records.push_back(*record);
  }
  return tasks;
}

/// From the device records, node-major; empty if not every rank has one: the journal is an excerpt.
std::vector<RankPlace> recorded_places(const RecordedTask& task) {
  std::map<int, std::string> nodes;
  for (const record::Record& record : task.records) {
    if (record.kind == record::kind::kDevice) nodes[record.rank] = record.node;
  }
  if (static_cast<int>(nodes.size()) != task.world) return {};
  std::vector<RankPlace> places;
  for (const auto& [rank, node] : nodes) {
    const bool same = rank > 0 && nodes[rank - 1] == node;
    const int before = rank > 0 ? places.back().node_rank : -1;
    places.push_back({rank, same ? places.back().local_rank + 1 : 0, same ? before : before + 1});
  }
  return places;
}

TEST(TallyTest, MissesNothingOfRunsThatEndedWell) {
  int whole = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           std::filesystem::path(SXB_SOURCE_DIR) / "docs/results")) {
    if (entry.path().filename() != "records.jsonl") continue;
    for (const auto& [id, task] : recorded_tasks(entry.path())) {
      const std::vector<RankPlace> places = recorded_places(task);
      if (!task.ok || places.empty()) continue;
      Tally tally(task.task, places);
      for (const record::Record& record : task.records) tally.add(record);
      EXPECT_THAT(tally.missing(), IsEmpty()) << entry.path() << " " << task.task.label();
      ++whole;
    }
  }
  EXPECT_GT(whole, 20);
}

}  // namespace
}  // namespace sxb::plan
