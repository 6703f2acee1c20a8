// What the tests that break things share: processes to hit, and how long a verdict took.
#pragma once

#include <chrono>
#include <functional>
#include <iostream>
#include <thread>

#include "e2e/fixture.h"

namespace sxb::e2e {

/// What a file holds; "" if it is none, or of a process of /proc that ends just now.
inline std::string text_of(const fs::path& path) {
  const Result<std::string> text = read_file(path);
  return text.ok() ? *text : "";
}

/// The processes that have `word` in their environment, given through the cluster config to ranks.
inline std::vector<pid_t> processes_with(const std::string& word) {
  std::vector<pid_t> pids;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (text_of(entry.path() / "environ").find(word) != std::string::npos) pids.push_back(std::stoi(name));
  }
  return pids;
}

/// Parent of a process, 0 if it is gone.
inline pid_t parent_of(pid_t pid) {
  const std::string text = text_of(fmt::format("/proc/{}/stat", pid));
  if (text.empty()) return 0;
  char state = 0;
  pid_t parent = 0;
  std::istringstream(text.substr(text.rfind(')') + 1)) >> state >> parent;
  return parent;
}

/// From one moment of the monotonic clock to another.
inline double seconds_since(std::int64_t from_ns, std::int64_t to_ns) {
  return static_cast<double>(to_ns - from_ns) * 1e-9;
}

/// The line from which docs/failures.md is made: a fault, and how long its verdict took.
inline void tell(const std::string& fault, double seconds, double bound_s, const std::string& key,
                 const std::string& reason) {
  std::cout << fmt::format("FAULT {} seconds={:.2f} bound_s={} key={} reason={}\n", fault, seconds, bound_s,
                           key, reason);
}

/// Whether SIGTERM does nothing to the process.
inline bool ignores_sigterm(pid_t pid) {
  std::istringstream lines(text_of(fmt::format("/proc/{}/status", pid)));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("SigIgn:"))
      return (std::stoull(line.substr(7), nullptr, 16) >> (SIGTERM - 1) & 1) != 0;
  }
  return false;
}

/// Base: EndToEnd, or one that runs it elsewhere.
template <typename Base>
class FaultsOn : public Base {
 protected:
  using Base::dir_, Base::pace, Base::records, Base::timeouts_;

  void SetUp() override {
    Base::SetUp();
    timeouts_ = {{"rank_silence_s", kSilence * pace()},
                 {"agent_silence_s", kAgentSilence * pace()},
                 {"stall_s", kSilence * pace()},
                 {"stop_s", 1},
                 {"evidence_s", 1}};
    mark_ = "SXB_MARK=" + dir_.string();
  }

  /// Seconds on a quiet machine: a rank's silence and a stall, and an agent's silence.
  static constexpr int kSilence = 2, kAgentSilence = 3;
  /// What comes on top of a bound: the last heartbeat may be a second old, polls are 0.2 s apart, and a
  /// failure settles for 0.6 s. The rest is for a machine that is busy with other tests.
  double slack() { return 6.0 * pace(); }

  /// A cluster whose ranks all carry a mark in their environment, by which to find them.
  std::string marked_cluster(int nodes, int slots, Json env) {
    env["SXB_MARK"] = dir_.string();
    return this->cluster(nodes, slots, env);
  }
  std::vector<pid_t> ranks() const { return processes_with(mark_); }

  /// The process of a rank as it reported it, 0 while it has not.
  pid_t process_of(int rank) {
    for (const record::Record& device : records(record::kind::kDevice)) {
      if (device.rank == rank) return device.data["pid"].get<pid_t>();
    }
    return 0;
  }

  /// Never anything but one process: kill() takes 0 and negative numbers for many.
  static void hit(pid_t pid, int signal) {
    ASSERT_GT(pid, 1);
    ASSERT_EQ(::kill(pid, signal), 0);
  }

  static bool wait_until(launch::ProcessSet& processes, const std::function<bool()>& condition,
                         double seconds = 120) {
    const std::int64_t deadline = monotonic_ns() + static_cast<std::int64_t>(seconds * 1e9);
    while (!condition()) {
      if (monotonic_ns() > deadline) return false;
      processes.poll(20, [](const auto&) {});
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  /// The rank's own last sign before a fault of the fake engine.
  std::int64_t device_record_ns(int rank) {
    for (const record::Record& device : records(record::kind::kDevice)) {
      if (device.rank == rank) return device.mono_ns;
    }
    ADD_FAILURE() << "no device record of rank " << rank;
    return 0;
  }

  /// Asserts that the verdict on the first task came within `bound_s` of the fault, and prints the line
  /// from which docs/failures.md is made. One clock for all: everything here is one machine.
  void expect_verdict(const std::string& fault, std::int64_t fault_ns, double bound_s,
                      const std::string& key) {
    const std::vector<record::Record> starts = records(record::kind::kTaskStart);
    const std::vector<record::Record> ends = records(record::kind::kTaskEnd);
    ASSERT_FALSE(starts.empty());
    ASSERT_FALSE(ends.empty());
    EXPECT_EQ(ends[0].data["status"], "failed");
    ASSERT_TRUE(ends[0].data.contains("verdict_s"));
    const double seconds =
        static_cast<double>(starts[0].mono_ns - fault_ns) * 1e-9 + ends[0].data["verdict_s"].get<double>();
    EXPECT_LE(seconds, bound_s) << fault;
    EXPECT_GE(seconds, 0) << fault;
    tell(fault, seconds, bound_s, key, ends[0].data["reason"]);
  }

  std::vector<record::Record> findings(const std::string& code) {
    std::vector<record::Record> found = records(record::kind::kFinding);
    std::erase_if(found, [&](const record::Record& finding) { return finding.data["code"] != code; });
    return found;
  }

  std::string mark_;
};

using Faults = FaultsOn<EndToEnd>;

}  // namespace sxb::e2e
