#include "engine/attention/attention.h"

#include <ATen/ops/_flash_attention_backward.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/_scaled_dot_product_cudnn_attention.h>
#include <ATen/ops/_scaled_dot_product_cudnn_attention_backward.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAStream.h>

#include <cmath>
#include <tuple>

#include "engine/kernels/kernels.h"

namespace sxb::engine {
namespace {

kernels::Type type_of(const at::Tensor& t) {
  return t.scalar_type() == at::kBFloat16 ? kernels::Type::kBFloat16 : kernels::Type::kFloat32;
}

struct Heads {
  at::Tensor q, k, v;
};

/// Views of the fused rows: (T, heads, d).
Heads split_heads(const at::Tensor& qkv_TW, std::int64_t H, std::int64_t K, std::int64_t d) {
  const at::Tensor heads = qkv_TW.view({qkv_TW.size(0), H + 2 * K, d});
  return {heads.narrow(1, 0, H), heads.narrow(1, H, K), heads.narrow(1, H + K, K)};
}

/// (T, heads, d) -> (B, heads, S, d) without a copy, as scaled-dot-product attention wants it.
at::Tensor to_bhsd(const at::Tensor& t, std::int64_t rows, std::int64_t seq_len) {
  return t.unflatten(0, {rows, seq_len}).transpose(1, 2);
}

kernels::cuda::Strided strided_bhsd(const at::Tensor& t) {
  return {t.data_ptr(), t.stride(0), t.stride(2), t.stride(1)};
}
kernels::cuda::Strided strided_thd(const at::Tensor& t) {
  return {t.data_ptr(), 0, t.stride(0), t.stride(1)};
}

}  // namespace

/// The angles in double.
at::Tensor rope_table(std::int64_t positions, std::int64_t d, double theta) {
  at::Tensor table = at::empty({positions, d / 2, 2}, at::kFloat);
  float* out = table.data_ptr<float>();
  for (std::int64_t p = 0; p < positions; ++p) {
    for (std::int64_t i = 0; i < d / 2; ++i) {
      const double angle =
          static_cast<double>(p) * std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(d));
      *out++ = static_cast<float>(std::cos(angle));
      *out++ = static_cast<float>(std::sin(angle));
    }
  }
  return table;
}

Attention::Attention(const config::Architecture& arch, std::int64_t max_position, at::Device device)
    : H_(arch.heads),
      K_(arch.kv_heads),
      d_(arch.head_dim()),
      cuda_(device.is_cuda()),
      table_(rope_table(max_position, d_, arch.rope_theta).to(device)) {}

std::string Attention::kernel(bool cuda, bool whole_rows) {
  if (!cuda) return "reference";
  return whole_rows ? "cudnn" : "flash-varlen";
}

void Attention::forward(at::Tensor& qkv, const DeviceBatch& batch, AttentionSaved& saved) const {
  const std::int64_t T = batch.T();
  const auto* position = static_cast<const std::int32_t*>(batch.position_T.data_ptr());
  if (!cuda_) {
    kernels::cpu::rope_forward(qkv.data_ptr<float>(), position, table_.data_ptr<float>(), T, H_, K_, d_);
    if (!saved.out_THd.defined()) {
      saved.out_THd = at::empty({T, H_ * d_}, at::kFloat);
      saved.lse = at::empty({H_, T}, at::kFloat);
    }
    kernels::cpu::attention_forward(saved.out_THd.data_ptr<float>(), saved.lse.data_ptr<float>(),
                                    qkv.data_ptr<float>(), batch.start.data_ptr<std::int32_t>(),
                                    batch.documents, T, H_, K_, d_);
    return;
  }
  kernels::cuda::rope_forward(type_of(qkv), qkv.data_ptr(), position, table_.data_ptr<float>(), T, H_, K_, d_,
                              c10::cuda::getCurrentCUDAStream().stream());
  const Heads heads = split_heads(qkv, H_, K_, d_);
  if (batch.whole_rows) {
    auto result = at::_scaled_dot_product_cudnn_attention(
        to_bhsd(heads.q, batch.rows, batch.seq_len), to_bhsd(heads.k, batch.rows, batch.seq_len),
        to_bhsd(heads.v, batch.rows, batch.seq_len), std::nullopt, /*compute_log_sumexp=*/true,
        /*dropout_p=*/0.0,
        /*is_causal=*/true);
    saved.out_THd = std::get<0>(result).transpose(1, 2).reshape({T, H_ * d_});
    saved.lse = std::get<1>(result);
    saved.seed = std::get<6>(result);
    saved.offset = std::get<7>(result);
    return;
  }
  auto result =
      at::_flash_attention_forward(heads.q, heads.k, heads.v, batch.start, batch.start, batch.max_document,
                                   batch.max_document, /*dropout_p=*/0.0, /*is_causal=*/true,
                                   /*return_debug_mask=*/false);
  saved.out_THd = std::get<0>(result).view({T, H_ * d_});
  saved.lse = std::get<1>(result);
  saved.seed = std::get<2>(result);
  saved.offset = std::get<3>(result);
}

