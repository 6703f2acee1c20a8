// Device memory from ncclMemAlloc, which NCCL can register and share between processes without a copy.
// nccl-tests takes its buffers from there, so figures that compare must too.
#pragma once

#include <cstdint>

namespace sxb::engine::comm {

class NcclMemory {
 public:
  NcclMemory() = default;
  /// Falls back to cudaMalloc where ncclMemAlloc refuses (no cuMem support); EngineError
  /// "out_of_memory" if that fails too.
  explicit NcclMemory(std::int64_t bytes);
  ~NcclMemory();
  NcclMemory(NcclMemory&& other) noexcept;
  NcclMemory& operator=(NcclMemory&& other) noexcept;

  void* data() const { return data_; }
  /// Whether it is plain cudaMalloc memory; to be recorded with the figures.
  bool fallback() const { return fallback_; }

  /// Bytes of all live objects in this process: PyTorch's allocator does not count them.
  static std::int64_t allocated_bytes();

 private:
  void* data_ = nullptr;
  std::int64_t bytes_ = 0;
  bool fallback_ = false;
};

}  // namespace sxb::engine::comm
