// What the host gives the device for each step: one copy out of pinned memory into buffers that stay
// where they are, so that a recorded step finds its new inputs in place.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "engine/attention/attention.h"
#include "engine/attention/batch.h"
#include "engine/train/device/device.h"

namespace sxb::engine::train {

class StepInputs {
 public:
  /// `counts` doubles, and `micro_steps` batches of rows x seq_len tokens with any number of documents.
  StepInputs(const Device& device, std::int64_t counts, std::int64_t micro_steps, std::int64_t rows,
             std::int64_t seq_len);

  // --- on the host, for the step that send() sends next
  /// The device may still read what the step before sent; that of the step before it must be finished.
  void begin();
  double* counts();
  kernels::AdamWStep& adamw();
  void set_batch(std::int64_t micro_step, const HostBatch& batch);

  /// Queues the copy on the compute stream.
  void send();

  // --- on the device, once the compute stream is past send()
  const at::Tensor& device_counts() const { return counts_; }  ///< double (counts)
  const at::Tensor& device_adamw() const { return adamw_; }    ///< float (3): a kernels::AdamWStep
  const DeviceBatch& batch(std::int64_t micro_step) const {
    return batches_[static_cast<std::size_t>(micro_step)];
  }

 private:
  std::int64_t batch_offset(std::int64_t micro_step) const;  ///< bytes
  std::uint8_t* host() { return host_[current_].data_ptr<std::uint8_t>(); }

  const std::int64_t T_, counts_bytes_;
  std::size_t current_ = 0;
  at::Tensor device_;  ///< bytes: counts, AdamWStep, then [token | target | position | start] each
  std::array<at::Tensor, 2> host_;  ///< the same, pinned; on the CPU both are device_ itself
  at::Tensor counts_, adamw_;
  std::vector<DeviceBatch> batches_;
  Stream stream_;
};

}  // namespace sxb::engine::train
