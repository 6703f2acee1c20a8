// The state of a training on disk while it goes on, and back: master weights and moments of this rank, the
// step and the number of updates. The order of the data is a function of the step, and nothing else is
// random.
//
// The copy into host memory runs on a stream of its own behind the update that it holds; the next update
// waits for it. A thread writes the copy. One is under way at a time. All ranks save after the same step,
// because each tells with the sums of every step (StepSum) whether it is time, whether it still writes, and
// whether it could. So every rank knows when all have written one, and only then lets go of an older one.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "data/packed.h"
#include "data/rank_checkpoints.h"
#include "engine/base/emitter.h"
#include "engine/comm/communicator.h"
#include "engine/train/device/device.h"
#include "engine/train/loop/step.h"
#include "engine/train/loop/step_log.h"
#include "engine/train/parallel/sharding.h"
#include "plan/task.h"
#include "record/kinds/training.h"

namespace sxb::engine::train {

class Checkpointer {
 public:
  /// Everything given by reference must outlive it. `dataset` null: synthetic tokens. Without a folder in the
  /// task nothing is saved, and no call does anything. EngineError "checkpoint_folder".
  Checkpointer(const plan::RankTask& task, const Layout& layout, const Device& device,
               comm::Communicator& comm, ShardedParameters& parameters, const data::PackedDataset* dataset,
               bool bf16, const Emitter& emitter);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  /// Takes the newest checkpoint that all ranks have whole into weights and moments; how far it came, step 0:
  /// there is none. One that is damaged on a rank is named, and the one before is taken. Collective.
  /// EngineError "checkpoint_mismatch" if they are of another training.
  TrainStep::Progress restore();
  /// The memory of the copy, which takes seconds to get: before the first step.
  void reserve();

  /// Rank 0: the record of a step has been sent. A checkpoint keeps the records up to its step, because those
  /// that were on their way to the journal are lost with a head that is killed; it is none before it has its
  /// own.
  void recorded(const record::Step& step);

  /// What this rank says with the step that is queued next, `step`.
  CheckpointVote vote(std::int64_t step) const;
  /// What all said with a step that has ended. True: all save now, before another step is queued.
  bool take(const StepResult& result);
  /// `queued`: the last step that was queued. `progress`: what the state is of, by then.
  void save(const TrainStep::Progress& progress, std::int64_t queued);
  /// The state must not be written before this.
  const StepEvent& copied() const { return copied_; }

  /// After the last step: nobody needs them any more. Collective.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  struct Read {
    std::int64_t step = 0;
    std::optional<data::RankCheckpoints::Shard> shard;
  };
  Json identity(bool bf16, const data::PackedDataset* dataset) const;
  std::vector<std::int64_t> common_steps(const std::vector<std::int64_t>& own);
  void refuse_others(std::int64_t step);
  Read newest_whole(const std::vector<std::int64_t>& common);
  void put(const data::RankCheckpoints::Shard& shard);
  void copy_state();
  void write(std::int64_t step, std::int64_t updates);
  void settle(bool failed);
  void send_lost_steps(std::int64_t last);
  bool wait_until_recorded(std::int64_t step);
  std::int64_t bytes_of_all() const;

  const plan::RankTask& task_;
  const config::Checkpoint& settings_;
  const Device device_;
  comm::Communicator& comm_;
  ShardedParameters& parameters_;
  const Emitter& emitter_;
  std::optional<data::RankCheckpoints> files_;
  std::vector<data::StateTensor> layout_;  ///< parts of all units; data: the copy
  std::int64_t shard_bytes_ = 0;
  at::Tensor copy_;  ///< bytes of host memory, pinned beside a GPU
  std::optional<c10::cuda::CUDAStream> stream_;
  StepEvent updated_, copied_;
  std::vector<std::int64_t> whole_;  ///< on the disks of all ranks, oldest first
  std::int64_t saved_step_ = 0;      ///< of the last one, or of the one that was resumed from
  std::int64_t stale_until_ = 0;     ///< what ranks said with this step was said before the last save
  Clock::time_point last_;           ///< when the last one began, or the training

  // Of the one that is being written.
  bool in_flight_ = false;
  std::thread writer_;
  std::atomic<bool> written_{false};
  std::optional<Error> failure_;  ///< this and below: the writer's, until written_
  double copy_s_ = 0, write_s_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t recorded_ = 0;  ///< rank 0: the last step whose record was sent and logged
  bool stop_ = false;
  std::optional<Error> log_failure_;
};

}  // namespace sxb::engine::train
