// Figures against values worked out by hand from the synthetic journal.
#include "analysis/sft/sft_figures.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/synthetic_run.h"

namespace sxb::analysis {
namespace {

using testing::scratch;
using testing::SftSpec;
using testing::SyntheticRun;

struct Computed {
  Dataset dataset;
  TaskSamples samples;
  Figures figures;
};

Computed compute(const SftSpec& spec, bool with_samples = true) {
  SyntheticRun run(scratch("run"));
  run.add("run", testing::run_data("synthetic", Json::array({testing::planned_sft(spec)}), Json::object()));
  add_sft_task(run, spec);
  if (with_samples) add_gpu_samples(run, spec, 690);
  run.write();
  Computed out;
  auto dataset = load_dataset(run.folder());
  EXPECT_TRUE(dataset.ok());
  out.dataset = std::move(*dataset);
  out.samples = load_samples(run.folder(), out.dataset.tasks[0], 5);
  out.figures = compute_sft(out.dataset.tasks[0], out.samples);
  return out;
}

SftSpec spec() {
  SftSpec sft;
  sft.id = std::string("a");
  return sft;
}

// Two ranks; five measured steps of 500 ms together with 4 sequences and 4000 tokens each. The warm-up
// step of 500 ms counts nowhere.
TEST(Figures, ThroughputOverMeasuredStepsOnly) {
  const Computed run = compute(spec());
  EXPECT_NEAR(*run.figures.get("samples_per_sec"), 5 * 4 / 0.5, 1e-9);
  EXPECT_NEAR(*run.figures.get("tokens_per_sec"), 5 * 4000 / 0.5, 1e-9);
  EXPECT_NEAR(*run.figures.get("tokens_per_sec_per_gpu"), 20000, 1e-9);
  EXPECT_EQ(*run.figures.get("gpus"), 2);
  EXPECT_EQ(*run.figures.get("measured_steps"), 5);
}

// Times 96 98 100 102 104: p5 = 96 + 0.2·2, p95 = 102 + 0.8·2, deviations 4 2 0 2 4.
TEST(Figures, StepTimes) {
  const Computed run = compute(spec());
  EXPECT_NEAR(*run.figures.get("step_time_ms_median"), 100, 1e-9);
  EXPECT_NEAR(*run.figures.get("step_time_ms_p5"), 96.4, 1e-9);
  EXPECT_NEAR(*run.figures.get("step_time_ms_p95"), 103.6, 1e-9);
  EXPECT_NEAR(*run.figures.get("step_time_ms_mad"), 2, 1e-9);
  // Five steps say little: the interval is wider than their range, 96 to 104.
  EXPECT_NEAR(*run.figures.get("step_time_ms_median_low"), 94, 1.5);
  EXPECT_NEAR(*run.figures.get("step_time_ms_median_high"), 106, 1.5);
  EXPECT_EQ(*run.figures.get("step_outliers"), 0);
}

// 40000 tokens/s · 13 GFLOP over 2 · 989 TFLOP/s.
TEST(Figures, MfuOfWholeSequences) {
  const Computed run = compute(spec());
  EXPECT_NEAR(*run.figures.get("mfu_causal"), 40000 * 13e9 / (2 * 989e12), 1e-12);
  EXPECT_NEAR(*run.figures.get("mfu_full"), 40000 * 14e9 / (2 * 989e12), 1e-12);
  EXPECT_NEAR(*run.figures.get("model_tflops_per_gpu"), 40000 * 13e9 / 2e12, 1e-9);
  EXPECT_FALSE(run.figures.get("mfu_causal_as_full_sequences"));
}

// Packed: Σlen² = 1,024,000 a step against 4000 tokens · 1024: attention counts a quarter.
TEST(Figures, MfuOfPackedDocumentsCountsTheirRealLengths) {
  SftSpec packed = spec();
  packed.sum_len_sq = 1024000;
  const Computed run = compute(packed);
  EXPECT_NEAR(*run.figures.get("mfu_causal"), 40000 * (12e9 + 0.25e9) / (2 * 989e12), 1e-12);
  EXPECT_NEAR(*run.figures.get("mfu_full"), 40000 * (12e9 + 0.5e9) / (2 * 989e12), 1e-12);
  EXPECT_NEAR(*run.figures.get("mfu_causal_as_full_sequences"), 40000 * 13e9 / (2 * 989e12), 1e-12);
  EXPECT_NEAR(*run.figures.get("mfu_full_as_full_sequences"), 40000 * 14e9 / (2 * 989e12), 1e-12);
}

/// A task of these steps (step, fields); all are measured.
Figures figures_of(const std::vector<Json>& steps,
                   const std::vector<std::pair<std::string, Json>>& others = {}) {
  SyntheticRun run(scratch("run"));
  run.add("run", testing::run_data("synthetic", Json::array({testing::planned_sft(spec())}), Json::object()));
  run.add("task_start", {{"phase", "sft"}, {"nodes", {"n"}}, {"world", 2}, {"attempt", 1}}, "a");
  for (const auto& [kind, data] : others) run.add(kind, data, "a", "n", 0);
  for (Json step : steps) {
    step["measured"] = true;
    step["step_time_ms"] = 100.0;
    step["samples"] = 4;
    run.add("step", step, "a", "n", 0);
  }
  run.add("training",
          {{"seq_len", 1024},
           {"flops_per_token_causal", 13e9},
           {"flops_per_token_full", 14e9},
           {"peak_tflops", 989.0}},
          "a", "n", 0);
  run.write();
  const auto dataset = load_dataset(run.folder());
  EXPECT_TRUE(dataset.ok());
  return compute_sft(dataset->tasks[0], {});
}

// Older builds wrote 0 for a step of whole sequences, also beside packed ones: 1024 for each of its tokens.
TEST(Figures, WholeStepsBesidePackedOnesKeepTheirLength) {
  const Figures mixed = figures_of({{{"step", 1}, {"tokens", 4000}, {"sum_len_sq", 0}},
                                    {{"step", 2}, {"tokens", 4000}, {"sum_len_sq", 1024000}}});
  EXPECT_NEAR(*mixed.get("mfu_causal"), 40000 * (12e9 + 0.625e9) / (2 * 989e12), 1e-12);
  EXPECT_NEAR(*mixed.get("mfu_full"), 40000 * (12e9 + 1.25e9) / (2 * 989e12), 1e-12);
}

TEST(Figures, AStepWithoutALossIsNeitherFirstNorLast) {
  const Figures some = figures_of({{{"step", 1}, {"tokens", 10}},
                                   {{"step", 2}, {"tokens", 10}, {"loss", 3.5}},
                                   {{"step", 3}, {"tokens", 10}, {"loss", 2.5}},
                                   {{"step", 4}, {"tokens", 10}}});
  EXPECT_EQ(some.get("loss_first"), 3.5);
  EXPECT_EQ(some.get("loss_last"), 2.5);
  EXPECT_FALSE(figures_of({{{"step", 1}, {"tokens", 10}}}).get("loss_last"));
}

TEST(Figures, CheckpointsAreCountedWithTheirRate) {
  const auto saved = [](double seconds) {
    return std::pair<std::string, Json>("checkpoint", {{"step", 1}, {"bytes", 2e9}, {"seconds", seconds}});
  };
  const Figures figures =
      figures_of({{{"step", 8}, {"tokens", 10}}}, {{"resumed", {{"step", 7}}}, saved(1), saved(2), saved(5)});
  EXPECT_EQ(figures.get("resumed_step"), 7);
  EXPECT_EQ(figures.get("checkpoints"), 3);
  EXPECT_EQ(figures.get("checkpoint_s_median"), 2);
  EXPECT_NEAR(*figures.get("checkpoint_gBps"), 6.0 / 8, 1e-12);
  EXPECT_NEAR(*figures.get("checkpoint_gib"), 2e9 / (1 << 30), 1e-9);
  EXPECT_FALSE(figures_of({{{"step", 8}, {"tokens", 10}}}).get("checkpoints"));
}

TEST(Figures, NoMfuWithoutAPeak) {
  SftSpec cpu = spec();
  cpu.peak_tflops = nullptr;
  const Computed run = compute(cpu);
  EXPECT_FALSE(run.figures.get("mfu_causal"));
  EXPECT_TRUE(run.figures.get("model_tflops_per_gpu"));
}

// Samples outside the window (idle, 0 %, 100 W) must not count; GPUs draw 690 and 691 W inside.
TEST(Figures, SamplesCountInsideTheWindowOnly) {
  const Computed run = compute(spec());
  EXPECT_DOUBLE_EQ(*run.figures.get("gpu_utilization"), 98);
  EXPECT_DOUBLE_EQ(*run.figures.get("sm_active_pct"), 90);
  EXPECT_DOUBLE_EQ(*run.figures.get("tensor_active_pct"), 70);
  EXPECT_DOUBLE_EQ(*run.figures.get("power_w_mean_per_gpu"), 690.5);
  EXPECT_NEAR(*run.figures.get("energy_mj_per_token"), 690.5 / 20000 * 1e3, 1e-9);
  ASSERT_EQ(run.samples.gpus.size(), 2u);
  const GpuUse& gpu = run.samples.gpus[0];
  EXPECT_EQ(gpu.samples, 13u);  // 3.0 s to 9.0 s at 2 Hz, both ends
  EXPECT_NEAR(*gpu.nvlink_tx_gBps, 50, 1e-9);
  EXPECT_DOUBLE_EQ(gpu.throttle.at("sw_power_cap"), 1);
  EXPECT_EQ(gpu.stride, 4u);  // 20 samples, at most 5 kept
  EXPECT_EQ(gpu.thinned.size(), 5u);
  ASSERT_EQ(run.samples.nics.size(), 1u);
  EXPECT_NEAR(*run.samples.nics[0].tx_gBps, 0.02, 1e-9);
}

// The head's own form is read by a reader of its own; with white space, escapes or a nested value it is JSON
// like any other. Both must say the same, and half a line nothing.
TEST(Figures, SamplesReadTheSameInEveryForm) {
  const std::string head = R"({"v":1,"kind":"sample","task":"a","node":"node001",)";
  const std::string flat =
      R"("data":{"mono_ns":5,"wall_ns":6,"source":"gpu","index":1,"power_w":690.25,"throttle":"")";
  const auto read = [&](const std::string& content) {
    SyntheticRun run(scratch("forms"));
    run.add("run",
            testing::run_data("synthetic", Json::array({testing::planned_sft(spec())}), Json::object()));
    run.add("window", {{"begin_ns", 0}, {"end_ns", 10}}, "a", "node001", 0);
    run.write();
    std::ofstream(run.folder() / "samples" / "a-node001.jsonl") << content;
    auto dataset = load_dataset(run.folder());
    EXPECT_TRUE(dataset.ok());
    return load_samples(run.folder(), dataset->tasks[0], 5);
  };
  for (const std::string& end :
       {std::string("}}"), std::string(R"(,"x":"a\"b"}})"), std::string(R"(,"x":[1,2]}})"),
        std::string(" }}"), std::string(R"(,"sm_mhz":null}})"),
        std::string(R"(,"mem_mhz":1e3,"util_pct":-0.5}})"),
        std::string(R"(,"unknown":12345678901234567890,"temp_c":true}})")}) {
    const TaskSamples samples = read(head + flat + end + "\n");
    ASSERT_EQ(samples.gpus.size(), 1u) << end;
    EXPECT_EQ(samples.gpus[0].gpu, 1) << end;
    EXPECT_DOUBLE_EQ(samples.gpus[0].power_w.value_or(0), 690.25) << end;
    EXPECT_FALSE(samples.gpus[0].sm_mhz) << end;
  }
  EXPECT_TRUE(read(head + flat).gpus.empty());
}

