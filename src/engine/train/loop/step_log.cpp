#include "engine/train/loop/step_log.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>

#include "base/clock.h"
#include "engine/base/cuda_check.h"

namespace sxb::engine::train {
namespace {

/// The first bytes of `from` behind the work of the compute stream; at once on the CPU.
void copy_to_host(const Device& device, at::Tensor& to, const at::Tensor& from, std::size_t bytes) {
  if (device.cuda()) {
    SXB_CUDA(cudaMemcpyAsync(to.data_ptr(), from.data_ptr(), bytes, cudaMemcpyDeviceToHost,
                             static_cast<cudaStream_t>(device.compute_raw())));
  } else {
    std::memcpy(to.data_ptr(), from.data_ptr(), bytes);
  }
}

}  // namespace

StepLog::StepLog(const Device& device, std::size_t steps, std::int64_t sums)
    : device_(device), entries_(steps + 1) {
  const auto host = [&](std::int64_t numel, at::ScalarType type) {
    return at::empty({numel}, at::TensorOptions().dtype(type).pinned_memory(device.cuda()));
  };
  for (Entry& entry : entries_) {
    entry.results = host(3, at::kFloat);
    entry.sums = host(sums, at::kDouble);
    entry.stamps = host(device.clock->stamps().numel(), at::kLong);
  }
}

void StepLog::start() {
  device_.synchronize();
  last_end_ns_ = monotonic_ns();
  clock_ = EventClock(last_end_ns_);
  device_.record_compute(start_);
}

void StepLog::finish(const StepFacts& facts, const at::Tensor& results, const at::Tensor& sums) {
  Entry& e = entry(queued_++);
  e.facts = facts;
  e.marks = device_.clock->marks();
  copy_to_host(device_, e.results, results, results.nbytes());
  copy_to_host(device_, e.sums, sums, sums.nbytes());
  copy_to_host(device_, e.stamps, device_.clock->stamps(),
               static_cast<std::size_t>(e.marks.stamps) * sizeof(std::int64_t));
  device_.record_compute(e.end);
  e.host_end_ns = monotonic_ns();
}

StepResult StepLog::take() {
  const StepEvent& begin = taken_ == 0 ? start_ : entry(taken_ - 1).end;
  const Entry& e = entry(taken_++);
  StepResult result;
  result.facts = e.facts;
  result.begin_ns = last_end_ns_;
  if (device_.cuda()) {
    e.end.synchronize();
    const std::int64_t seen_ns = monotonic_ns();
    result.own_ms = begin.milliseconds_to(e.end);
    result.end_ns = clock_.step_ended(result.own_ms, seen_ns);
  } else {
    result.end_ns = e.host_end_ns;
    result.own_ms = static_cast<double>(result.end_ns - result.begin_ns) / 1e6;
  }
  last_end_ns_ = result.end_ns;
  result.phases = phase_times(e.marks, e.stamps.data_ptr<std::int64_t>());
  const float* values = e.results.data_ptr<float>();
  result.grad_norm = static_cast<double>(values[1]);
  result.loss = static_cast<double>(values[2]);
  const double* sums = e.sums.data_ptr<double>();
  result.loss_tokens = sums[kLossTokens];
  result.tokens = sums[kTokens];
  result.documents = sums[kDocuments];
  result.sum_len_sq = sums[kSumLenSq];
  result.checkpoint = {sums[kCheckpointDue] > 0, sums[kCheckpointBusy] > 0, sums[kCheckpointFailed] > 0};
  result.timed_step_longest_ms = *std::max_element(sums + kStepSums, sums + e.sums.numel());
  return result;
}

}  // namespace sxb::engine::train
