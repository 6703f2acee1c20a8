// What a benchmark needs of the device that it runs on: buffers, the exact check of their content, points
// in time, and recorded work. On the GPU or the host.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/comm/communicator.h"
#include "engine/kernels/verify.h"

namespace sxb::engine::bench {

/// What a check has found.
struct Wrong {
  std::int64_t count = 0;       ///< wrong elements
  const void* first = nullptr;  ///< the one of the lowest address; null if none is wrong
  std::uint64_t expected = 0;   ///< its bits
  std::uint64_t found = 0;
};
/// "3 (0x40400000)".
std::string element_text(DType dtype, std::uint64_t bits);

/// Points in the time of a stream.
class Marks {
 public:
  virtual ~Marks() = default;
  virtual void set(int index) = 0;
  /// Microseconds; both points must have passed.
  virtual double between_us(int from, int to) = 0;
};

/// Work that was recorded once: a CUDA graph; on the host the calls themselves.
class Replay {
 public:
  virtual ~Replay() = default;
  virtual void launch() = 0;
};

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
  /// As kernels::cpu::verify_fill from element `first` on.
  virtual void fill(void* data, std::int64_t count, const kernels::VerifyPattern& pattern, int rank,
                    std::int64_t first = 0) = 0;

  /// Checks that data holds elements first, first + 1, ... of `source`: a rank or kAllRanks.
  void expect(const void* data, std::int64_t count, const kernels::VerifyPattern& pattern, int source,
              std::int64_t first);
  /// Waits; what the checks since the last call have found.
  Wrong take_wrong();

  virtual std::unique_ptr<Marks> make_marks(int count) = 0;
  virtual std::unique_ptr<Replay> record(const std::function<void()>& issue) = 0;

 protected:
  struct Expectation {
    const void* data;
    std::int64_t count;
    kernels::VerifyPattern pattern;
    int source;
    std::int64_t first;
  };
  /// Wrong elements, and the lowest address of one.
  struct Tally {
    std::int64_t count = 0;
    const void* first = nullptr;
  };
  virtual void check(const Expectation& expectation) = 0;
  virtual Tally take_tally() = 0;
  virtual void read(void* to, const void* from, std::int64_t bytes) = 0;

 private:
  std::vector<Expectation> expectations_;
};

inline constexpr int kPoisonByte = 0xA5;

/// `sharers`: ranks of this node, among which its memory is divided.
std::unique_ptr<Memory> make_host_memory(int sharers);
/// On the current CUDA device, with a stream of its own.
std::unique_ptr<Memory> make_cuda_memory();

}  // namespace sxb::engine::bench
