// Includes torch: no fmt, spdlog or json here.
#include "engine/locate/matmul.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace sxb::engine::locate {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kSide = 8192;
constexpr double kFlop = 2.0 * kSide * kSide * kSide;
constexpr int kWarmUp = 3;

void wait_for_gpu() {
  const auto& hooks = at::detail::getCUDAHooks();
  hooks.deviceSynchronize(hooks.getCurrentDevice());
}

}  // namespace

double matmul_tflops(double seconds) {
  const at::NoGradGuard no_grad;
  const auto options = at::TensorOptions(at::kBFloat16).device(at::kCUDA);
  const at::Tensor a = at::randn({kSide, kSide}, options);
  const at::Tensor b = at::randn({kSide, kSide}, options);
  at::Tensor product = at::empty({kSide, kSide}, options);
  for (int i = 0; i < kWarmUp; ++i) at::mm_out(product, a, b);
  wait_for_gpu();
  std::vector<double> times;
  const auto begin = Clock::now();
  do {
    const auto started = Clock::now();
    at::mm_out(product, a, b);
    wait_for_gpu();
    times.push_back(std::chrono::duration<double>(Clock::now() - started).count());
  } while (std::chrono::duration<double>(Clock::now() - begin).count() < seconds);
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return kFlop / *middle * 1e-12;
}

}  // namespace sxb::engine::locate
