#include "engine/train/model/llama.h"

#include <algorithm>

#include "engine/train/model/ops.h"
#include "plan/memory.h"

namespace sxb::engine::train {
namespace {

at::Tensor matrix(const at::Tensor& flat, std::int64_t offset, std::int64_t rows, std::int64_t cols) {
  return flat.narrow(0, offset, rows * cols).view({rows, cols});
}

}  // namespace

BlockView block_view(const Layout& layout, const at::Tensor& flat) {
  const config::Architecture& a = layout.arch;
  const BlockOffsets& at = layout.block;
  const std::int64_t D = a.hidden;
  const std::int64_t W = D + 2 * a.kv_heads * a.head_dim();
  return {flat.narrow(0, at.attn_norm, D),
          matrix(flat, at.qkv, W, D),
          matrix(flat, at.o, D, D),
          flat.narrow(0, at.mlp_norm, D),
          matrix(flat, at.gate_up, 2 * a.ffn, D),
          matrix(flat, at.down, D, a.ffn)};
}

HeadView head_view(const Layout& layout, const at::Tensor& flat) {
  return {flat.narrow(0, layout.head_norm, layout.arch.hidden),
          matrix(flat, layout.head_weight, layout.arch.vocab, layout.arch.hidden)};
}

at::Tensor embedding_view(const Layout& layout, const at::Tensor& flat) {
  return matrix(flat, 0, layout.arch.vocab, layout.arch.hidden);
}

std::vector<Gemm::Layer> gemm_layers(const config::Architecture& a, std::int64_t tokens) {
  const std::int64_t D = a.hidden;
  const std::int64_t W = D + 2 * a.kv_heads * a.head_dim();
  return {{tokens, W, D},
          {tokens, D, D},
          {tokens, 2 * a.ffn, D},
          {tokens, D, a.ffn},
          {plan::head_chunk(tokens, a.vocab), a.vocab, D}};
}

Llama::Llama(const Layout& layout, const Device& device, std::int64_t tokens, std::int64_t seq_len,
             const config::Recompute& recompute)
    : arch_(layout.arch),
      device_(device),
      T_(tokens),
      W_(arch_.hidden + 2 * arch_.kv_heads * arch_.head_dim()),
      recompute_(recompute),
      attention_(arch_, seq_len, device.at) {
  const std::int64_t D = arch_.hidden;
  const std::size_t layers = static_cast<std::size_t>(arch_.layers);
  dproduct_TF_ = device.empty({T_, arch_.ffn});
  dnorm_TD_ = device.empty({T_, D});
  for (std::size_t i = 0; i < (recompute.blocks ? 1 : layers); ++i) saved_.push_back(make_saved());
  if (recompute.blocks) {
    for (std::size_t i = 0; i < layers; ++i) inputs_.push_back(device.empty({T_, D}));
  }
  embed_TD_ = device.empty({T_, D});
  delta_TD_ = device.empty({T_, D});
  dqkv_TW_ = device.empty({T_, W_});
  for (at::Tensor& dx : dx_TD_) dx = device.empty({T_, D});
  dmid_TD_ = device.empty({T_, D});
  rstd_T_ = device.empty({T_}, at::kFloat);
  logits_CV_ = device.empty({plan::head_chunk(T_, arch_.vocab), arch_.vocab});
  loss_T_ = device.empty({T_}, at::kFloat);
  norm_scratch_ = device.empty({device.cuda() ? ops::rmsnorm_scratch(D) : 0}, at::kFloat);
}

Gemm::Tuning Llama::tune_gemms(comm::Communicator& comm, const std::string& cache_file) {
  return gemm_.tune(gemm_layers(arch_, T_), comm, cache_file);
}

BlockSaved Llama::make_saved() const {
  BlockSaved saved;
  saved.x_TD = device_.empty({T_, arch_.hidden});
  saved.rstd_attn_T = device_.empty({T_}, at::kFloat);
  saved.norm_attn_TD = recompute_.norms ? dnorm_TD_ : device_.empty({T_, arch_.hidden});
  saved.qkv_TW = device_.empty({T_, W_});
  saved.x_mid_TD = device_.empty({T_, arch_.hidden});
  saved.rstd_mlp_T = device_.empty({T_}, at::kFloat);
  saved.norm_mlp_TD = recompute_.norms ? dnorm_TD_ : device_.empty({T_, arch_.hidden});
  saved.gate_up_T2F = device_.empty({T_, 2 * arch_.ffn});
  saved.product_TF = recompute_.swiglu ? dproduct_TF_ : device_.empty({T_, arch_.ffn});
  return saved;
}

void Llama::release_attention() {
  for (BlockSaved& saved : saved_) saved.attention = {};
}

at::Tensor& Llama::other(const at::Tensor& dx) { return dx_TD_[dx.is_same(dx_TD_[0]) ? 1 : 0]; }

// --- forward -------------------------------------------------------------------------------------

Residual Llama::embed(const DeviceBatch& batch, const at::Tensor& table_VD) {
  ops::embedding(embed_TD_, table_VD, batch.token_T);
  return {embed_TD_, at::Tensor()};
}

Residual Llama::block_forward(const Residual& in, const BlockView& w, const DeviceBatch& batch,
                              BlockSaved& saved) {
  // Attention: x + Wo attend(rope(Wqkv norm(x)))
  ops::rmsnorm(saved.norm_attn_TD, saved.x_TD, saved.rstd_attn_T, in.x_TD, in.delta_TD, w.attn_norm_D,
               arch_.norm_eps);
  gemm_.linear(saved.qkv_TW, saved.norm_attn_TD, w.qkv_WD);
  attention_.forward(saved.qkv_TW, batch, saved.attention);
  gemm_.linear(delta_TD_, saved.attention.out_THd, w.o_DD);
  // MLP: x + Wdown (silu(Wgate norm(x)) * Wup norm(x))
  ops::rmsnorm(saved.norm_mlp_TD, saved.x_mid_TD, saved.rstd_mlp_T, saved.x_TD, delta_TD_, w.mlp_norm_D,
               arch_.norm_eps);
  gemm_.linear(saved.gate_up_T2F, saved.norm_mlp_TD, w.gate_up_2FD);
  ops::swiglu(saved.product_TF, saved.gate_up_T2F);
  gemm_.linear(delta_TD_, saved.product_TF, w.down_DF);
  return {saved.x_mid_TD, delta_TD_};
}

Residual Llama::block(int layer, const Residual& in, const BlockView& weights, const DeviceBatch& batch) {
  const std::size_t i = static_cast<std::size_t>(layer);
  if (!recompute_.blocks) return block_forward(in, weights, batch, saved_[i]);
  saved_[0].x_TD = inputs_[i];  // the norm writes x + delta straight into the kept input
  const Residual out = block_forward(in, weights, batch, saved_[0]);
  inputs_[i] = saved_[0].x_TD;  // the first block keeps the embedding itself
  return out;
}

// --- head ----------------------------------------------------------------------------------------

at::Tensor Llama::head_and_loss(const Residual& in, const HeadView& w, const HeadView& grads, bool accumulate,
                                const DeviceBatch& batch, double scale, at::Tensor& loss_sum) {
  at::Tensor norm_TD = dmid_TD_;  // two buffers of the backward pass, which has not begun
  at::Tensor final_TD = dx_TD_[1];
  ops::rmsnorm(norm_TD, final_TD, rstd_T_, in.x_TD, in.delta_TD, w.norm_D, arch_.norm_eps);
  at::Tensor dweight_VD = grads.weight_VD;
  const std::int64_t chunk = logits_CV_.size(0);
  for (std::int64_t t = 0; t < T_; t += chunk) {
    const std::int64_t n = std::min(chunk, T_ - t);
    const at::Tensor x_CD = norm_TD.narrow(0, t, n);
    at::Tensor logits_CV = logits_CV_.narrow(0, 0, n);
    at::Tensor loss_C = loss_T_.narrow(0, t, n);
    at::Tensor dx_CD = dnorm_TD_.narrow(0, t, n);
    gemm_.linear(logits_CV, x_CD, w.weight_VD);
    ops::cross_entropy(logits_CV, loss_C, batch.target_T.narrow(0, t, n), scale);
    gemm_.input_grad(dx_CD, logits_CV, w.weight_VD);
    gemm_.weight_grad(dweight_VD, accumulate || t > 0, logits_CV, x_CD);
  }
  loss_sum.add_(loss_T_.sum(at::kDouble));
  at::Tensor dnorm_D = grads.norm_D;
  ops::rmsnorm_backward(dx_TD_[0], dnorm_D, accumulate, dnorm_TD_, false, at::Tensor(), final_TD, rstd_T_,
                        w.norm_D, norm_scratch_);
  return dx_TD_[0];
}

// --- backward ------------------------------------------------------------------------------------

at::Tensor Llama::block_backward(int layer, const at::Tensor& dx, const BlockView& w, const BlockView& grads,
                                 bool accumulate, const DeviceBatch& batch) {
  BlockSaved& saved = recompute_.blocks ? saved_[0] : saved_[static_cast<std::size_t>(layer)];
  if (recompute_.blocks)
    block_forward({inputs_[static_cast<std::size_t>(layer)], at::Tensor()}, w, batch, saved);
  BlockView g = grads;

  // MLP. swiglu_backward turns gate_up into its gradient.
  gemm_.input_grad(dproduct_TF_, dx, w.down_DF);
  ops::swiglu_backward(saved.gate_up_T2F, dproduct_TF_, recompute_.swiglu);
  gemm_.weight_grad(g.down_DF, accumulate, dx, saved.product_TF);
  gemm_.input_grad(dnorm_TD_, saved.gate_up_T2F, w.gate_up_2FD);
  ops::rmsnorm_backward(dmid_TD_, g.mlp_norm_D, accumulate, dnorm_TD_, recompute_.norms, dx, saved.x_mid_TD,
                        saved.rstd_mlp_T, w.mlp_norm_D, norm_scratch_);
  gemm_.weight_grad(g.gate_up_2FD, accumulate, saved.gate_up_T2F, saved.norm_mlp_TD);

  // Attention.
  gemm_.input_grad(dnorm_TD_, dmid_TD_, w.o_DD);
  gemm_.weight_grad(g.o_DD, accumulate, dmid_TD_, saved.attention.out_THd);
  attention_.backward(dqkv_TW_, dnorm_TD_, saved.qkv_TW, batch, saved.attention);
  gemm_.input_grad(dnorm_TD_, dqkv_TW_, w.qkv_WD);
  at::Tensor& out = other(dx);
  ops::rmsnorm_backward(out, g.attn_norm_D, accumulate, dnorm_TD_, recompute_.norms, dmid_TD_, saved.x_TD,
                        saved.rstd_attn_T, w.attn_norm_D, norm_scratch_);
  gemm_.weight_grad(g.qkv_WD, accumulate, dqkv_TW_, saved.norm_attn_TD);
  return out;
}

void Llama::embed_backward(const at::Tensor& dx, at::Tensor& dtable_VD, bool accumulate,
                           const DeviceBatch& batch) {
  ops::embedding_backward(dtable_VD, accumulate, dx, batch.token_T);
}

}  // namespace sxb::engine::train
