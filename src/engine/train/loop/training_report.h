// What a training task says: step records as the steps end, and its facts when all are done.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "data/packed.h"
#include "engine/base/emitter.h"
#include "engine/comm/communicator.h"
#include "engine/train/loop/step_log.h"
#include "plan/memory.h"
#include "plan/task.h"
#include "record/kinds/training.h"

namespace sxb::engine::train {

/// How the task was run, as far as its config does not say it.
struct TrainingFacts {
  bool bf16 = false;
  plan::ShardingChoice sharding;
  std::string communication;                     ///< ShardedParameters::describe_paths
  std::string gemm;                              ///< how the GEMM algorithms were chosen
  std::string graph_obstacle;                    ///< empty: steps were replayed as a CUDA graph
  const data::PackedDataset* dataset = nullptr;  ///< null: synthetic tokens
};

class TrainingReport {
 public:
  TrainingReport(const plan::RankTask& task, comm::Communicator& comm, const Emitter& emitter);

  /// Steps up to `step` were done by an earlier attempt; 0: there was none.
  void resumed_after(std::int64_t step) { resumed_ = step; }
  /// Who hears of each step record that is sent: rank 0.
  void tell(std::function<void(const record::Step&)> listener) { listener_ = std::move(listener); }
  /// A finished step: throws on NaN at once; reports it once the other ranks' times are known.
  void take(const StepResult& result);
  /// The newest step whose time the other ranks do not know; null: none.
  const StepResult* newest_untimed() const { return untimed_.empty() ? nullptr : &untimed_.back(); }
  /// After the last step, when nothing runs any more. Collective.
  void finish(const TrainingFacts& facts);

 private:
  bool measured(std::int64_t step) const;
  void emit_step(const StepResult& result);
  void emit_rank();
  void emit_phases();
  void emit_training(const TrainingFacts& facts);

  const plan::RankTask& task_;
  const config::Model& model_;
  const config::Training& training_;
  comm::Communicator& comm_;
  const Emitter& emitter_;
  std::function<void(const record::Step&)> listener_;
  bool whole_rows_ = true;
  std::int64_t resumed_ = 0, taken_ = 0, untaught_ = 0;  ///< steps; untaught: without a token in the loss
  std::int64_t window_begin_ns_ = 0, window_end_ns_ = 0;
  std::vector<double> own_ms_;       ///< measured steps
  std::vector<PhaseTimes> phases_;   ///< of the same steps
  std::vector<StepResult> untimed_;  ///< finished, but the other ranks' times are not known yet
};

}  // namespace sxb::engine::train
