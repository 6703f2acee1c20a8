#include "engine/train/loop/step_inputs.h"

#include <ATen/ops/zeros.h>
#include <cuda_runtime_api.h>

#include <algorithm>

#include "engine/base/cuda_check.h"

namespace sxb::engine::train {
namespace {

constexpr std::int64_t kAdamWBytes = 16;  // sizeof(kernels::AdamWStep), rounded up
static_assert(sizeof(kernels::AdamWStep) == 12);

at::Tensor slice(const at::Tensor& bytes, std::int64_t offset, std::int64_t elements, at::ScalarType type) {
  return bytes.narrow(0, offset, elements * static_cast<std::int64_t>(c10::elementSize(type))).view(type);
}

}  // namespace

StepInputs::StepInputs(const Device& device, std::int64_t counts, std::int64_t micro_steps, std::int64_t rows,
                       std::int64_t seq_len)
    : T_(rows * seq_len),
      counts_bytes_(counts * static_cast<std::int64_t>(sizeof(double))),
      batches_(static_cast<std::size_t>(micro_steps)),
      stream_(device.compute_raw()) {
  const std::int64_t bytes = batch_offset(micro_steps);
  device_ = device.zeros({bytes}, at::kByte);
  for (at::Tensor& host : host_) {
    host = device.cuda() ? at::zeros({bytes}, at::TensorOptions().dtype(at::kByte).pinned_memory(true))
                         : device_;
  }
  counts_ = slice(device_, 0, counts, at::kDouble);
  adamw_ = slice(device_, counts_bytes_, 3, at::kFloat);
  for (std::int64_t i = 0; i < micro_steps; ++i) {
    DeviceBatch& batch = batches_[static_cast<std::size_t>(i)];
    const at::Tensor packed = slice(device_, batch_offset(i), 3 * T_, at::kInt);
    batch.rows = rows;
    batch.seq_len = seq_len;
    batch.token_T = packed.narrow(0, 0, T_);
    batch.target_T = packed.narrow(0, T_, T_);
    batch.position_T = packed.narrow(0, 2 * T_, T_);
  }
}

/// A document has a token at least, so T + 1 starts are enough; a multiple of 16 bytes per batch.
std::int64_t StepInputs::batch_offset(std::int64_t micro_step) const {
  const std::int64_t batch = (4 * T_ + 1) * 4;
  return (counts_bytes_ + kAdamWBytes + 15) / 16 * 16 + micro_step * ((batch + 15) / 16 * 16);
}

void StepInputs::begin() {
  current_ = 1 - current_;
  std::fill_n(counts(), counts_.numel(), 0.0);
}

double* StepInputs::counts() { return reinterpret_cast<double*>(host()); }

kernels::AdamWStep& StepInputs::adamw() {
  return *reinterpret_cast<kernels::AdamWStep*>(host() + counts_bytes_);
}

void StepInputs::set_batch(std::int64_t micro_step, const HostBatch& source) {
  auto* out = reinterpret_cast<std::int32_t*>(host() + batch_offset(micro_step));
  out = std::copy(source.token.begin(), source.token.end(), out);
  out = std::copy(source.target.begin(), source.target.end(), out);
  out = std::copy(source.position.begin(), source.position.end(), out);
  std::copy(source.start.begin(), source.start.end(), out);

  DeviceBatch& batch = batches_[static_cast<std::size_t>(micro_step)];
  const auto starts = static_cast<std::int64_t>(source.start.size());
  batch.start = slice(device_, batch_offset(micro_step) + 3 * T_ * 4, starts, at::kInt);
  batch.documents = starts - 1;
  batch.max_document = source.max_document;
  batch.whole_rows = source.whole_rows;
  batch.loss_tokens = source.loss_tokens;
}

void StepInputs::send() {
  if (!device_.is_cuda()) return;
  SXB_CUDA(cudaMemcpyAsync(device_.data_ptr(), host(), device_.nbytes(), cudaMemcpyHostToDevice,
                           static_cast<cudaStream_t>(stream_)));
}

}  // namespace sxb::engine::train
