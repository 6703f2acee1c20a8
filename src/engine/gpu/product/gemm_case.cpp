#include "engine/gpu/product/gemm_case.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sxb::engine::gpu {
namespace {

using kernels::cuda::Element;

struct NumericInfo {
  Numeric numeric;
  const char* name;
  Element in, out;
  int compute;     ///< least compute capability
  double out_eps;  ///< rounding of the result
  double sum_eps;  ///< error of the sum of K products, times sum |x w|; for K of a few ten thousand
};

// FP32 accumulators of tensor cores truncate: 2^-23 for each of K / 16 additions, K <= 2^16. With fast
// accumulation FP8 keeps about 13 bits between promotions. TF32 rounds both operands to 10 bits.
constexpr std::array<NumericInfo, 6> kNumerics = {{
    {Numeric::kBf16, "bf16", Element::kBf16, Element::kBf16, 80, 0x1p-8, 0x1p-11},
    {Numeric::kFp16, "fp16", Element::kFp16, Element::kFp16, 70, 0x1p-11, 0x1p-11},
    {Numeric::kFp8, "fp8", Element::kFp8E4m3, Element::kBf16, 89, 0x1p-8, 0x1p-9},
    {Numeric::kTf32, "tf32", Element::kFp32, Element::kFp32, 80, 0x1p-23, 0x1p-9},
    {Numeric::kFp32, "fp32", Element::kFp32, Element::kFp32, 0, 0x1p-23, 0x1p-11},
    {Numeric::kFp64, "fp64", Element::kFp64, Element::kFp64, 0, 0x1p-52, 0x1p-40},
}};

const NumericInfo& info_of(Numeric numeric) {
  return *std::find_if(kNumerics.begin(), kNumerics.end(),
                       [&](const NumericInfo& info) { return info.numeric == numeric; });
}

std::int64_t bytes_of(Element element) {
  switch (element) {
    case Element::kFp8E4m3:
      return 1;
    case Element::kBf16:
    case Element::kFp16:
      return 2;
    case Element::kFp32:
      return 4;
    case Element::kFp64:
      return 8;
  }
  return 0;
}

/// FP8 spreads normal values over its range; the product is scaled back by the square.
constexpr float kFp8Scale = 64;

constexpr double kHeat_s = 0.3;    ///< GPUs reach their power cap within a second of the tests before
constexpr double kTimed_s = 0.05;  ///< for each candidate
constexpr double kHopeless = 1.1;
/// cuBLASLt's first choice stays where no other is faster by more than the noise of a GPU at its power cap.
constexpr double kNoise = 0.01;

}  // namespace

const char* name_of(Numeric numeric) { return info_of(numeric).name; }

Numeric parse_numeric(const std::string& name) {
  std::vector<std::string> known;
  for (const NumericInfo& info : kNumerics) {
    if (name == info.name) return info.numeric;
    known.emplace_back(info.name);
  }
  throw EngineError("precision \"" + name + "\" is not known", "bad_argument", suggest(name, known),
                    ExitCode::kUsage);
}

bool has_numeric(Numeric numeric, int compute) { return compute >= info_of(numeric).compute; }

Blas::Blas() { check_cublas(cublasLtCreate(&handle_), "cublasLtCreate"); }
Blas::~Blas() { cublasLtDestroy(handle_); }

std::string GemmShape::text() const {
  return std::to_string(M) + " x " + std::to_string(N) + " x " + std::to_string(K);
}

GemmCase::GemmCase(const Blas& blas, Numeric numeric, const GemmShape& shape, std::uint64_t seed,
                   cudaStream_t stream)
    : numeric_(numeric),
      shape_(shape),
      x_(shape.M * shape.K * bytes_of(info_of(numeric).in)),
      w_(shape.N * shape.K * bytes_of(info_of(numeric).in)),
      y_(result_bytes()),
      scale_(sizeof(float)) {
  const NumericInfo& info = info_of(numeric);
  const bool fp8 = numeric == Numeric::kFp8;
  const float spread = fp8 ? kFp8Scale : 1;
  using kernels::cuda::normal_fill;
  check_launch(normal_fill(x_.data(), info.in, shape.M * shape.K, 2 * seed, spread, stream), "normal_fill");
  check_launch(normal_fill(w_.data(), info.in, shape.N * shape.K, 2 * seed + 1, spread, stream),
               "normal_fill");
  matmul_ = std::make_unique<Matmul>(Product::linear(shape.M, shape.N, shape.K, numeric));
  if (fp8) {
    const float back = 1 / spread;  // of each operand
    SXB_CUDA(cudaMemcpyAsync(scale_.data(), &back, sizeof back, cudaMemcpyHostToDevice, stream));
    matmul_->set_scales(scale_.as<float>(), scale_.as<float>());
  }
  SXB_CUDA(cudaStreamSynchronize(stream));
  algorithms_ = matmul_->candidates(blas.handle());
  if (algorithms_.empty()) {
    throw EngineError("cuBLASLt has no algorithm for " + std::string(info.name) + " " + shape.text(),
                      "cublas_error", "use dimensions that are multiples of 16");
  }
}

std::int64_t GemmCase::result_bytes() const { return shape_.M * shape_.N * bytes_of(info_of(numeric_).out); }

void GemmCase::run(const Blas& blas, cudaStream_t stream, void* y) const {
  matmul_->run(blas.handle(), algorithms_[chosen_], w_.data(), x_.data(), y == nullptr ? y_.data() : y,
               blas.workspace(), stream);
}

int GemmCase::calls_for(double seconds) const { return std::max(1, static_cast<int>(seconds / call_s_)); }

void GemmCase::tune(const Blas& blas, const CudaStream& stream) {
  const auto time = [&](std::size_t algorithm, double seconds) {
    chosen_ = algorithm;
    return timed_seconds(stream, calls_for(seconds), [&] { run(blas, stream); });
  };
  time(0, 0);  // loads the kernel
  call_s_ = time(0, 0);
  time(0, kHeat_s);
  std::vector<double> once(algorithms_.size());
  for (std::size_t i = 0; i < once.size(); ++i) {
    time(i, 0);
    once[i] = time(i, 0);
  }
  const double least = *std::min_element(once.begin(), once.end());
  std::size_t best = 0;
  const double first_s = time(0, kTimed_s);
  double best_s = first_s;
  for (std::size_t i = 1; i < once.size(); ++i) {
    if (once[i] > kHopeless * least) continue;
    const double seconds = time(i, kTimed_s);
    if (seconds < best_s && seconds < (1 - kNoise) * first_s) best = i, best_s = seconds;
  }
  chosen_ = best;
  call_s_ = best_s;
}

std::int64_t GemmCase::count_wrong(cudaStream_t stream) const {
  constexpr std::int64_t kRows = 16;
  const NumericInfo& info = info_of(numeric_);
  const double spread = numeric_ == Numeric::kFp8 ? kFp8Scale : 1;
  WrongCounter wrong(stream);
  const kernels::cuda::ProductCheck check{y_.data(),
                                          x_.data(),
                                          w_.data(),
                                          info.out,
                                          info.in,
                                          shape_.M,
                                          shape_.N,
                                          shape_.K,
                                          std::min(kRows, shape_.M),
                                          1 / (spread * spread),
                                          info.out_eps,
                                          info.sum_eps};
  check_launch(kernels::cuda::product_check(check, wrong.device(), stream), "product_check");
  return wrong.take();
}

}  // namespace sxb::engine::gpu
