// Every CUDA kernel against its CPU reference on the same fresh random inputs, in FP32 and BF16; the
// outputs are poisoned with NaN first, so an element that is not written fails.
#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "engine/train/device/device.h"
#include "engine/train/model/ops.h"

namespace sxb::engine::train {
namespace {

/// BF16 has 8 significant bits: one rounding is 2^-9 relative, a few of them stay below 1e-2. In FP32
/// the fast exponential of the device is the largest error.
double bound(at::ScalarType type) { return type == at::kBFloat16 ? 1e-2 : 5e-5; }

class Kernels : public testing::TestWithParam<at::ScalarType> {
 protected:
  at::Tensor random(at::IntArrayRef shape) { return at::randn(shape).to(GetParam()).to(at::kFloat); }
  at::Tensor gpu(const at::Tensor& t) { return t.to(at::Device(at::kCUDA, 0), GetParam()); }
  at::Tensor gpu_poison(at::IntArrayRef shape, std::optional<at::ScalarType> type = {}) {
    return at::empty(shape, at::TensorOptions().device(at::kCUDA).dtype(type.value_or(GetParam())))
        .fill_(NAN);
  }
  void expect_close(const at::Tensor& ours, const at::Tensor& reference, const char* what) {
    const at::Tensor a = ours.cpu().to(at::kDouble);
    const at::Tensor b = reference.to(at::kDouble);
    EXPECT_LE(((a - b).norm() / b.norm()).item<double>(), bound(GetParam())) << what;
  }
};

class RmsNorm : public Kernels {
 protected:
  void check(std::int64_t T, std::int64_t D) {
    SCOPED_TRACE("T " + std::to_string(T) + ", D " + std::to_string(D));
    const at::Tensor x = random({T, D}), delta = random({T, D}), w = random({D}), res = random({T, D});
    at::Tensor dout = random({T, D}), gdout = gpu(dout);
    at::Tensor out = at::empty({T, D}), sum = at::empty({T, D}), rstd = at::empty({T}),
               dx = at::empty({T, D});
    at::Tensor dw = random({D});
    at::Tensor gdw = gpu(dw), none;
    ops::rmsnorm(out, sum, rstd, x, delta, w, 1e-5);
    at::Tensor gout = gpu_poison({T, D}), gsum = gpu_poison({T, D}), grstd = gpu_poison({T}, at::kFloat),
               gdx = gpu_poison({T, D});
    ops::rmsnorm(gout, gsum, grstd, gpu(x), gpu(delta), gpu(w), 1e-5);
    expect_close(gout, out, "out");
    expect_close(gsum, sum, "sum");
    at::Tensor scratch = gpu_poison({ops::rmsnorm_scratch(D)}, at::kFloat);
    const at::Tensor dout_before = gdout.clone();
    ops::rmsnorm_backward(dx, dw, true, dout, false, res, sum, rstd, w, none);
    ops::rmsnorm_backward(gdx, gdw, true, gdout, false, gpu(res), gsum, grstd, gpu(w), scratch);
    expect_close(gdx, dx, "dx");
    expect_close(gdw, dw, "dweight accumulated");
    EXPECT_TRUE(gdout.equal(dout_before));
    // Without a residual, without accumulation, and with the output restored over dout.
    gdw.fill_(NAN), gdx.fill_(NAN), scratch.fill_(NAN);
    ops::rmsnorm_backward(dx, dw, false, dout, true, none, sum, rstd, w, none);
    ops::rmsnorm_backward(gdx, gdw, false, gdout, true, none, gsum, grstd, gpu(w), scratch);
    expect_close(gdx, dx, "dx without residual");
    expect_close(gdw, dw, "dweight");
    EXPECT_TRUE(gdout.equal(gout)) << "the forward's output, to the same bits";
    EXPECT_TRUE(dout.equal(out));
    // Without delta: sum stays as it is.
    gsum.fill_(NAN), gout.fill_(NAN);
    at::Tensor same;
    ops::rmsnorm(out, same, rstd, x, none, w, 1e-5);
    at::Tensor gsame;
    ops::rmsnorm(gout, gsame, grstd, gpu(x), none, gpu(w), 1e-5);
    expect_close(gout, out, "out without delta");
    expect_close(grstd, rstd, "rstd");
  }
};

// The models' widths, and those where threads or blocks are left over.
TEST_P(RmsNorm, ForwardAndBackwardAtModelWidths) {
  for (const std::int64_t D : {4096, 5120, 8192}) check(700, D);
}
TEST_P(RmsNorm, ForwardAndBackwardAtOddShapes) {
  for (const std::int64_t D : {8, 64, 200, 1000, 4104, 12288, 16384}) check(37, D);
  for (const std::int64_t T : {1, 15, 16, 17, 1025}) check(T, 512);
  check(16 * 1024 + 3, 64);  // more rows than blocks of the backward pass at their usual length
}

TEST_P(Kernels, SwiGlu) {
  for (const auto& [T, F] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {333, 1376}, {65, 11008}, {3, 13824}, {1, 28672}, {5, 8}, {2, 4096}, {7, 4104}}) {
    SCOPED_TRACE("T " + std::to_string(T) + ", F " + std::to_string(F));
    at::Tensor gate_up = random({T, 2 * F}), dout = random({T, F}), out = at::empty({T, F});
    gate_up[0][0] = -200, gate_up[0][1] = 200;  // the exponential overflows and underflows
    at::Tensor ggu = gpu(gate_up), gdout = gpu(dout), gout = gpu_poison({T, F});
    ops::swiglu(out, gate_up);
    ops::swiglu(gout, ggu);
    expect_close(gout, out, "out");
    for (const bool restore : {false, true}) {
      at::Tensor g = dout.clone(), gg = gdout.clone(), gate_up_grad = gate_up.clone(), ggu_grad = ggu.clone();
      ops::swiglu_backward(gate_up_grad, g, restore);
      ops::swiglu_backward(ggu_grad, gg, restore);
      expect_close(ggu_grad, gate_up_grad, "dgate_up");
      EXPECT_TRUE(gg.equal(restore ? gout : gdout));  // the forward's product, to the same bits
      EXPECT_TRUE(g.equal(restore ? out : dout));
    }
  }
}

TEST_P(Kernels, Embedding) {
  const std::int64_t T = 1000, V = 320, D = 512;
  const at::Tensor table = random({V, D}), dout = random({T, D});
  const at::Tensor token = at::randint(V, {T}).to(at::kInt), gtoken = token.cuda();
  at::Tensor out = at::empty({T, D}), gout = gpu_poison({T, D});
  ops::embedding(out, table, token);
  ops::embedding(gout, gpu(table), gtoken);
  expect_close(gout, out, "lookup");
  at::Tensor grad = random({V, D});
  at::Tensor ggrad = gpu(grad);
  ops::embedding_backward(grad, true, dout, token);
  ops::embedding_backward(ggrad, true, gpu(dout), gtoken);
  expect_close(ggrad, grad, "gradient accumulated");
}

TEST_P(Kernels, CrossEntropy) {
  for (const std::int64_t V : {8, 1000, 1024, 32000, 128256}) {
    const std::int64_t T = 65;
    SCOPED_TRACE(V);
    at::Tensor logits = random({T, V}), loss = at::empty({T}), target = at::randint(V, {T}).to(at::kInt);
    logits.mul_(5);
    target[3] = -1;
    at::Tensor glogits = gpu(logits), gloss = gpu_poison({T}, at::kFloat);
    logits = glogits.cpu().to(at::kFloat);
    ops::cross_entropy(logits, loss, target, 0.25);
    ops::cross_entropy(glogits, gloss, target.cuda(), 0.25);
    expect_close(glogits, logits, "gradient");
    expect_close(gloss, loss, "loss");
  }
}

class Rope : public Kernels {
 protected:
  void check(std::int64_t H, std::int64_t K, std::int64_t d);
};

void Rope::check(std::int64_t H, std::int64_t K, std::int64_t d) {
  SCOPED_TRACE("H " + std::to_string(H) + ", K " + std::to_string(K) + ", d " + std::to_string(d));
  const std::int64_t B = 2, S = 21, T = B * S, W = (H + 2 * K) * d;
  at::Tensor qkv = random({T, W});
  at::Tensor table = at::empty({S, d / 2, 2});
  for (std::int64_t p = 0; p < S; ++p) {
    for (std::int64_t i = 0; i < d / 2; ++i) {
      const double angle =
          static_cast<double>(p) * std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(d));
      table[p][i][0] = std::cos(angle), table[p][i][1] = std::sin(angle);
    }
  }
  const at::Tensor position = at::randint(S, {T}).to(at::kInt), gposition = position.cuda(),
                   gtable = table.cuda();
  at::Tensor gqkv = gpu(qkv), gdqkv = gpu_poison({T, W});
  const auto type = GetParam() == at::kBFloat16 ? kernels::Type::kBFloat16 : kernels::Type::kFloat32;
  kernels::Stream stream = c10::cuda::getCurrentCUDAStream().stream();
  // Gradients as an attention library gives them: (B, heads, S, d), here stored (B, S, heads, d).
  const at::Tensor heads = gqkv.clone().view({T, H + 2 * K, d});
  const at::Tensor dq = heads.narrow(1, 0, H).contiguous(), dk = heads.narrow(1, H, K).contiguous(),
                   dv = heads.narrow(1, H + K, K).contiguous();
  const auto strided = [&](const at::Tensor& t) {
    return kernels::cuda::Strided{t.data_ptr(), S * t.size(1) * d, t.size(1) * d, d};
  };
  kernels::cuda::rope_backward_gather(type, gdqkv.data_ptr(), strided(dq), strided(dk), strided(dv),
                                      gposition.data_ptr<int>(), gtable.data_ptr<float>(), B, S, H, K, d,
                                      stream);
  kernels::cuda::rope_forward(type, gqkv.data_ptr(), gposition.data_ptr<int>(), gtable.data_ptr<float>(), T,
                              H, K, d, stream);
  at::Tensor back = qkv.clone();
  kernels::cpu::rope_forward(qkv.data_ptr<float>(), position.data_ptr<int>(), table.data_ptr<float>(), T, H,
                             K, d);
  kernels::cpu::rope_backward(back.data_ptr<float>(), position.data_ptr<int>(), table.data_ptr<float>(), T, H,
                              K, d);
  expect_close(gqkv, qkv, "forward");
  expect_close(gdqkv, back, "backward");
}

