// What the sections of a report do where there is much to show: a large fleet, a split into many groups.
#include "report/sections/sections.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sxb::report {
namespace {

using analysis::Analysis;
using analysis::Mark;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Document section(void (*add)(const Analysis&, Document&), const Analysis& analysis) {
  Document document;
  add(analysis, document);
  return document;
}

std::vector<const Table*> tables(const Document& document) {
  std::vector<const Table*> found;
  for (const Block& block : document.blocks) {
    if (const auto* table = std::get_if<Table>(&block)) found.push_back(table);
  }
  return found;
}

std::vector<std::string> first_column(const Table& table) {
  std::vector<std::string> cells;
  for (const auto& row : table.rows) cells.push_back(row.front());
  return cells;
}

TEST(Verdicts, WhatFailsComesFirst) {
  analysis::Dataset dataset;
  Analysis analysis;
  analysis.dataset = &dataset;
  for (const Mark mark : {Mark::kPass, Mark::kNotMeasured, Mark::kWarn, Mark::kFail, Mark::kUnstable,
                          Mark::kImplausible, Mark::kNotJudged}) {
    analysis.verdicts.push_back({to_string(mark), "", "", mark, ""});
  }
  const Document document = section(add_verdicts, analysis);
  EXPECT_THAT(first_column(*tables(document).at(0)),
              ElementsAre("FAIL", "IMPLAUSIBLE", "WARN", "UNSTABLE", "PASS", "NOT MEASURED", "NOT JUDGED"));
}

TEST(Collectives, ManyGroupsAreThreeLines) {
  Analysis analysis;
  for (int i = 0; i < 7; ++i) {
    analysis::NcclGroup& group = analysis.nccl.emplace_back();
    group.collective = "alltoall";
    group.nodes = 2;
    group.split = "rails";
    group.group = i;
    group.groups = 7;
    group.of_median_group = i == 5 ? 0.5 : 1 + 0.01 * i;
    analysis::SweepRow& row = group.rows.emplace_back();
    row.size_bytes = 1024;
    row.out_of_place.busbw_gBps = 40;
  }
  const auto names = [&] {
    std::vector<std::string> list;
    for (const Series& series : busbw_chart(analysis).series) list.push_back(series.name);
    return list;
  };
  EXPECT_THAT(names(),
              ElementsAre("alltoall (rails, group 2) on 2 nodes", "alltoall (rails, group 5) on 2 nodes",
                          "alltoall (rails, group 6) on 2 nodes"));
  analysis.nccl.resize(4);
  EXPECT_EQ(names().size(), 4u);
}

TEST(Burns, OfALargeFleetTheFaultyAndTheSlowestAreShown) {
  analysis::TaskData task;
  Analysis analysis;
  analysis::BurnTask& burn = analysis.burns.emplace_back();
  burn.task = &task;
  burn.cuda = true;
  for (int i = 0; i < 100; ++i) {
    analysis::BurnGpu& gpu = burn.gpus.emplace_back();
    gpu.node = fmt::format("n{}", i);
    gpu.gpu = 0;
    gpu.tflops = 800 - i;
    gpu.mismatches = i == 1 ? 3 : 0;
    gpu.slow = i == 99;
  }
  const Document document = section(add_burns, analysis);
  const std::vector<std::string> shown = first_column(*tables(document).at(0));
  ASSERT_EQ(shown.size(), 64u);
  EXPECT_EQ(shown[0], "n1 GPU 0");
  EXPECT_EQ(shown[1], "n99 GPU 0 SLOW");
  EXPECT_EQ(shown[2], "n98 GPU 0");
  EXPECT_THAT(to_markdown(document), HasSubstr("The slowest 64 of 100; `burn.csv` has all:"));
}

TEST(GpuTests, OfManyNodesTwoMatricesAndEachReasonOnce) {
  Analysis analysis;
  analysis::GpuGroup& group = analysis.gpu.emplace_back();
  group.nodes = 6;
  analysis::GpuFigure& figure = group.figures.emplace_back();
  figure.test = "p2p_read";
  for (int node = 0; node < 6; ++node) {
    analysis::GpuValue& value = figure.values.emplace_back();
    value.node = fmt::format("n{}", node);
    value.gpu = 0;
    value.peer = 1;
    value.value = node == 3 ? 100 : 390 + node;
  }
  group.waived = {{"attention", "no GPU", 6}, {"hbm", "no GPU", 6}, {"latency", "broken", 1}};
  const std::string text = to_markdown(section(add_gpu_tests, analysis));
  EXPECT_THAT(text, HasSubstr("`p2p_read` on n3"));
  EXPECT_THAT(text, HasSubstr("`p2p_read` on n5"));
  EXPECT_THAT(text, Not(HasSubstr("`p2p_read` on n4")));
  EXPECT_THAT(text, HasSubstr("- `attention`, `hbm` waived: no GPU\n- `latency` waived: broken\n"));
}

}  // namespace
}  // namespace sxb::report
