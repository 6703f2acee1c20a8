// Verdicts of sweeps: made-up rows on a known topology.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "analysis/analysis.h"
#include "support/hardware_facts.h"
#include "support/synthetic_run.h"

namespace sxb::analysis {
namespace {

using ::testing::HasSubstr;
using testing::scratch;
using testing::SyntheticRun;

/// 4 H200 of one machine: the ring's expected time, times `factor`, at each size.
struct SweepSpec {
  std::function<double(double size)> factor = [](double) { return 1.0; };
  std::string algorithm = "RING";
  Json placement = Json::object();  ///< more fields of one row's out_of_place
  int placement_of = 33;            ///< that row, power of two
  int smallest = 3;                 ///< power of two
  int repeats = 1;
  double second_factor = 1;  ///< of the second repeat
  Json goals = Json::object();
  std::string net;
};

struct JudgedSweep {
  Dataset dataset;
  Analysis analysis;
  const NcclGroup& group() const { return analysis.nccl.at(0); }
  const SweepRow& row(int power) const {
    for (const SweepRow& row : group().rows) {
      if (row.size_bytes == std::int64_t{1} << power) return row;
    }
    throw std::out_of_range("no such size");
  }
  const Verdict& verdict(const std::string& item) const {
    for (const Verdict& verdict : analysis.verdicts) {
      if (verdict.item == item) return verdict;
    }
    throw std::out_of_range(item);
  }
};

void add_task(SyntheticRun& run, const SweepSpec& spec, const std::string& id, double factor) {
  run.add("task_start", {{"phase", "nccl"}, {"label", "n"}, {"nodes", {"synthetic1"}}, {"world", 4}}, id);
  run.add("node", {{"hostname", "synthetic1"}}, id, "synthetic1");
  for (int rank = 0; rank < 4; ++rank) {
    Json device = {{"device", "cuda"}, {"name", "NVIDIA H200"}, {"backend", "nccl"}};
    if (!spec.net.empty()) device["net"] = spec.net;
    run.add("device", device, id, "synthetic1", rank);
  }
  for (int power = spec.smallest; power <= 33; ++power) {
    const double size = std::ldexp(1, power);
    // 450 GB/s x 0.82, ramp and latency as in interconnects.json.
    const double model = 10.2 + 5.9 * std::sqrt(size / 1048576) + size * 1.5 / 369e3;
    const double us = model * spec.factor(size) * factor;
    Json place = {
        {"time_us", us}, {"algbw_gBps", size / us * 1e-3}, {"busbw_gBps", size / us * 1.5e-3}, {"wrong", 0}};
    Json first = place;
    if (power == spec.placement_of) first.update(spec.placement);
    run.add("collective",
            {{"collective", "all_reduce"},
             {"size_bytes", std::int64_t{1} << power},
             {"count", std::int64_t{1} << (power - 2)},
             {"dtype", "float"},
             {"redop", "sum"},
             {"ranks", 4},
             {"iterations", 20},
             {"algorithm", spec.algorithm},
             {"out_of_place", first},
             {"in_place", place}},
            id, "synthetic1", 0);
  }
  run.add("task_end", {{"status", "ok"}, {"reason", ""}}, id);
}

std::unique_ptr<JudgedSweep> judged(const SweepSpec& spec) {
  SyntheticRun run(scratch("run"));
  Json plan = Json::array();
  for (int i = 0; i < spec.repeats; ++i) {
    plan.push_back(testing::planned_nccl(fmt::format("n{}", i), 1));
    plan.back()["repeat"] = i;
  }
  run.add("run", testing::run_data("synthetic", plan, spec.goals));
  for (int i = 0; i < spec.repeats; ++i)
    add_task(run, spec, fmt::format("n{}", i), i == 1 ? spec.second_factor : 1);
  run.write();
  auto out = std::make_unique<JudgedSweep>();
  auto dataset = load_dataset(run.folder());
  EXPECT_TRUE(dataset.ok());
  out->dataset = std::move(*dataset);
  out->analysis = analyze(out->dataset, testing::shipped_hardware());
  return out;
}

TEST(SweepVerdict, AHealthySweepPasses) {
  const auto run = judged({});
  for (const SweepRow& row : run->group().rows) EXPECT_EQ(row.mark, Mark::kPass) << row.size_bytes << row.why;
  EXPECT_EQ(run->group().mark, Mark::kPass);
  EXPECT_NEAR(*run->row(33).of_expected(), 1, 1e-9);
  EXPECT_NEAR(run->group().fit->algbw_gBps * 1.5, 369, 0.1);
  EXPECT_NEAR(run->group().fit->alpha_us, 10.2, 0.01);
  const Verdict& verdict = run->verdict("Expected bandwidth, all_reduce on 1 node");
  EXPECT_EQ(verdict.mark, Mark::kPass);
  EXPECT_THAT(verdict.note, HasSubstr("NVLink-bound: 363.3 of 450 GB/s NVLink, 81 %"));
  EXPECT_TRUE(run->analysis.goals_met());
}

// 1/0.90 and 1/0.80 of the expected time: below 92 % and below 84 %.
TEST(SweepVerdict, LargeSizesAreHeldAgainstTheExpectedValue) {
  const auto slow = [](double share) {
    return [share](double size) { return size >= 268435456 ? 1 / share : 1.0; };
  };
  SweepSpec spec;
  spec.factor = slow(0.90);
  const auto warned = judged(spec);
  EXPECT_EQ(warned->row(28).mark, Mark::kWarn);
  EXPECT_EQ(warned->row(27).mark, Mark::kPass);
  EXPECT_EQ(warned->group().mark, Mark::kWarn);
  EXPECT_TRUE(warned->analysis.goals_met());
  spec.factor = slow(0.80);
  const auto failed = judged(spec);
  EXPECT_EQ(failed->row(33).mark, Mark::kFail);
  EXPECT_THAT(failed->row(33).why, HasSubstr("80 % of the expected"));
  EXPECT_FALSE(failed->analysis.goals_met());
}

// Twice the expected latency everywhere is how this machine is; one size that stands out is not.
TEST(SweepVerdict, SmallSizesAreHeldAgainstTheFit) {
  SweepSpec spec;
  spec.factor = [](double size) { return size < 65536 ? 2.0 : 1.0; };
  EXPECT_EQ(judged(spec)->row(10).mark, Mark::kPass);
  spec.factor = [](double size) { return size == 65536 ? 4.0 : 1.0; };
  const auto run = judged(spec);
  EXPECT_EQ(run->row(16).mark, Mark::kFail);
  EXPECT_THAT(run->row(16).why, HasSubstr("4.0 times the time"));
  EXPECT_EQ(run->row(15).mark, Mark::kPass);
  EXPECT_EQ(run->group().mark, Mark::kWarn) << "a small size alone fails no sweep";
}

TEST(SweepVerdict, SpreadMakesASizeUnstable) {
  SweepSpec spec;
  spec.placement = {{"per_iteration", {{"cv_pct", 6.0}}}};
  EXPECT_EQ(judged(spec)->row(33).mark, Mark::kUnstable);
  spec.placement = {{"per_iteration", {{"cv_pct", 4.0}}}, {"rank_spread_pct", 11}};
  EXPECT_EQ(judged(spec)->row(33).mark, Mark::kUnstable);
  SweepSpec repeated;
  repeated.repeats = 2;
  repeated.second_factor = 1.06;
  EXPECT_EQ(judged(repeated)->row(33).mark, Mark::kUnstable);
  EXPECT_EQ(judged(repeated)->group().mark, Mark::kUnstable);
  EXPECT_EQ(judged(repeated)->row(20).mark, Mark::kPass) << "repeats of small sizes are not compared";
}

// p95 = p50 (1 + 1.645 sigma).
TEST(SweepVerdict, OneStrayIterationMakesNoSmallSizeUnstable) {
  SweepSpec spec;
  spec.placement_of = 10;
  spec.placement = {{"per_iteration", {{"p50_us", 10.0}, {"p95_us", 14.9}, {"cv_pct", 390.0}}}};
  EXPECT_EQ(judged(spec)->row(10).mark, Mark::kPass);
  spec.placement = {{"per_iteration", {{"p50_us", 10.0}, {"p95_us", 15.0}, {"cv_pct", 20.0}}}};
  EXPECT_EQ(judged(spec)->row(10).mark, Mark::kUnstable);
  EXPECT_THAT(judged(spec)->row(10).why, HasSubstr("30.4 % (by p50 and p95), above 30 %"));
}

// 450 x 2·3/4 = 675 GB/s at most.
TEST(SweepVerdict, ImplausibleBeatsAll) {
  SweepSpec spec;
  spec.factor = [](double size) { return size > 8e9 ? 0.5 : 1.0; };
  spec.placement = {{"per_iteration", {{"cv_pct", 60.0}}}};
  const auto run = judged(spec);
  EXPECT_EQ(run->row(33).mark, Mark::kImplausible);
  EXPECT_EQ(run->group().mark, Mark::kImplausible);
  EXPECT_FALSE(run->analysis.goals_met());
}

// Without a recorded algorithm NVLS (416) may have run or a ring (369): 349 of 416 is 84 %, of a ring all of
// it.
TEST(SweepVerdict, AnUnknownAlgorithmFailsOnlyBelowTheSlowest) {
  SweepSpec spec;
  spec.algorithm = "";
  const auto ring = judged(spec);
  EXPECT_EQ(ring->group().expected.value->algorithm, "NVLS");
  EXPECT_EQ(ring->row(33).mark, Mark::kWarn);
  spec.factor = [](double) { return 1 / 0.8; };
  EXPECT_EQ(judged(spec)->row(33).mark, Mark::kFail);
}

TEST(SweepVerdict, NothingExpectedIsNotJudged) {
  SweepSpec spec;
  spec.net = "Socket";
  const auto run = judged(spec);
  EXPECT_EQ(run->row(33).mark, Mark::kNotJudged);
  EXPECT_EQ(run->group().mark, Mark::kNotJudged);
  EXPECT_EQ(run->verdict("Expected bandwidth, all_reduce on 1 node").mark, Mark::kNotJudged);
  EXPECT_THAT(run->verdict("Expected bandwidth, all_reduce on 1 node").note, HasSubstr("Socket"));
  EXPECT_TRUE(run->analysis.goals_met());
}

TEST(SweepVerdict, FewSizesHaveNoFit) {
  SweepSpec spec;
  spec.smallest = 26;
  const auto run = judged(spec);
  EXPECT_TRUE(run->group().fit);
  spec.smallest = 30;
  EXPECT_FALSE(judged(spec)->group().fit);
  EXPECT_EQ(judged(spec)->row(33).mark, Mark::kPass);
}

TEST(SweepVerdict, TheIntraNodeGoal) {
  SweepSpec spec;
  spec.goals = {{"intra_node_busbw_gBps", 300}};
  EXPECT_EQ(judged(spec)->verdict("Bus bandwidth inside the node, all_reduce on 1 node").mark, Mark::kPass);
  spec.goals = {{"intra_node_busbw_gBps", 400}};
  const auto missed = judged(spec);
  EXPECT_EQ(missed->verdict("Bus bandwidth inside the node, all_reduce on 1 node").mark, Mark::kFail);
  EXPECT_FALSE(missed->analysis.goals_met());
}

}  // namespace
}  // namespace sxb::analysis
