// The phase burn on one rank: products over and over, each result compared bit for bit with the first.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/base/emitter.h"
#include "engine/rank/node_ranks.h"
#include "plan/task.h"

namespace sxb::engine::gpu {

/// Elements (4-byte words) that differed from the first result; the rest tells of the first of them.
struct Mismatches {
  std::int64_t count = 0;
  std::int64_t result = 0, offset = 0;
  std::uint32_t expected = 0, found = 0;
};

/// A device that multiplies and compares. Streams count from 0; tests put a device with a fault in its place.
class BurnDevice {
 public:
  virtual ~BurnDevice() = default;
  virtual double flops_per_product() const = 0;
  virtual int streams() const = 0;
  /// Queues `count` products and the comparison of each on a stream.
  virtual void enqueue(int stream, int count) = 0;
  /// Waits until all but the newest enqueue() of the stream is done.
  virtual void wait_for_older(int stream) = 0;
  /// Waits for everything.
  virtual void finish() = 0;
  /// So far; does not wait for what is queued.
  virtual Mismatches mismatches() = 0;
  /// Used memory: of the whole GPU, or of this process on the CPU.
  virtual std::int64_t memory_bytes() = 0;
};

/// Every stream has the same matrices A and B: same inputs and same kernel give the same bits.
std::unique_ptr<BurnDevice> make_cuda_burn(const plan::Burn& burn);
std::unique_ptr<BurnDevice> make_host_burn(const plan::Burn& burn);

/// Emits a "burn" about once a second and, on local rank 0, the "window". All ranks start together and run
/// until their duration is over; then EngineError "burn_mismatch" on a rank that saw one.
void run_burn(const plan::RankTask& task, BurnDevice& device, rank::NodeRanks& ranks, const Emitter& emitter);

}  // namespace sxb::engine::gpu
