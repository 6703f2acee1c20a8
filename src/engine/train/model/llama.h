// The Llama-2 decoder on one device: explicit forward and backward of every part, no autograd.
//
// Sharding is applied from outside: the functions take the full weights of the unit they need and
// write its gradients into the buffers they are given. Legend of the suffixes: kernels.h.
//
//   embed -> L x block -> head_and_loss          forward
//   head_and_loss -> L x block_backward -> embed_backward
//
// The residual stream is kept as (x, delta): the sum is taken inside the next norm's kernel, which
// has to read both anyway.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "config/model/model.h"
#include "engine/attention/attention.h"
#include "engine/train/device/device.h"
#include "engine/train/device/gemm.h"
#include "engine/train/model/layout.h"

namespace sxb::engine::train {

/// Views into the flat buffer of a block: weights or gradients.
struct BlockView {
  at::Tensor attn_norm_D, qkv_WD, o_DD, mlp_norm_D, gate_up_2FD, down_DF;
};
struct HeadView {
  at::Tensor norm_D, weight_VD;
};
BlockView block_view(const Layout& layout, const at::Tensor& flat);
HeadView head_view(const Layout& layout, const at::Tensor& flat);
at::Tensor embedding_view(const Layout& layout, const at::Tensor& flat);

/// The linear layers of the model, in order: q|k|v, attention output, gate|up, down, head (a chunk of it).
std::vector<Gemm::Layer> gemm_layers(const config::Architecture& arch, std::int64_t tokens);

/// What one block keeps for its backward pass. Norm outputs and the product are either kept too (T (2D + F)
/// elements more) or share the scratch buffer of their own gradient, over which the backward kernels
/// write them again: one more write of memory each.
struct BlockSaved {
  at::Tensor x_TD, rstd_attn_T, norm_attn_TD, qkv_TW, x_mid_TD, rstd_mlp_T, norm_mlp_TD, gate_up_T2F,
      product_TF;
  AttentionSaved attention;
};

/// The residual stream between two blocks: x + delta. delta may be undefined (= 0).
struct Residual {
  at::Tensor x_TD, delta_TD;
};

class Llama {
 public:
  /// Buffers for micro-batches of exactly `tokens` tokens. `recompute` must not be "auto".
  Llama(const Layout& layout, const Device& device, std::int64_t tokens, std::int64_t seq_len,
        const config::Recompute& recompute);

  /// Chooses the GPU's GEMM algorithms by timing them on all ranks at once; see Gemm::tune.
  Gemm::Tuning tune_gemms(comm::Communicator& comm, const std::string& cache_file);

  Residual embed(const DeviceBatch& batch, const at::Tensor& table_VD);
  Residual block(int layer, const Residual& in, const BlockView& weights, const DeviceBatch& batch);

  /// Final norm, head and cross-entropy over chunks of tokens, forward and backward in one go. Adds
  /// the sum of the token losses to *loss_sum (double scalar tensor) and returns the gradient with
  /// respect to the residual stream. Gradients are of scale * (sum of token losses).
  at::Tensor head_and_loss(const Residual& in, const HeadView& weights, const HeadView& grads,
                           bool accumulate, const DeviceBatch& batch, double scale, at::Tensor& loss_sum);
  /// dx_TD of the block's output -> dx_TD of its input.
  at::Tensor block_backward(int layer, const at::Tensor& dx_TD, const BlockView& weights,
                            const BlockView& grads, bool accumulate, const DeviceBatch& batch);
  /// Frees what the attention library allocated for the backward pass; the next step allocates it anew.
  void release_attention();
  void embed_backward(const at::Tensor& dx_TD, at::Tensor& dtable_VD, bool accumulate,
                      const DeviceBatch& batch);

 private:
  BlockSaved make_saved() const;
  Residual block_forward(const Residual& in, const BlockView& weights, const DeviceBatch& batch,
                         BlockSaved& saved);
  at::Tensor& other(const at::Tensor& dx_TD);  ///< the gradient buffer that dx_TD is not

  config::Architecture arch_;
  Device device_;
  std::int64_t T_, W_;
  config::Recompute recompute_;
  Attention attention_;
  Gemm gemm_;
  std::vector<BlockSaved> saved_;   ///< per layer; one shared entry when blocks are recomputed
  std::vector<at::Tensor> inputs_;  ///< blocks recomputed: x_TD of each block
  // Scratch, shared by all blocks because work on the compute stream is ordered.
  at::Tensor embed_TD_, delta_TD_, dproduct_TF_, dnorm_TD_, dqkv_TW_, dx_TD_[2], dmid_TD_;
  at::Tensor rstd_T_, logits_CV_, loss_T_, norm_scratch_;
};

}  // namespace sxb::engine::train
