#include "analysis/gpu/gpu_groups.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "analysis/verdict/findings.h"
#include "support/gpu_run.h"
#include "support/hardware_facts.h"
#include "support/synthetic_run.h"

namespace sxb::analysis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::size_t> slow(const std::vector<double>& values) {
  std::vector<std::size_t> indices;
  for (const stats::Outlier& outlier : slow_devices(values)) indices.push_back(outlier.index);
  return indices;
}

TEST(SlowDevices, AreFivePercentAndManySigmaBelow) {
  EXPECT_THAT(slow({700, 701, 699, 700, 660, 700, 702, 698}), ElementsAre(4u));
  EXPECT_THAT(slow({700, 701, 699, 700, 667, 700, 702, 698}), IsEmpty()) << "4.7 % below is not slow";
  // A fleet that spreads by itself: 6 % below is 1.5 sigma.
  EXPECT_THAT(slow({700, 730, 670, 690, 658, 710, 740, 660}), IsEmpty());
  EXPECT_THAT(slow({700, 700, 700, 900}), IsEmpty()) << "fast is not slow";
}

TEST(SlowDevices, NeedAFleet) {
  EXPECT_THAT(slow({700, 350}), IsEmpty());
  EXPECT_THAT(slow({700, 700, 350}), ElementsAre(2u));
}

Typed<record::GpuBench> bench(int rank, double value, const char* shape = "s", const char* group = "gemm") {
  Typed<record::GpuBench> record;
  record.node = "synthetic1";
  record.rank = rank;
  record.data.group = group;
  record.data.test = "t";
  record.data.gpu = rank;
  record.data.shape = shape;
  record.data.metric = "TFLOP/s";
  record.data.value = record.data.p5 = record.data.p95 = value;
  record.data.runs = 5;
  record.data.wrong = 1;
  return record;
}

TEST(FoldFigures, RepeatsOfADeviceAreOneValue) {
  const std::vector<Typed<record::GpuBench>> records = {bench(0, 100), bench(1, 300), bench(0, 120),
                                                        bench(0, 110)};
  GpuBenchRecords pointers;
  for (const auto& record : records) pointers.push_back(&record);
  const auto figures = fold_figures(pointers);
  ASSERT_EQ(figures.size(), 1u);
  ASSERT_EQ(figures[0].values.size(), 2u);
  EXPECT_EQ(figures[0].values[0].value, 110);
  EXPECT_EQ(figures[0].median, 205);
  EXPECT_EQ(figures[0].wrong(), 4);
}

TEST(FoldFigures, TheFastestShapeMayDifferFromGpuToGpu) {
  const std::vector<Typed<record::GpuBench>> records = {
      bench(0, 100, "a", "gemm_max"), bench(1, 101, "b", "gemm_max"), bench(0, 50, "a"), bench(0, 60, "b")};
  GpuBenchRecords pointers;
  for (const auto& record : records) pointers.push_back(&record);
  const auto figures = fold_figures(pointers);
  ASSERT_EQ(figures.size(), 3u);
  EXPECT_EQ(figures[0].values.size(), 2u);
  EXPECT_EQ(figures[0].most().shape, "b");
}

Analysis analysis_of(const testing::DeviceRunSpec& spec, Dataset& dataset) {
  const auto folder = testing::scratch("devices");
  testing::make_device_run(folder, spec);
  auto loaded = load_dataset(folder);
  EXPECT_TRUE(loaded.ok());
  dataset = std::move(*loaded);
  return analyze(dataset, testing::shipped_hardware());
}

const Verdict& verdict(const Analysis& analysis, const std::string& item) {
  for (const Verdict& one : analysis.verdicts) {
    if (one.item.starts_with(item)) return one;
  }
  static const Verdict none;
  ADD_FAILURE() << "no verdict " << item;
  return none;
}

TEST(Burns, JoinTheSamplesOfEachSecond) {
  Dataset dataset;
  const Analysis analysis = analysis_of({}, dataset);
  ASSERT_EQ(analysis.burns.size(), 1u);
  const BurnTask& burn = analysis.burns[0];
  ASSERT_EQ(burn.gpus.size(), 4u);
  EXPECT_EQ(burn.total_tflops, 3 * 700 + 560);
  EXPECT_EQ(burn.median_tflops, 700);
  const BurnGpu& last = burn.gpus[3];
  EXPECT_EQ(last.name(), "synthetic2 GPU 1");
  EXPECT_TRUE(last.slow);
  EXPECT_DOUBLE_EQ(*last.below, 0.2);
  EXPECT_EQ(last.least_tflops, 540);
  ASSERT_TRUE(last.use.has_value());
  EXPECT_EQ(last.use->temp_max_c, 88);
  for (const BurnGpu& gpu : burn.gpus) EXPECT_EQ(gpu.slow, &gpu == &last);
  for (const BurnSecond& second : last.seconds) {
    EXPECT_EQ(second.power_w, 690) << "680 and 700 W lie in the second, 100 W before it";
    EXPECT_EQ(second.temp_c, 88);
    EXPECT_EQ(second.throttle, "thermal_hw");
  }
}

