// The most that a matrix product reaches, over shapes ("maximum achievable matmul FLOPS"): a short look at
// many shapes, in an order that is the same everywhere, then the best of them measured like any other figure.
#include <algorithm>

#include "base/clock.h"
#include "engine/gpu/product/gemm_case.h"
#include "engine/gpu/tests/test.h"

namespace sxb::engine::gpu {
namespace {

constexpr double kLook_s = 0.02, kBestRun_s = 0.03;
constexpr std::int64_t kBudgetNs = 10'000'000'000;  ///< for the looks of one precision
constexpr std::size_t kFinalists = 3;

std::vector<GemmShape> grid() {
  std::vector<GemmShape> shapes;
  for (const std::int64_t K : {4096, 8192, 2048, 16384}) {
    for (const std::int64_t M : {8192, 4096, 16384, 12288, 6144, 2048}) {
      for (const std::int64_t N : {8192, 16384, 4096, 10240, 2048}) shapes.push_back({M, N, K});
    }
  }
  return shapes;
}

struct Look {
  GemmShape shape;
  double flops_per_s;
};

std::vector<Look> look_at_all(const Blas& blas, const CudaStream& stream, Numeric numeric) {
  std::vector<Look> looks;
  const std::int64_t until = monotonic_ns() + kBudgetNs;
  for (const GemmShape& shape : grid()) {
    if (monotonic_ns() > until) break;
    const GemmCase product(blas, numeric, shape, 1, stream);
    const auto call = [&] { product.run(blas, stream); };
    timed_seconds(stream, 1, call);
    const double once = timed_seconds(stream, 2, call);
    const double seconds = timed_seconds(stream, std::max(1, static_cast<int>(kLook_s / once)), call);
    looks.push_back({shape, shape.flops() / seconds});
  }
  std::stable_sort(looks.begin(), looks.end(),
                   [](const Look& a, const Look& b) { return a.flops_per_s > b.flops_per_s; });
  return looks;
}

void run_gemm_max(Context& context) {
  const Blas blas;
  const CudaStream stream;
  for (const Numeric numeric : {Numeric::kBf16, Numeric::kFp8}) {
    if (!has_numeric(numeric, context.facts.compute)) continue;  // gemm says so
    const std::vector<Look> looks = look_at_all(blas, stream, numeric);
    Figure best;
    double best_rate = 0;
    for (std::size_t i = 0; i < std::min(kFinalists, looks.size()); ++i) {
      const GemmShape& shape = looks[i].shape;
      GemmCase product(blas, numeric, shape, 1, stream);
      product.tune(blas, stream);
      const int calls = product.calls_for(kBestRun_s);
      const Runs runs = repeat(
          context.suite, [&] { return timed_seconds(stream, calls, [&] { product.run(blas, stream); }); });
      Figure figure{"gemm_max_" + std::string(name_of(numeric)),
                    shape.text(),
                    "TFLOP/s",
                    runs.rates(shape.flops(), 1e12),
                    runs.stable,
                    product.count_wrong(stream),
                    -1};
      std::vector<double> sorted = figure.values;
      std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2),
                       sorted.end());
      const double middle = sorted[sorted.size() / 2];
      if (middle <= best_rate && *figure.wrong == 0) continue;
      best_rate = middle;
      best = std::move(figure);
      if (*best.wrong > 0) break;  // a wrong result is told, however fast another shape is
    }
    context.emit(best);
  }
}

}  // namespace

extern const Test kGemmMax;
const Test kGemmMax = {"gemm_max", needs_gpu, run_gemm_max};

}  // namespace sxb::engine::gpu
