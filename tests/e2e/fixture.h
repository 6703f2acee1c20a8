// A scratch folder, cluster configs in it, and the sxbench of this build with the fake engine.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "launch/os/process.h"
#include "record/record.h"

namespace sxb::e2e {

namespace fs = std::filesystem;

struct Ended {
  launch::ExitStatus status;
  std::string out, err;
  double seconds = 0;
};

class EndToEnd : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "sxb-e2e-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    env_ = {{"SXBENCH_ENGINE_LIB", SXB_FAKE_ENGINE},
            {"SXBENCH_CACHE", (dir_ / "cache").string()},
            {"XDG_CONFIG_HOME", (dir_ / "config").string()},
            {"SXBENCH_CLUSTER", ""}};
  }
  void TearDown() override { fs::remove_all(dir_); }

  /// Writes DIR/cluster.json: local CPU nodes n0, n1, ... with `slots` ranks each.
  std::string cluster(int nodes, int slots, const Json& env = Json::object()) {
    Json json = {
        {"name", "test"}, {"transport", "local"}, {"device", "cpu"}, {"nodes", Json::array()}, {"env", env}};
    for (int i = 0; i < nodes; ++i)
      json["nodes"].push_back({{"name", fmt::format("n{}", i)}, {"slots", slots}});
    json["timeouts"] = timeouts_;
    const fs::path path = dir_ / "cluster.json";
    std::ofstream(path) << json.dump();
    return path.string();
  }

  std::vector<std::string> run_arguments(const std::string& cluster_file, const std::string& phases) {
    return {"run",      "--cluster", cluster_file,
            "--phases", phases,      "--models",
            "tiny",     "--set",     "data.dataset=synthetic",
            "--steps",  "3",         "--warmup",
            "1",        "--out",     results().string()};
  }

  fs::path results() const { return dir_ / "results"; }
  fs::path latest() const { return results() / "latest"; }

  int start(launch::ProcessSet& processes, const std::vector<std::string>& arguments) {
    launch::ProcessSpec spec;
    spec.argv = prefix_;
    spec.argv.emplace_back(SXB_BINARY);
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.env = env_;
    const Result<int> id = processes.start(spec);
    EXPECT_TRUE(id.ok()) << format_errors(id.errors());
    return id.ok() ? *id : -1;
  }

  /// How many times slower than a quiet machine everything is just now, from 1: what is bounded in the tests
  /// is bounded by multiples of it, so that it holds beside other work and under sanitizers. Measured once a
  /// process, on one short task.
  int pace() {
    static const int measured = measure_pace();
    return measured;
  }

  /// Never to pid -1, which kill() takes for every process of the machine.
  static void send_signal(const launch::ProcessSet& processes, int id, int signal) {
    const pid_t pid = processes.pid(id);
    ASSERT_GT(pid, 0) << "the process has not started or is gone";
    ::kill(pid, signal);
  }

  /// Collects what the one child prints until it ends; `each` sees every line and may act.
  template <typename Each>
  Ended collect(launch::ProcessSet& processes, Each each) {
    Ended ended;
    const std::int64_t began = monotonic_ns();
    while (!processes.empty() && monotonic_ns() - began < kLongestNs) {
      processes.poll(100, [&](const launch::ProcessEvent& event) {
        if (event.kind == launch::ProcessEvent::Kind::kExit) {
          ended.status = event.status;
        } else {
          std::string& text = event.from_stderr ? ended.err : ended.out;
          text += event.line;
          text += '\n';
          each(event.line);
        }
      });
    }
    EXPECT_TRUE(processes.empty()) << "sxbench did not end";
    ended.seconds = static_cast<double>(monotonic_ns() - began) * 1e-9;
    return ended;
  }

  Ended sxbench(const std::vector<std::string>& arguments) {
    launch::ProcessSet processes;
    start(processes, arguments);
    return collect(processes, [](const std::string&) {});
  }

  std::vector<record::Record> records(const std::string& kind) {
    std::vector<record::Record> result;
    std::ifstream in(latest() / "records.jsonl");
    for (std::string line; std::getline(in, line);) {
      const Result<Json> json = parse_json(line, "records.jsonl");
      EXPECT_TRUE(json.ok()) << line;
      if (!json.ok()) continue;
      const Result<record::Record> record = record::parse_record(*json, "records.jsonl");
      EXPECT_TRUE(record.ok()) << line;
      if (record.ok() && record->kind == kind) result.push_back(*record);
    }
    return result;
  }

  /// What has not ended by then hangs; ctest ends a test after 300 s.
  static constexpr std::int64_t kLongestNs = 240'000'000'000;

  fs::path dir_;
  Json timeouts_ = Json::object();  ///< of the clusters that cluster() writes
  std::map<std::string, std::string> env_;
  std::vector<std::string> prefix_;  ///< put before every sxbench, to run it elsewhere

 private:
  int measure_pace() {
    constexpr double kQuietSeconds = 0.4;
    const fs::path folder = dir_ / "pace";
    fs::create_directories(folder);
    std::ofstream(folder / "cluster.json")
        << R"({"name": "pace", "transport": "local", "device": "cpu", "nodes": [{"name": "n0", "slots": 1}]})";
    launch::ProcessSpec spec;
    spec.argv = {SXB_BINARY, "check",        "--cluster", (folder / "cluster.json").string(),
                 "--out",    folder.string()};
    spec.env = env_;
    spec.env["SXBENCH_ENGINE_LIB"] = SXB_FAKE_ENGINE;
    launch::ProcessSet processes;
    const std::int64_t began = monotonic_ns();
    if (processes.start(spec).ok()) {
      while (!processes.empty()) processes.poll(1000, [](const launch::ProcessEvent&) {});
    }
    fs::remove_all(folder);
    return 1 + static_cast<int>(static_cast<double>(monotonic_ns() - began) * 1e-9 / kQuietSeconds);
  }
};

}  // namespace sxb::e2e
