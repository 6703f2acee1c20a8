// FP32 product on the CPU cores of a rank: what shows that the whole path works where there is no GPU.
#include <chrono>
#include <cmath>

#include "engine/gpu/product/host_product.h"
#include "engine/gpu/tests/test.h"

namespace sxb::engine::gpu {
namespace {

constexpr std::int64_t kSize = 1024;
constexpr std::int64_t kRowsChecked = 8;

/// Some rows against FP64, with the bound of a sum of n products in FP32.
std::int64_t count_wrong(const std::vector<float>& y, const std::vector<float>& x,
                         const std::vector<float>& w) {
  std::int64_t wrong = 0;
  for (std::int64_t sample = 0; sample < kRowsChecked; ++sample) {
    const std::int64_t row = sample * kSize / kRowsChecked;
    std::vector<double> exact(kSize), absolute(kSize);
    for (std::int64_t k = 0; k < kSize; ++k) {
      const double factor = static_cast<double>(x[static_cast<std::size_t>(row * kSize + k)]);
      for (std::int64_t column = 0; column < kSize; ++column) {
        const double product = factor * static_cast<double>(w[static_cast<std::size_t>(k * kSize + column)]);
        exact[static_cast<std::size_t>(column)] += product;
        absolute[static_cast<std::size_t>(column)] += std::abs(product);
      }
    }
    for (std::int64_t column = 0; column < kSize; ++column) {
      const auto at = static_cast<std::size_t>(column);
      const double error =
          std::abs(static_cast<double>(y[static_cast<std::size_t>(row * kSize + column)]) - exact[at]);
      wrong += error <= 0x1p-24 * static_cast<double>(kSize) * absolute[at] ? 0 : 1;
    }
  }
  return wrong;
}

void run_host_gemm(Context& context) {
  constexpr std::int64_t kCount = kSize * kSize;
  const std::vector<float> x = host_operand(kCount, 1), w = host_operand(kCount, 2);
  std::vector<float> y(static_cast<std::size_t>(kCount));
  host_product(y.data(), x.data(), w.data(), kSize);
  const Runs runs = repeat(context.suite, [&] {
    const auto begin = std::chrono::steady_clock::now();
    host_product(y.data(), x.data(), w.data(), kSize);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  });
  const double flops =
      2.0 * static_cast<double>(kSize) * static_cast<double>(kSize) * static_cast<double>(kSize);
  context.emit({"host_gemm_fp32",
                "1024 x 1024 x 1024, host, " + std::to_string(context.task.cpu_threads) + " threads",
                "TFLOP/s", runs.rates(flops, 1e12), runs.stable, count_wrong(y, x, w), -1});
}

}  // namespace

extern const Test kHostGemm;
const Test kHostGemm = {"host_gemm", needs_cpu, run_host_gemm};

}  // namespace sxb::engine::gpu
