// Matrix products of each precision, hot, with the fastest algorithm that cuBLASLt has.
#include "engine/gpu/product/gemm_case.h"
#include "engine/gpu/tests/test.h"

namespace sxb::engine::gpu {
namespace {

/// A run is long against the jitter of the clocks.
constexpr double kGemmRun_s = 0.03;

/// Squares that are large enough to fill the GPU; the wide types are slow, one size says all.
std::vector<GemmShape> shapes(Numeric numeric) {
  if (numeric == Numeric::kFp32 || numeric == Numeric::kFp64 || numeric == Numeric::kTf32)
    return {{8192, 8192, 8192}};
  return {{4096, 4096, 4096}, {8192, 8192, 8192}, {16384, 16384, 16384}};
}

void measure(Context& context, const Blas& blas, const CudaStream& stream, Numeric numeric,
             const GemmShape& shape) {
  GemmCase product(blas, numeric, shape, 1, stream);
  product.tune(blas, stream);
  const int calls = product.calls_for(kGemmRun_s);
  const Runs runs =
      repeat(context.suite, [&] { return timed_seconds(stream, calls, [&] { product.run(blas, stream); }); });
  context.emit({"gemm_" + std::string(name_of(numeric)), shape.text(), "TFLOP/s",
                runs.rates(shape.flops(), 1e12), runs.stable, product.count_wrong(stream), -1});
}

void run_gemm(Context& context) {
  const Blas blas;
  const CudaStream stream;
  for (const Numeric numeric :
       {Numeric::kBf16, Numeric::kFp16, Numeric::kTf32, Numeric::kFp32, Numeric::kFp64, Numeric::kFp8}) {
    const std::string test = "gemm_" + std::string(name_of(numeric));
    if (!has_numeric(numeric, context.facts.compute)) {
      context.waive(test,
                    "this GPU has none (compute capability " + std::to_string(context.facts.compute / 10) +
                        "." + std::to_string(context.facts.compute % 10) + ")",
                    -1);
      continue;
    }
    for (const GemmShape& shape : shapes(numeric)) measure(context, blas, stream, numeric, shape);
  }
}

}  // namespace

extern const Test kGemm;
const Test kGemm = {"gemm", needs_gpu, run_gemm};

}  // namespace sxb::engine::gpu
