// One decoder block of the 7B and 70B shapes in BF16 on the GPU against the same block in FP64
// (ATen with autograd): output and every gradient, with whole rows and with packed documents.
// Bound: ||ours - reference|| / ||reference|| <= 1e-2.
#include <torch/torch.h>

#include <c10/cuda/CUDACachingAllocator.h>
#include <gtest/gtest.h>

#include <map>

#include "engine/support/ranks.h"
#include "engine/train/model/llama.h"

namespace sxb::engine::train {
namespace {

constexpr double kBound = 1e-2;

config::Architecture shape(std::int64_t hidden, std::int64_t ffn, std::int64_t heads, std::int64_t kv_heads) {
  config::Architecture a;
  a.hidden = hidden, a.ffn = ffn, a.heads = heads, a.kv_heads = kv_heads, a.layers = 1, a.vocab = 1024;
  return a;
}

/// Documents start at `starts` in every row of seq_len tokens.
DeviceBatch make_batch(std::int64_t rows, std::int64_t seq_len, const std::vector<std::int64_t>& starts) {
  std::vector<std::int32_t> position, start;
  DeviceBatch batch;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::size_t d = 0; d < starts.size(); ++d) {
      const std::int64_t end = d + 1 < starts.size() ? starts[d + 1] : seq_len;
      start.push_back(static_cast<std::int32_t>(r * seq_len + starts[d]));
      batch.max_document = std::max(batch.max_document, end - starts[d]);
      for (std::int64_t t = starts[d]; t < end; ++t)
        position.push_back(static_cast<std::int32_t>(t - starts[d]));
    }
  }
  start.push_back(static_cast<std::int32_t>(rows * seq_len));
  batch.rows = rows, batch.seq_len = seq_len;
  batch.position_T = torch::tensor(position, at::kInt).cuda();
  batch.start = torch::tensor(start, at::kInt).cuda();
  batch.documents = static_cast<std::int64_t>(start.size()) - 1;
  batch.whole_rows = starts.size() == 1;
  return batch;
}

at::Tensor rmsnorm(const at::Tensor& x, const at::Tensor& w, double eps) {
  return x * (x.pow(2).mean(-1, true) + eps).rsqrt() * w;
}

at::Tensor rotate(const at::Tensor& x_THd, const at::Tensor& position, double theta) {
  const std::int64_t half = x_THd.size(2) / 2;
  const at::Tensor inverse = at::pow(theta, -at::arange(half, position.options().dtype(at::kDouble)) / half);
  const at::Tensor angle = position.to(at::kDouble).unsqueeze(1) * inverse;
  const at::Tensor c = angle.cos().unsqueeze(1);
  const at::Tensor s = angle.sin().unsqueeze(1);
  const at::Tensor a = x_THd.narrow(2, 0, half);
  const at::Tensor b = x_THd.narrow(2, half, half);
  return at::cat({a * c - b * s, b * c + a * s}, 2);
}

/// The block in double: x_TD -> x_TD.
at::Tensor reference_block(const at::Tensor& x, std::map<std::string, at::Tensor>& w,
                           const config::Architecture& a, const DeviceBatch& batch) {
  const std::int64_t T = x.size(0), H = a.heads, K = a.kv_heads, d = a.head_dim();
  const at::Tensor qkv =
      rmsnorm(x, w.at("attn_norm"), a.norm_eps).matmul(w.at("qkv").t()).view({T, H + 2 * K, d});
  const at::Tensor q = rotate(qkv.narrow(1, 0, H), batch.position_T, a.rope_theta).transpose(0, 1);
  const at::Tensor k =
      rotate(qkv.narrow(1, H, K), batch.position_T, a.rope_theta).transpose(0, 1).repeat_interleave(H / K, 0);
  const at::Tensor v = qkv.narrow(1, H + K, K).transpose(0, 1).repeat_interleave(H / K, 0);
  const at::Tensor token = at::arange(T, batch.start.options());
  const at::Tensor document = at::bucketize(token, batch.start, false, /*right=*/true);
  const at::Tensor visible =
      document.unsqueeze(1).eq(document.unsqueeze(0)) & token.unsqueeze(1).ge(token.unsqueeze(0));
  const at::Tensor scores = q.matmul(k.transpose(1, 2)) / std::sqrt(static_cast<double>(d));
  const at::Tensor p = scores.masked_fill(~visible, -INFINITY).softmax(-1);
  const at::Tensor mid = x + p.matmul(v).transpose(0, 1).reshape({T, H * d}).matmul(w.at("o").t());
  const at::Tensor gate_up = rmsnorm(mid, w.at("mlp_norm"), a.norm_eps).matmul(w.at("gate_up").t());
  const at::Tensor product = at::silu(gate_up.narrow(1, 0, a.ffn)) * gate_up.narrow(1, a.ffn, a.ffn);
  return mid + product.matmul(w.at("down").t());
}

