// The kernels on tensors: one function per operation, CPU reference or CUDA by the tensor's device.
// Shapes are in the names (legend in kernels.h); all tensors are dense and row-major. Matrix
// products are in gemm.h.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/kernels/kernels.h"

namespace sxb::engine::train::ops {

/// sum = x + delta (delta undefined: sum is x itself and is not written); out = rmsnorm(sum).
void rmsnorm(at::Tensor& out_TD, at::Tensor& sum_TD, at::Tensor& rstd_T, const at::Tensor& x_TD,
             const at::Tensor& delta_TD, const at::Tensor& weight_D, double eps);
/// dx = residual + gradient through the norm; dweight (+)=. restore: dout becomes the forward's output
/// again. scratch: rmsnorm_scratch(D) floats on CUDA.
void rmsnorm_backward(at::Tensor& dx_TD, at::Tensor& dweight_D, bool accumulate, at::Tensor& dout_TD,
                      bool restore, const at::Tensor& residual_TD, const at::Tensor& x_TD,
                      const at::Tensor& rstd_T, const at::Tensor& weight_D, at::Tensor& scratch);
std::int64_t rmsnorm_scratch(std::int64_t D);

void swiglu(at::Tensor& out_TF, const at::Tensor& gate_up_T2F);
/// gate_up becomes its gradient. restore: dout becomes the forward's output again.
void swiglu_backward(at::Tensor& gate_up_T2F, at::Tensor& dout_TF, bool restore);

void embedding(at::Tensor& out_TD, const at::Tensor& table_VD, const at::Tensor& token_T);
void embedding_backward(at::Tensor& dtable_VD, bool accumulate, const at::Tensor& dout_TD,
                        const at::Tensor& token_T);

/// logits become their gradient times `scale`; loss_T in float.
void cross_entropy(at::Tensor& logits_TV, at::Tensor& loss_T, const at::Tensor& target_T, double scale);

}  // namespace sxb::engine::train::ops
