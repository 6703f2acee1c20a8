// Causal attention inside documents, with RoPE on the way in and its transpose on the way out.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "config/model/model.h"
#include "engine/attention/batch.h"

namespace sxb::engine {

/// A micro-batch on the device.
struct DeviceBatch {
  std::int64_t rows = 0, seq_len = 0;
  at::Tensor token_T, target_T, position_T;  ///< int32
  at::Tensor start;                          ///< int32 (documents + 1), see HostBatch::start
  std::int64_t documents = 0;                ///< spans of `start`, padding runs included
  std::int64_t max_document = 0;
  bool whole_rows = true;
  std::int64_t loss_tokens = 0;
  std::int64_t T() const { return rows * seq_len; }
};

/// What the backward pass needs of one attention call.
struct AttentionSaved {
  at::Tensor out_THd;  ///< (T, H * d)
  at::Tensor lse;      ///< library's own layout
  at::Tensor seed, offset;
};

/// float (positions, d/2, 2): cos and sin of position * theta^(-2i/d).
at::Tensor rope_table(std::int64_t positions, std::int64_t d, double theta);

class Attention {
 public:
  /// For positions below `max_position`, on `device`; on a GPU its calls go to the current stream.
  Attention(const config::Architecture& arch, std::int64_t max_position, at::Device device);

  /// Rotates q and k inside qkv_TW (it is saved in that state) and attends.
  void forward(at::Tensor& qkv_TW, const DeviceBatch& batch, AttentionSaved& saved) const;
  /// dqkv_TW from dout_THd and what forward left.
  void backward(at::Tensor& dqkv_TW, const at::Tensor& dout_THd, const at::Tensor& qkv_TW,
                const DeviceBatch& batch, const AttentionSaved& saved) const;

  /// "cudnn" (whole rows), "flash-varlen" (packed documents on the GPU), "reference" (CPU).
  static std::string kernel(bool cuda, bool whole_rows);

 private:
  std::int64_t H_, K_, d_;
  bool cuda_;
  at::Tensor table_;  ///< see rope_table
};

}  // namespace sxb::engine