double relative_error(const at::Tensor& ours, const at::Tensor& reference) {
  return ((ours.to(at::kDouble) - reference).norm() / reference.norm()).item<double>();
}

void check_block(const config::Architecture& arch, const std::vector<std::int64_t>& starts,
                 const config::Recompute& recompute = {false}) {
  torch::manual_seed(1);
  const std::int64_t rows = 2, seq_len = 512, T = rows * seq_len;
  const Device device = Device::make(true, true);
  const c10::cuda::CUDAStreamGuard stream(*device.compute_stream);
  const DeviceBatch batch = make_batch(rows, seq_len, starts);
  const Layout layout = make_layout(arch, 1);
  // 0.02 at 7B; the same scale of activations and scores at any width.
  const double std = 0.02 * std::sqrt(4096.0 / static_cast<double>(arch.hidden));
  at::Tensor flat = device.empty({layout.units[1].numel}).normal_(0, std);
  const BlockView w = block_view(layout, flat);
  w.attn_norm_D.normal_(1, 0.1), w.mlp_norm_D.normal_(1, 0.1);
  at::Tensor grads_flat = device.empty({layout.units[1].numel}).fill_(NAN);  // poisoned: all must be written
  const BlockView g = block_view(layout, grads_flat);
  const at::Tensor x = device.empty({T, arch.hidden}).normal_();
  const at::Tensor dy = device.empty({T, arch.hidden}).normal_();

  at::Tensor out, dx;
  {
    const c10::InferenceMode no_autograd;
    Llama llama(layout, device, T, seq_len, recompute);
    const Residual r = llama.block(0, {x, at::Tensor()}, w, batch);
    out = r.x_TD + r.delta_TD;
    dx = llama.block_backward(0, dy, w, g, false, batch).clone();
  }

  std::map<std::string, at::Tensor> weights = {
      {"attn_norm", w.attn_norm_D}, {"qkv", w.qkv_WD},          {"o", w.o_DD},
      {"mlp_norm", w.mlp_norm_D},   {"gate_up", w.gate_up_2FD}, {"down", w.down_DF}};
  for (auto& [name, t] : weights) t = t.to(at::kDouble).requires_grad_();
  const at::Tensor x64 = x.to(at::kDouble).requires_grad_();
  const at::Tensor out64 = reference_block(x64, weights, arch, batch);
  out64.backward(dy.to(at::kDouble));

  const auto check = [](const char* name, const at::Tensor& ours, const at::Tensor& reference) {
    const double error = relative_error(ours, reference);
    std::printf("  %-10s %.2e\n", name, error);
    EXPECT_LE(error, kBound) << name;  // NaN fails
  };
  check("out", out, out64.detach());
  check("dx", dx, x64.grad());
  check("attn_norm", g.attn_norm_D, weights.at("attn_norm").grad());
  check("qkv", g.qkv_WD, weights.at("qkv").grad());
  check("o", g.o_DD, weights.at("o").grad());
  check("mlp_norm", g.mlp_norm_D, weights.at("mlp_norm").grad());
  check("gate_up", g.gate_up_2FD, weights.at("gate_up").grad());
  check("down", g.down_DF, weights.at("down").grad());
}

const config::Architecture k7B = shape(4096, 11008, 32, 32);
const config::Architecture k70B = shape(8192, 28672, 64, 8);  // grouped-query attention
const std::vector<std::int64_t> kPacked = {0, 100, 101, 300};

TEST(BlockOnGpu, WholeRows7B) { check_block(k7B, {0}); }
TEST(BlockOnGpu, PackedDocuments7B) { check_block(k7B, kPacked); }
TEST(BlockOnGpu, WholeRowsGroupedQueries70B) { check_block(k70B, {0}); }
TEST(BlockOnGpu, PackedDocumentsGroupedQueries70B) { check_block(k70B, kPacked); }
TEST(BlockOnGpu, RecomputedNormsAndSwiGlu7B) { check_block(k7B, kPacked, {false, true, true, false}); }
TEST(BlockOnGpu, RecomputedBlocks7B) { check_block(k7B, kPacked, {false, false, false, true}); }

}  // namespace
}  // namespace sxb::engine::train
