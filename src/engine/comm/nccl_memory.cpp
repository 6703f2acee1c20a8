#include "engine/comm/nccl_memory.h"

#include <nccl.h>

#include <utility>

#include "engine/comm/cuda_check.h"

namespace sxb::engine {

NcclMemory::NcclMemory(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(bytes);
  if (ncclMemAlloc(&data_, size) == ncclSuccess && data_ != nullptr) return;
  static_cast<void>(cudaGetLastError());  // the refusal must not surface in a later check
  data_ = nullptr;
  fallback_ = true;
  SXB_CUDA(cudaMalloc(&data_, size));
}

NcclMemory::~NcclMemory() {
  if (data_ == nullptr) return;
  if (fallback_) {
    cudaFree(data_);
  } else {
    ncclMemFree(data_);
  }
}

NcclMemory::NcclMemory(NcclMemory&& other) noexcept { *this = std::move(other); }

NcclMemory& NcclMemory::operator=(NcclMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(fallback_, other.fallback_);
  return *this;
}

}  // namespace sxb::engine
