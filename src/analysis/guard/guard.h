// The speed-of-light guard: every figure against what physics allows, with the arithmetic. ONE mechanism for
// bandwidths, FLOP/s, tokens/s and counters; a figure above its limit is IMPLAUSIBLE, whatever its goal says.
#pragma once

#include <string>
#include <vector>

#include "analysis/read/dataset.h"
#include "analysis/read/hardware.h"

namespace sxb::analysis {

struct Check {
  std::string subject;  ///< "7b on 8 nodes", "GPU 3 of node001"
  std::string figure;   ///< "samples_per_sec", "busbw", "hbm_copy_sm"
  double value = 0;
  std::string unit;
  double limit = 0;      ///< in `unit`
  std::string resource;  ///< "tensor peak", "network line rate", "HBM", "NVLink", "PCIe"
  std::string left,
      right;  ///< how value and limit come about: "360.0 GB/s", "450 GB/s NVLink x ... = 675.0 GB/s"
  bool implausible() const { return value > limit; }
  double share() const { return value / limit; }
  /// "28,800 samples/s x ... = 2.39 EFLOP/s > 64 x 989.4 TFLOP/s = 63.3 PFLOP/s"
  std::string arithmetic() const { return left + (implausible() ? " > " : " <= ") + right; }
};

/// Work done by a training run, and what its devices could do at most.
struct TrainingLoad {
  double samples_per_s = 0, tokens_per_s = 0;  ///< 0 = not recorded
  double seq_len = 0;                          ///< tokens of a sample where tokens_per_s is not recorded
  double flops_per_token = 0;  ///< matrix products only: the least that any document lengths allow
  std::string flops_text;      ///< "6 x 6.74e9 FLOP"
  double gpus = 0;
  double peak_tflops = 0;  ///< of one device at this precision
};
/// Checks of samples/s and tokens/s; none where a fact is missing.
std::vector<Check> guard_training(const std::string& subject, const TrainingLoad& load);
/// What a `training` record says of its work; `hardware` gives the peak of its precision.
TrainingLoad training_load(const TaskData& task, const Hardware& hardware);

/// Figures of `gpu_bench` and `burn` records: tensor peak by precision, HBM, PCIe, NVLink. Of every figure
/// the GPU that comes nearest to its limit.
std::vector<Check> guard_gpus(const Dataset& dataset, const Hardware& hardware);

/// "28,800".
std::string grouped(double value);
/// "2.39 EFLOP/s" from FLOP/s.
std::string flop_rate(double flops);

}  // namespace sxb::analysis
