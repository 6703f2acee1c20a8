// Times and results of steps, read without stopping the device: a step's figures are read while a
// later step runs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/train/device/device.h"
#include "engine/train/loop/event_clock.h"

namespace sxb::engine::train {

/// What ranks tell each other of checkpoints with every step. Of all ranks: true where it is of any.
struct CheckpointVote {
  bool due = false;     ///< it is time for one; rank 0 says so
  bool busy = false;    ///< the last one is still being written
  bool failed = false;  ///< the last one could not be written
};

/// What the host knows of a step when it queues it.
struct StepFacts {
  std::int64_t step = 0;
  double lr = 0;
  double data_wait_ms = 0;
  bool whole_rows = true;       ///< every row of this rank was one document
  bool teaches = true;          ///< a token of any rank counts in the loss; if not, no weight changes
  std::int64_t timed_step = 0;  ///< the earlier step whose times of all ranks travel with this one, 0: none
};

/// What all ranks know of a finished step. Sums are over ranks.
struct StepResult {
  StepFacts facts;
  double loss = 0, grad_norm = 0;
  double tokens = 0, loss_tokens = 0, documents = 0, sum_len_sq = 0;
  CheckpointVote checkpoint;              ///< of all ranks, when they queued the step
  double own_ms = 0;                      ///< this rank's step time
  PhaseTimes phases;                      ///< this rank's
  double longest_ms = 0;                  ///< maximum over ranks; known only when a later step is done
  double timed_step_longest_ms = 0;       ///< of facts.timed_step
  std::int64_t begin_ns = 0, end_ns = 0;  ///< monotonic clock of this node
};

/// What every step sums over the ranks in one small all-reduce (double): what the gradient scale
/// needs, the counts of the batch, what ranks say of checkpoints (loop/checkpointer.h), and behind them one
/// step time per rank (each rank fills its own).
enum StepSum {
  kSumSquares,
  kLossSum,
  kLossTokens,
  kTokens,
  kDocuments,
  kSumLenSq,
  kCheckpointDue,
  kCheckpointBusy,
  kCheckpointFailed,
  kStepSums
};

class StepLog {
 public:
  /// Room for `steps` that are queued and not taken, of `sums` doubles (StepSum) each. The step's
  /// marks have their final capacity (StepClock::reserve).
  StepLog(const Device& device, std::size_t steps, std::int64_t sums);
  /// Marks the start of the first step.
  void start();
  /// Queues the copy of a step's results (3 floats of kernels::gradient_scale; kStepSums + ranks
  /// doubles; stamps) behind the step's work and marks its end. Call only if pending() < steps.
  void finish(const StepFacts& facts, const at::Tensor& results, const at::Tensor& sums);
  /// The oldest finished step; blocks until the device has finished it. Call only if pending() > 0.
  StepResult take();
  std::size_t pending() const { return queued_ - taken_; }

 private:
  struct Entry {
    StepFacts facts;
    StepMarks marks;
    at::Tensor results, sums, stamps;  ///< host memory, pinned beside a GPU
    StepEvent end{CudaEvent::Timing::kOn};
    std::int64_t host_end_ns = 0;
  };
  Entry& entry(std::size_t number) { return entries_[number % entries_.size()]; }

  const Device device_;
  StepEvent start_{CudaEvent::Timing::kOn};
  std::int64_t last_end_ns_ = 0;
  EventClock clock_;
  std::vector<Entry> entries_;  ///< one more than may be queued: the step before tells when one began
  std::size_t queued_ = 0, taken_ = 0;
};

}  // namespace sxb::engine::train
