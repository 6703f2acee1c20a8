#include "engine/blas/matmul.h"

#include <array>

#include "engine/base/cuda_check.h"

namespace sxb::engine {
namespace {

struct Types {
  cudaDataType_t in, out, scale;
  cublasComputeType_t compute;
};

Types types_of(Numeric numeric) {
  switch (numeric) {
    case Numeric::kBf16:
      return {CUDA_R_16BF, CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F};
    case Numeric::kFp16:
      return {CUDA_R_16F, CUDA_R_16F, CUDA_R_32F, CUBLAS_COMPUTE_32F};
    case Numeric::kFp8:
      return {CUDA_R_8F_E4M3, CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F};
    case Numeric::kTf32:
      return {CUDA_R_32F, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32};
    case Numeric::kFp32:
      return {CUDA_R_32F, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F};
    case Numeric::kFp64:
      return {CUDA_R_64F, CUDA_R_64F, CUDA_R_64F, CUBLAS_COMPUTE_64F};
  }
  throw EngineError("a product of unknown type", "bad_argument", "this is a defect of sxbench",
                    ExitCode::kUsage);
}

void create_layout(cublasLtMatrixLayout_t* matrix, cudaDataType_t type, std::int64_t rows,
                   std::int64_t cols) {
  check_cublas(cublasLtMatrixLayoutCreate(matrix, type, static_cast<std::uint64_t>(rows),
                                          static_cast<std::uint64_t>(cols), rows),
               "cublasLtMatrixLayoutCreate");
}

}  // namespace

void check_cublas(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw_if_gpu_is_broken(call, __FILE__, __LINE__);
  throw EngineError(std::string(cublasLtGetStatusString(status)) + " from " + call, "cublas_error",
                    "see the rank's log; a fault of the GPU or its driver is likely");
}

Matmul::Matmul(const Product& product) : product_(product) {
  const Product& p = product_;
  const Types types = types_of(p.numeric);
  const auto set = [this](cublasLtMatmulDescAttributes_t attribute, const auto& value, const char* name) {
    check_cublas(cublasLtMatmulDescSetAttribute(operation_, attribute, &value, sizeof value), name);
  };
  check_cublas(cublasLtMatmulDescCreate(&operation_, types.compute, types.scale), "cublasLtMatmulDescCreate");
  set(CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, "TRANSA");
  set(CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, "TRANSB");
  if (p.numeric == Numeric::kFp8) set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, std::int8_t{1}, "FAST_ACCUM");
  create_layout(&a_, types.in, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k);
  create_layout(&b_, types.in, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n);
  create_layout(&c_, types.out, p.m, p.n);
}

Matmul::~Matmul() {
  for (cublasLtMatrixLayout_t matrix : {a_, b_, c_}) {
    if (matrix != nullptr) cublasLtMatrixLayoutDestroy(matrix);
  }
  if (operation_ != nullptr) cublasLtMatmulDescDestroy(operation_);
}

void Matmul::set_scales(const float* a, const float* b) {
  check_cublas(cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &a, sizeof a),
               "A_SCALE_POINTER");
  check_cublas(cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &b, sizeof b),
               "B_SCALE_POINTER");
}

std::vector<cublasLtMatmulAlgo_t> Matmul::candidates(cublasLtHandle_t handle) const {
  cublasLtMatmulPreference_t preference = nullptr;
  check_cublas(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
  std::array<cublasLtMatmulHeuristicResult_t, kMatmulCandidates> results{};
  int found = 0;
  cublasStatus_t status =
      cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                           &kMatmulWorkspaceBytes, sizeof kMatmulWorkspaceBytes);
  if (status == CUBLAS_STATUS_SUCCESS) {
    status = cublasLtMatmulAlgoGetHeuristic(handle, operation_, a_, b_, c_, c_, preference, kMatmulCandidates,
                                            results.data(), &found);
  }
  cublasLtMatmulPreferenceDestroy(preference);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return {};
  check_cublas(status, "cublasLtMatmulAlgoGetHeuristic");
  std::vector<cublasLtMatmulAlgo_t> algorithms;
  for (int i = 0; i < found; ++i) algorithms.push_back(results[static_cast<std::size_t>(i)].algo);
  return algorithms;
}

void Matmul::run(cublasLtHandle_t handle, const cublasLtMatmulAlgo_t& algorithm, const void* a, const void* b,
                 void* c, void* workspace, Stream stream) const {
  const float alpha = 1, beta = product_.accumulate ? 1 : 0;
  const double alpha64 = alpha, beta64 = beta;
  const bool fp64 = product_.numeric == Numeric::kFp64;
  const void* scale_a = fp64 ? static_cast<const void*>(&alpha64) : &alpha;
  const void* scale_c = fp64 ? static_cast<const void*>(&beta64) : &beta;
  check_cublas(cublasLtMatmul(handle, operation_, scale_a, a, a_, b, b_, scale_c, c, c_, c, c_, &algorithm,
                              workspace, kMatmulWorkspaceBytes, static_cast<cudaStream_t>(stream)),
               "cublasLtMatmul");
}

}  // namespace sxb::engine
