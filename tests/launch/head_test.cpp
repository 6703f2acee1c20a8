// The head's own end, where something below it throws.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>

#include "launch/head/run.h"
#include "launch/transport/transports.h"
#include "record/kinds/run.h"
#include "record/typed.h"

namespace sxb::launch {
namespace {

/// Stands for a library: the display, a report, a copy of a record that finds no memory.
class Thrower : public Observer {
 public:
  void task_started(const plan::Task&, int, int, int) override { throw std::bad_alloc(); }
};

RunOptions one_check_below(const std::filesystem::path& dir) {
  RunOptions options;
  options.cluster.name = "test";
  options.cluster.transport = config::TransportKind::kLocal;
  options.cluster.nodes.emplace_back().name = "n0";
  Machine machine;
  machine.cpus = 1;
  options.placement = *resolve_placement(options.cluster, machine);
  options.tasks.emplace_back().id = "0123456789ab";
  options.name = "test";
  options.results = dir;
  options.program = "/bin/true";
  return options;
}

TEST(Head, WhatIsThrownEndsTheRunInGoodOrder) {
  std::string pattern = (std::filesystem::temp_directory_path() / "sxb-head-XXXXXX").string();
  const std::filesystem::path dir = ::mkdtemp(pattern.data());
  const RunOptions options = one_check_below(dir);
  const auto transport = make_transport(options.cluster, 1);
  ASSERT_TRUE(transport.ok());
  Thrower thrower;
  const Result<RunOutcome> outcome = execute(options, **transport, thrower);
  ASSERT_TRUE(outcome.ok()) << "the run had begun";
  EXPECT_EQ(outcome->code, ExitCode::kEnvironment);
  ASSERT_EQ(outcome->stopped_by.size(), 1u);
  EXPECT_EQ(outcome->stopped_by.front().what, "sxbench had to stop: std::bad_alloc");
  std::ifstream journal(outcome->dir / "records.jsonl");
  std::vector<record::Record> records;
  for (std::string line; std::getline(journal, line);) {
    const Result<record::Record> record = record::parse_line(line, "records.jsonl");
    ASSERT_TRUE(record.ok()) << line;
    records.push_back(*record);
  }
  ASSERT_GE(records.size(), 3u);
  EXPECT_EQ(record::read<record::Finding>(records[records.size() - 2]).code, "head_exception");
  EXPECT_EQ(records.back().kind, record::kind::kRunEnd);
  EXPECT_EQ(record::read<record::RunEnd>(records.back()).exit_code, static_cast<int>(ExitCode::kEnvironment));
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace sxb::launch
