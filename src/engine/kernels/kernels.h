// Fused kernels of the trainer on raw pointers: a CPU reference (reference.cpp, float, the truth the
// tests compare against and the CPU path runs) and CUDA (*.cu, float or bfloat16 data, float
// arithmetic). No torch, no allocation, no synchronisation here.
//
// Legend: T tokens, D hidden, F ffn, H query heads, K key/value heads, d head dim, V vocabulary,
// W = (H + 2K) d the width of the fused q|k|v rows. All matrices are row-major and dense.
#pragma once

#include <cstdint>

namespace sxb::kernels {

enum class Type { kFloat32, kBFloat16 };
using Stream = void*;  ///< cudaStream_t

/// Constants of AdamW (Loshchilov & Hutter 2019, as torch.optim.AdamW computes it).
struct AdamW {
  /// The complements are formed before they are rounded: 1 - 0.999f is 1.7e-5 off 0.001.
  constexpr AdamW(double beta1_, double beta2_, double eps_, double weight_decay_)
      : beta1(static_cast<float>(beta1_)),
        beta2(static_cast<float>(beta2_)),
        rest1(static_cast<float>(1 - beta1_)),
        rest2(static_cast<float>(1 - beta2_)),
        eps(static_cast<float>(eps_)),
        weight_decay(static_cast<float>(weight_decay_)) {}
  float beta1, beta2;
  float rest1, rest2;  ///< 1 - beta
  float eps, weight_decay;
};
/// What changes from step to step. The kernel reads it from device memory, so a recorded step can be
/// replayed with new values.
struct AdamWStep {
  float lr;
  float bias1;  ///< 1 - beta1^step
  float bias2;  ///< 1 - beta2^step
};

// --- CPU reference -------------------------------------------------------------------------------
namespace cpu {

/// sum_TD = x_TD + delta_TD (delta may be null: then sum_TD is not written and x is normalised);
/// out_TD = sum * rstd * weight_D, rstd_T = 1 / sqrt(mean(sum^2) + eps).
void rmsnorm_forward(float* out_TD, float* sum_TD, float* rstd_T, const float* x_TD, const float* delta_TD,
                     const float* weight_D, std::int64_t T, std::int64_t D, float eps);
/// dx_TD = residual_TD + d(norm)/dx * dout_TD (residual may be null); dweight_D (+)= its gradient.
/// restore: dout_TD becomes the forward's output again, to the same bits.
void rmsnorm_backward(float* dx_TD, float* dweight_D, bool accumulate, float* dout_TD, bool restore,
                      const float* residual_TD, const float* x_TD, const float* weight_D, const float* rstd_T,
                      std::int64_t T, std::int64_t D);
/// Rotates q and k of qkv_TW in place; pairs (i, i + d/2) as Hugging Face Llama does. position_T
/// counts from each document's start; table holds cos, sin interleaved: [position][d/2][2].
void rope_forward(float* qkv_TW, const std::int32_t* position_T, const float* table, std::int64_t T,
                  std::int64_t H, std::int64_t K, std::int64_t d);
/// The inverse rotation (the transpose) of dqkv_TW in place.
void rope_backward(float* dqkv_TW, const std::int32_t* position_T, const float* table, std::int64_t T,
                   std::int64_t H, std::int64_t K, std::int64_t d);
/// Causal attention inside each document: document j covers tokens [start[j], start[j+1]).
/// out_THd (H*d wide rows), lse_HT = log-sum-exp of the scaled scores.
void attention_forward(float* out_THd, float* lse_HT, const float* qkv_TW, const std::int32_t* start,
                       std::int64_t documents, std::int64_t T, std::int64_t H, std::int64_t K,
                       std::int64_t d);
/// dqkv_TW from dout_THd; overwrites.
void attention_backward(float* dqkv_TW, const float* dout_THd, const float* qkv_TW, const float* out_THd,
                        const float* lse_HT, const std::int32_t* start, std::int64_t documents,
                        std::int64_t T, std::int64_t H, std::int64_t K, std::int64_t d);
/// out_TF = silu(gate) * up from gate_up_T2F ([gate | up] in each row).
void swiglu_forward(float* out_TF, const float* gate_up_T2F, std::int64_t T, std::int64_t F);
/// gate_up_T2F becomes its gradient in place. restore: dout_TF becomes the forward's output again, to
/// the same bits.
void swiglu_backward(float* gate_up_T2F, float* dout_TF, bool restore, std::int64_t T, std::int64_t F);
void embedding_forward(float* out_TD, const float* table_VD, const std::int32_t* token_T, std::int64_t T,
                       std::int64_t D);
/// dtable_VD += rows of dout_TD (the caller clears dtable before the first micro-step).
void embedding_backward(float* dtable_VD, const float* dout_TD, const std::int32_t* token_T, std::int64_t T,
                        std::int64_t D);
/// Per row: loss_T = -log softmax(logits)[target], 0 where target < 0; logits_TV become
/// (softmax - onehot) * scale in place, 0 where target < 0.
void cross_entropy(float* logits_TV, float* loss_T, const std::int32_t* target_T, float scale, std::int64_t T,
                   std::int64_t V);
/// *out += sum of squares of x, in double.
void sum_of_squares(double* out, const float* x, std::int64_t n);
/// g = grad * *grad_scale; decoupled weight decay; master, m, v in float; param receives master.
void adamw(float* param, float* master, float* m, float* v, const float* grad, const float* grad_scale,
           const AdamWStep* step, const AdamW& constants, std::int64_t n);
/// out[i] = mean + std * N(0,1), a pure function of (seed, first + i): any shard gets the same bits.
void init_normal(float* out, std::uint64_t seed, std::uint64_t first, float std, std::int64_t n);
/// See cuda::gradient_scale.
void gradient_scale(float* results, const double* sums, double token_unit, double clip);

}  // namespace cpu

// --- CUDA: same meanings; `type` is that of every void* ------------------------------------------
namespace cuda {

void rmsnorm_forward(Type type, void* out_TD, void* sum_TD, float* rstd_T, const void* x_TD,
                     const void* delta_TD, const void* weight_D, std::int64_t T, std::int64_t D, float eps,
                     Stream stream);
/// partial: scratch of rmsnorm_backward_scratch(D) floats.
void rmsnorm_backward(Type type, void* dx_TD, void* dweight_D, bool accumulate, void* dout_TD, bool restore,
                      const void* residual_TD, const void* x_TD, const void* weight_D, const float* rstd_T,
                      float* partial, std::int64_t T, std::int64_t D, Stream stream);
std::int64_t rmsnorm_backward_scratch(std::int64_t D);
void rope_forward(Type type, void* qkv_TW, const std::int32_t* position_T, const float* table, std::int64_t T,
                  std::int64_t H, std::int64_t K, std::int64_t d, Stream stream);
/// One of dq, dk, dv as an attention library returns it: element (t, h, i) at t*token + h*head + i.
struct Strided {
  const void* data;
  std::int64_t batch, token, head;  ///< strides in elements; token t of batch b is row b*S + t
};
/// dqkv_TW = [R^T dq | R^T dk | dv]: gathers the three gradients and undoes the rotation in one pass.
void rope_backward_gather(Type type, void* dqkv_TW, Strided dq, Strided dk, Strided dv,
                          const std::int32_t* position_T, const float* table, std::int64_t batch,
                          std::int64_t S, std::int64_t H, std::int64_t K, std::int64_t d, Stream stream);
void swiglu_forward(Type type, void* out_TF, const void* gate_up_T2F, std::int64_t T, std::int64_t F,
                    Stream stream);
void swiglu_backward(Type type, void* gate_up_T2F, void* dout_TF, bool restore, std::int64_t T,
                     std::int64_t F, Stream stream);
void embedding_forward(Type type, void* out_TD, const void* table_VD, const std::int32_t* token_T,
                       std::int64_t T, std::int64_t D, Stream stream);
void cross_entropy(Type type, void* logits_TV, float* loss_T, const std::int32_t* target_T, float scale,
                   std::int64_t T, std::int64_t V, Stream stream);
/// *out += sum of squares; partial: kSumOfSquaresScratch floats. Same order every time.
inline constexpr std::int64_t kSumOfSquaresScratch = 1024;
void sum_of_squares(Type type, double* out, const void* x, float* partial, std::int64_t n, Stream stream);
/// n: a multiple of 8.
void adamw(Type param_type, void* param, float* master, float* m, float* v, Type grad_type, const void* grad,
           const float* grad_scale, const AdamWStep* step, const AdamW& constants, std::int64_t n,
           Stream stream);
void init_normal(float* out, std::uint64_t seed, std::uint64_t first, float std, std::int64_t n,
                 Stream stream);
/// The gradient's scale, on the device so that no step waits for the host. Gradients and sums are of
/// token_unit * (sum of token losses); sums = {sum of squared gradients, sum of token losses, tokens}.
/// unscale = 1 / (token_unit * tokens), norm = sqrt(sums[0]) * unscale;
/// results = {unscale * min(1, clip / norm), norm, mean loss}; clip <= 0 switches clipping off.
void gradient_scale(float* results, const double* sums, double token_unit, double clip, Stream stream);
/// *out = the GPU's clock in nanoseconds when the stream gets here. A failed launch is seen by the
/// next kernel's check, so that destructors may call this.
void timestamp(std::int64_t* out, Stream stream);

}  // namespace cuda

}  // namespace sxb::kernels