void Attention::backward(at::Tensor& dqkv, const at::Tensor& dout, const at::Tensor& qkv,
                         const DeviceBatch& batch, const AttentionSaved& saved) const {
  const std::int64_t T = batch.T();
  const auto* position = static_cast<const std::int32_t*>(batch.position_T.data_ptr());
  if (!cuda_) {
    kernels::cpu::attention_backward(dqkv.data_ptr<float>(), dout.data_ptr<float>(), qkv.data_ptr<float>(),
                                     saved.out_THd.data_ptr<float>(), saved.lse.data_ptr<float>(),
                                     batch.start.data_ptr<std::int32_t>(), batch.documents, T, H_, K_, d_);
    kernels::cpu::rope_backward(dqkv.data_ptr<float>(), position, table_.data_ptr<float>(), T, H_, K_, d_);
    return;
  }
  const Heads heads = split_heads(qkv, H_, K_, d_);
  const at::Tensor dout_heads = dout.view({T, H_, d_});
  const at::Tensor out_heads = saved.out_THd.view({T, H_, d_});
  kernels::cuda::Strided dq, dk, dv;
  std::tuple<at::Tensor, at::Tensor, at::Tensor> grads;  // alive until the gather below is queued
  if (batch.whole_rows) {
    const auto bhsd = [&](const at::Tensor& t) { return to_bhsd(t, batch.rows, batch.seq_len); };
    grads = at::_scaled_dot_product_cudnn_attention_backward(
        bhsd(dout_heads), bhsd(heads.q), bhsd(heads.k), bhsd(heads.v), bhsd(out_heads), saved.lse, saved.seed,
        saved.offset, /*attn_bias=*/at::Tensor(), /*cum_seq_q=*/at::Tensor(), /*cum_seq_k=*/at::Tensor(),
        batch.seq_len, batch.seq_len, /*dropout_p=*/0.0, /*is_causal=*/true);
    dq = strided_bhsd(std::get<0>(grads)), dk = strided_bhsd(std::get<1>(grads)),
    dv = strided_bhsd(std::get<2>(grads));
  } else {
    grads = at::_flash_attention_backward(dout_heads, heads.q, heads.k, heads.v, out_heads, saved.lse,
                                          batch.start, batch.start, batch.max_document, batch.max_document,
                                          /*dropout_p=*/0.0,
                                          /*is_causal=*/true, saved.seed, saved.offset);
    dq = strided_thd(std::get<0>(grads)), dk = strided_thd(std::get<1>(grads)),
    dv = strided_thd(std::get<2>(grads));
  }
  // With strides per token only (flash), one "row" spans all tokens.
  const std::int64_t rows = batch.whole_rows ? batch.rows : 1;
  kernels::cuda::rope_backward_gather(type_of(dqkv), dqkv.data_ptr(), dq, dk, dv, position,
                                      table_.data_ptr<float>(), rows, T / rows, H_, K_, d_,
                                      c10::cuda::getCurrentCUDAStream().stream());
}

}  // namespace sxb::engine