TEST(Burns, VerdictsTellSlowAndFaulty) {
  Dataset dataset;
  testing::DeviceRunSpec spec;
  Analysis analysis = analysis_of(spec, dataset);
  EXPECT_EQ(verdict(analysis, "Repeated results, burn").mark, Mark::kPass);
  EXPECT_EQ(verdict(analysis, "Slow GPUs, burn").mark, Mark::kFail);
  EXPECT_THAT(verdict(analysis, "Slow GPUs, burn").achieved,
              HasSubstr("synthetic2 GPU 1: 560.0 TFLOP/s, 20.0 % below"));
  EXPECT_EQ(verdict(analysis, "Memory growth, burn").mark, Mark::kPass);
  EXPECT_FALSE(analysis.goals_met());
  spec.slow_tflops = 699;
  spec.mismatches = 17;
  spec.growth_bytes = 1e9;
  analysis = analysis_of(spec, dataset);
  EXPECT_EQ(verdict(analysis, "Slow GPUs, burn").mark, Mark::kPass);
  EXPECT_EQ(verdict(analysis, "Repeated results, burn").mark, Mark::kFail);
  EXPECT_EQ(verdict(analysis, "Repeated results, burn").note, "synthetic2 GPU 1");
  EXPECT_EQ(verdict(analysis, "Memory growth, burn").mark, Mark::kFail);
  EXPECT_EQ(verdict(analysis, "Memory growth, burn").note, "synthetic1 GPU 0");
}

TEST(Burns, GpusOfTwoTypesAreNoFleet) {
  Dataset dataset;
  testing::DeviceRunSpec spec;
  spec.mixed = true;
  const Analysis analysis = analysis_of(spec, dataset);
  for (const char* item : {"Slow GPUs, burn", "Slow GPUs, GPU micro-benchmarks"}) {
    EXPECT_EQ(verdict(analysis, item).mark, Mark::kNotJudged) << item;
    EXPECT_THAT(verdict(analysis, item).note, HasSubstr("more than one type"));
  }
  EXPECT_FALSE(analysis.burns[0].gpus[3].slow);
}

TEST(Burns, TwoGpusOrCpuRanksAreNoFleet) {
  Dataset dataset;
  testing::DeviceRunSpec spec;
  spec.nodes = 1;
  Analysis analysis = analysis_of(spec, dataset);
  EXPECT_EQ(verdict(analysis, "Slow GPUs, burn").mark, Mark::kNotJudged);
  EXPECT_THAT(verdict(analysis, "Slow GPUs, burn").note, HasSubstr("2 GPUs"));
  spec.nodes = 2;
  spec.cuda = false;
  analysis = analysis_of(spec, dataset);
  EXPECT_EQ(verdict(analysis, "Slow GPUs, burn").mark, Mark::kNotJudged);
  EXPECT_EQ(verdict(analysis, "Slow GPUs, GPU micro").mark, Mark::kNotJudged);
  EXPECT_TRUE(analysis.goals_met());
}

TEST(Burns, HeatIsAFinding) {
  Dataset dataset;
  const Analysis analysis = analysis_of({}, dataset);
  int warnings = 0;
  for (const Finding& finding : analysis.findings) {
    if (finding.code != "gpu_throttled") continue;
    ++warnings;
    EXPECT_THAT(finding.message, HasSubstr("synthetic2 GPU 1 was slowed down by thermal_hw"));
  }
  EXPECT_EQ(warnings, 1) << "a power cap that binds is no fault";
}

TEST(GpuSuite, NamesTheSlowGpuAndTheStateInEachWindow) {
  Dataset dataset;
  const Analysis analysis = analysis_of({}, dataset);
  EXPECT_THAT(verdict(analysis, "Slow GPUs, GPU micro").achieved,
              "synthetic2 GPU 1: hbm_copy_sm of 1 GiB 19.0 % below");
  EXPECT_EQ(verdict(analysis, "Data check, GPU micro").mark, Mark::kPass);
  ASSERT_EQ(analysis.gpu.size(), 1u);
  const GpuGroup& group = analysis.gpu[0];
  ASSERT_EQ(group.waived.size(), 1u);
  EXPECT_EQ(group.waived[0].devices, 4);
  ASSERT_EQ(group.states.size(), 2u);
  EXPECT_EQ(group.states[0].samples.gpus.at(0).power_w, 690);  // 1 s to 3 s
  EXPECT_EQ(group.states[1].samples.gpus.at(0).power_w, 500);  // 4 s to 5 s
}

TEST(DeviceFindings, NameFewDevicesAndCountTheOthers) {
  GpuGroup group;
  GpuFigure& figure = group.figures.emplace_back();
  for (int i = 0; i < 12; ++i) {
    GpuValue& value = figure.values.emplace_back();
    value.node = fmt::format("n{}", i);
    value.gpu = 0;
    value.stable = false;
  }
  EXPECT_THAT(device_findings({group}, {}).at(0).message, HasSubstr("used up (all 12)"));
  group.figures.front().values.back().stable = true;
  EXPECT_THAT(device_findings({group}, {}).at(0).message, HasSubstr("n7 GPU 0 and 3 more)"));
}

}  // namespace
}  // namespace sxb::analysis