TEST_P(Rope, ForwardAndBackwardGatherAtModelShapes) {
  check(32, 32, 128);
  check(40, 40, 128);
  check(64, 8, 128);
}
TEST_P(Rope, ForwardAndBackwardGatherAtOddShapes) {
  check(4, 2, 16);
  check(3, 1, 64);
  check(5, 5, 80);
  check(1, 1, 256);
}

class Optimizer : public Kernels {
 protected:
  void check(std::int64_t n);
};
TEST_P(Optimizer, AdamWAndTheGradientNorm) {
  for (const std::int64_t n : {128, 128 * 1023, 1 << 20, 128 * 12345}) check(n);
}

void Optimizer::check(std::int64_t n) {
  SCOPED_TRACE(n);
  at::Tensor grad = random({n});
  grad.narrow(0, 0, 64).zero_();
  at::Tensor master = at::randn({n}), m = at::randn({n}).mul(0.1).masked_fill(at::arange(n).lt(64), 0),
             v = at::rand({n}), param = at::empty({n});
  v.narrow(0, 0, 64).zero_();  // no gradient yet: the root is 0
  at::Tensor gmaster = master.cuda(), gm = m.cuda(), gv = v.cuda(), gparam = gpu_poison({n});
  const at::Tensor scale = at::full({1}, 0.5), gscale = scale.cuda(), ggrad = gpu(grad);
  const kernels::AdamW c(0.9, 0.999, 1e-8, 0.1);
  const at::Tensor step = at::tensor({1e-2f, 0.19f, 0.002f}), gstep = step.cuda();  // an AdamWStep
  const auto scalars = [](const at::Tensor& t) {
    return reinterpret_cast<const kernels::AdamWStep*>(t.data_ptr<float>());
  };
  const auto type = GetParam() == at::kBFloat16 ? kernels::Type::kBFloat16 : kernels::Type::kFloat32;
  kernels::Stream stream = c10::cuda::getCurrentCUDAStream().stream();
  kernels::cpu::adamw(param.data_ptr<float>(), master.data_ptr<float>(), m.data_ptr<float>(),
                      v.data_ptr<float>(), grad.data_ptr<float>(), scale.data_ptr<float>(), scalars(step), c,
                      n);
  kernels::cuda::adamw(type, gparam.data_ptr(), gmaster.data_ptr<float>(), gm.data_ptr<float>(),
                       gv.data_ptr<float>(), type, ggrad.data_ptr(), gscale.data_ptr<float>(), scalars(gstep),
                       c, n, stream);
  expect_close(gmaster, master, "master");
  expect_close(gm, m, "m");
  expect_close(gv, v, "v");
  expect_close(gparam, param, "param");

  double sum = 1.0;
  at::Tensor gsum = at::full({1}, 1.0, at::TensorOptions().dtype(at::kDouble).device(at::kCUDA));
  at::Tensor partial = gpu_poison({kernels::cuda::kSumOfSquaresScratch}, at::kFloat);
  kernels::cpu::sum_of_squares(&sum, grad.data_ptr<float>(), n);
  kernels::cuda::sum_of_squares(type, gsum.data_ptr<double>(), ggrad.data_ptr(), partial.data_ptr<float>(), n,
                                stream);
  EXPECT_NEAR(gsum.item<double>() / sum, 1.0, 1e-5);

  const double sums[3] = {16.0, 30.0, 10.0};
  float expected[3];
  kernels::cpu::gradient_scale(expected, sums, 0.1, 1.0);
  at::Tensor gsums = at::empty({3}, at::kDouble);
  std::copy(sums, sums + 3, gsums.data_ptr<double>());
  gsums = gsums.cuda();
  at::Tensor results = gpu_poison({3}, at::kFloat);
  kernels::cuda::gradient_scale(results.data_ptr<float>(), gsums.data_ptr<double>(), 0.1, 1.0, stream);
  const at::Tensor host = results.cpu();
  for (int i = 0; i < 3; ++i) EXPECT_FLOAT_EQ(host.data_ptr<float>()[i], expected[i]);
}

TEST(InitNormalOnGpu, EqualsTheReference) {
  at::Tensor ours = at::empty({4096}, at::TensorOptions().device(at::kCUDA)), reference = at::empty({4096});
  kernels::cpu::init_normal(reference.data_ptr<float>(), 42, 1ULL << 33, 0.02f, 4096);
  kernels::cuda::init_normal(ours.data_ptr<float>(), 42, 1ULL << 33, 0.02f, 4096,
                             c10::cuda::getCurrentCUDAStream().stream());
  EXPECT_LE((ours.cpu() - reference).abs().max().item<float>(), 1e-7f);
}

std::string type_name(const testing::TestParamInfo<at::ScalarType>& info) {
  return info.param == at::kFloat ? "FP32" : "BF16";
}
const auto kTypes = testing::Values(at::kFloat, at::kBFloat16);
INSTANTIATE_TEST_SUITE_P(Types, Kernels, kTypes, type_name);
INSTANTIATE_TEST_SUITE_P(Types, RmsNorm, kTypes, type_name);
INSTANTIATE_TEST_SUITE_P(Types, Rope, kTypes, type_name);
INSTANTIATE_TEST_SUITE_P(Types, Optimizer, kTypes, type_name);

}  // namespace
}  // namespace sxb::engine::train
