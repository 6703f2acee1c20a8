#include "engine/comm/nccl/nccl_memory.h"

#include <nccl.h>

#include <atomic>
#include <exception>
#include <utility>

#include "engine/base/cuda_check.h"

namespace sxb::engine::comm {

namespace {

std::atomic<std::int64_t> allocated{0};

}  // namespace

NcclMemory::NcclMemory(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(bytes);
  if (ncclMemAlloc(&data_, size) != ncclSuccess || data_ == nullptr) {
    static_cast<void>(cudaGetLastError());  // the refusal must not surface in a later check
    data_ = nullptr;
    fallback_ = true;
    SXB_CUDA(cudaMalloc(&data_, size));
  }
  bytes_ = bytes;
  allocated += bytes_;
}

std::int64_t NcclMemory::allocated_bytes() { return allocated; }

NcclMemory::~NcclMemory() {
  if (data_ == nullptr) return;
  allocated -= bytes_;
  // After an error the process ends: unmapping could wait for kernels whose peers are gone.
  if (std::uncaught_exceptions() > 0) return;
  if (fallback_) {
    cudaFree(data_);
  } else {
    ncclMemFree(data_);
  }
}

NcclMemory::NcclMemory(NcclMemory&& other) noexcept { *this = std::move(other); }

NcclMemory& NcclMemory::operator=(NcclMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(fallback_, other.fallback_);
  return *this;
}

}  // namespace sxb::engine::comm
