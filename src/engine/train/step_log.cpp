#include "engine/train/step_log.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "sxbench/base/clock.h"

namespace sxb::engine {

StepLog::StepLog(const Device& device) : device_(device) {}

void StepLog::start() {
  device_.synchronize();
  origin_ns_ = last_end_ns_ = monotonic_ns();
  device_.record_compute(origin_);
}

void StepLog::finish(const StepFacts& facts, const at::Tensor& results, const at::Tensor& sums) {
  Entry entry;
  entry.facts = facts;
  entry.marks = device_.clock->marks();
  const at::Tensor stamps = device_.clock->stamps().narrow(0, 0, entry.marks.stamps);
  if (device_.cuda()) {
    entry.results = at::empty(results.sizes(), at::TensorOptions().dtype(at::kFloat).pinned_memory(true));
    entry.sums = at::empty(sums.sizes(), at::TensorOptions().dtype(at::kDouble).pinned_memory(true));
    entry.stamps = at::empty(stamps.sizes(), at::TensorOptions().dtype(at::kLong).pinned_memory(true));
    entry.results.copy_(results, /*non_blocking=*/true);
    entry.sums.copy_(sums, /*non_blocking=*/true);
    entry.stamps.copy_(stamps, /*non_blocking=*/true);
    entry.end = Event(true);
    device_.record_compute(entry.end);
  } else {
    entry.results = results.clone();
    entry.sums = sums.clone();
    entry.stamps = stamps.clone();
    entry.host_end_ns = monotonic_ns();
  }
  entries_.push_back(std::move(entry));
}

StepResult StepLog::take() {
  Entry entry = std::move(entries_.front());
  entries_.erase(entries_.begin());
  StepResult result;
  result.facts = entry.facts;
  result.begin_ns = last_end_ns_;
  if (device_.cuda()) {
    entry.end.synchronize();
    result.end_ns = origin_ns_ + static_cast<std::int64_t>(origin_.milliseconds_to(entry.end) * 1e6);
  } else {
    result.end_ns = entry.host_end_ns;
  }
  last_end_ns_ = result.end_ns;
  result.own_ms = static_cast<double>(result.end_ns - result.begin_ns) / 1e6;
  result.phases = phase_times(entry.marks, entry.stamps.data_ptr<std::int64_t>());
  const float* values = entry.results.data_ptr<float>();
  result.grad_norm = static_cast<double>(values[1]);
  result.loss = static_cast<double>(values[2]);
  const double* sums = entry.sums.data_ptr<double>();
  result.loss_tokens = sums[kLossTokens];
  result.tokens = sums[kTokens];
  result.documents = sums[kDocuments];
  result.sum_len_sq = sums[kSumLenSq];
  result.timed_step_longest_ms = *std::max_element(sums + kStepSums, sums + entry.sums.numel());
  return result;
}

}  // namespace sxb::engine