TEST(Figures, EnergyCounterIsPreferredToPowerSamples) {
  const SftSpec sft = spec();
  SyntheticRun run(scratch("run"));
  run.add("run", testing::run_data("synthetic", Json::array({testing::planned_sft(sft)}), Json::object()));
  add_sft_task(run, sft);
  for (std::int64_t second = 3; second <= 9; ++second) {
    run.add_sample("a", "synthetic1",
                   {{"mono_ns", second * 1'000'000'000},
                    {"source", "gpu"},
                    {"index", 0},
                    {"power_w", 600.0},
                    {"energy_mj", 500'000 * second}});
  }
  run.write();
  const auto dataset = load_dataset(run.folder());
  const TaskSamples samples = load_samples(run.folder(), dataset->tasks[0], 100);
  EXPECT_NEAR(*compute_sft(dataset->tasks[0], samples).get("energy_mj_per_token"), 500.0 / 20000 * 1e3, 1e-9);
}

TEST(Figures, WithoutSamplesTheFiguresAreMissingNotZero) {
  const Computed run = compute(spec(), false);
  EXPECT_FALSE(run.figures.get("gpu_utilization"));
  EXPECT_FALSE(run.figures.get("power_w_mean_per_gpu"));
  EXPECT_FALSE(run.figures.get("energy_mj_per_token"));
  ASSERT_EQ(run.samples.missing.size(), 1u);
  EXPECT_EQ(run.samples.missing[0].reason, "no file samples/a-synthetic1.jsonl");
}

TEST(Figures, MemoryLossAndRanks) {
  const Computed run = compute(spec());
  EXPECT_NEAR(*run.figures.get("peak_memory_gib"), 8 + 1.0 / 1024, 1e-9);
  EXPECT_NEAR(*run.figures.get("predicted_memory_gib"), 9, 1e-9);
  EXPECT_DOUBLE_EQ(*run.figures.get("loss_first"), 3.75);
  EXPECT_DOUBLE_EQ(*run.figures.get("loss_last"), 2.5);
  EXPECT_NEAR(*run.figures.get("rank_spread"), 0.5 / 99.75, 1e-9);
}

}  // namespace
}  // namespace sxb::analysis
