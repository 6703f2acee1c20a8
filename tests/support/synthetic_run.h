// Journals made up for tests. Nothing in them was measured: every name says "synthetic", and the values
// are chosen so that the derived figures can be worked out by hand.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace sxb::testing {

class SyntheticRun {
 public:
  /// Writes into `folder`, which it empties.
  explicit SyntheticRun(std::filesystem::path folder);

  /// Appends one record; times count up by one second from a fixed start.
  void add(const std::string& kind, const Json& data, const std::string& task = "",
           const std::string& node = "", int rank = -1);
  /// Monotonic clock of the next record.
  std::int64_t now_ns() const { return ticks_ * 1'000'000'000; }
  void add_raw(const std::string& line) { journal_ += line; }
  void add_sample(const std::string& task, const std::string& node, const Json& sample);
  /// Writes what was added; the run can be read from then on.
  void write() const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::string journal_;
  std::vector<std::pair<std::string, std::string>> samples_;  ///< file, content
  std::int64_t ticks_ = 0;
};

/// A folder of this name below the test's temporary folder.
std::filesystem::path scratch(const std::string& name);

// Pieces of a journal.
/// task_start with the facts of nodes and ranks, and task_end.
void start_task(SyntheticRun& run, const std::string& id, const std::string& phase, const std::string& label,
                int nodes, int per_node, bool cuda, bool one_machine);
void end_task(SyntheticRun& run, const std::string& id, const std::string& status, const std::string& reason);

struct SftSpec {
  std::string id;
  std::string model = "7b";
  int nodes = 1;
  int repeat = 0;
  int ranks_per_node = 2;
  double step_ms = 100;
  std::vector<double> factors = {1.0, 1.02, 0.98, 1.04, 0.96};  ///< measured steps, in units of step_ms
  std::vector<int> tokens;                                      ///< of a rank, by measured step; empty: 2000
  std::string dataset_hash = "0";
  double sum_len_sq = 0;  ///< per step
  Json peak_tflops = 989.0;
  std::string status = "ok";
  std::string reason;
  bool cuda = true;
};
std::vector<std::string> node_names(int nodes);
Json planned_sft(const SftSpec& spec);
Json planned_nccl(const std::string& id, int nodes);
/// One warm-up step of 500 ms and the measured ones: step_ms × factors.
void add_sft_task(SyntheticRun& run, const SftSpec& spec);
/// 2 Hz from 0 s to 9.5 s; the window of add_sft_task() is 3 s to 9 s.
void add_gpu_samples(SyntheticRun& run, const SftSpec& spec, double power_w);
struct NcclSpec {
  std::string id;
  int nodes = 1;
  int ranks_per_node = 2;
  double busbw_gBps = 300;  ///< at the largest of three sizes
  double wrong = 0;
  bool cuda = true;
  bool one_machine = false;  ///< pretended nodes
};
void add_nccl_task(SyntheticRun& run, const NcclSpec& spec);

Json run_data(const std::string& run_id, const Json& plan, const Json& goals,
              const Json& nics = Json::array());

/// The two runs whose reports are kept as goldens.
void make_cpu_run(const std::filesystem::path& folder);
void make_gpu_run(const std::filesystem::path& folder);

}  // namespace sxb::testing
