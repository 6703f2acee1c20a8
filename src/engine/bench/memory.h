// Buffers of a benchmark and the exact check of their content, on the GPU or the host.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/comm/communicator.h"
#include "engine/kernels/verify.h"

namespace sxb::engine {

/// Everything is ordered on stream(). Buffers live as long as the object. Throws EngineError.
class Memory {
 public:
  virtual ~Memory() = default;
  virtual Stream stream() const = 0;
  /// Bytes that buffers may take on this rank, a reserve for others kept back.
  virtual std::int64_t available_bytes() const = 0;
  virtual void* allocate(std::int64_t bytes) = 0;
  /// Whether some buffer is not of the kind that the fastest path wants (see comm/nccl_memory.h).
  virtual bool fallback() const = 0;

  /// Overwrites with bytes that no expected element has.
  virtual void poison(void* data, std::int64_t bytes) = 0;
  /// As kernels::cpu::verify_fill.
  virtual void fill(void* data, std::int64_t count, const kernels::VerifyPattern& pattern, int rank) = 0;
  /// Add to the count of wrong elements.
  virtual void expect_reduced(const void* data, std::int64_t count, const kernels::VerifyPattern& pattern,
                              std::int64_t first) = 0;
  virtual void expect_copied(const void* data, std::int64_t count, const kernels::VerifyPattern& pattern,
                             int source, std::int64_t first) = 0;
  /// Waits; returns the count and sets it to zero.
  virtual std::int64_t take_wrong() = 0;
};

inline constexpr int kPoisonByte = 0xA5;

/// `sharers`: ranks of this node, among which its memory is divided.
std::unique_ptr<Memory> make_host_memory(int sharers);
/// On the current CUDA device, with a stream of its own.
std::unique_ptr<Memory> make_cuda_memory();

}  // namespace sxb::engine
