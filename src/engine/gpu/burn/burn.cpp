#include "engine/gpu/burn/burn.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "base/clock.h"
#include "engine/base/error.h"
#include "record/kinds/gpu.h"
#include "record/kinds/node.h"

namespace sxb::engine::gpu {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
/// Products of one enqueue last about this long: short against a second, long against the launches.
constexpr std::int64_t kBatchNs = 20'000'000;
constexpr int kMostPerBatch = 1000;

double seconds(std::int64_t ns) { return static_cast<double>(ns) * 1e-9; }

std::string hex(std::uint32_t word) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", word);
  return text;
}

class BurnRun {
 public:
  BurnRun(const plan::RankTask& task, BurnDevice& device, rank::NodeRanks& ranks, const Emitter& emitter)
      : task_(task), device_(device), ranks_(ranks), emitter_(emitter), queued_(device.streams()) {}

  void run() {
    const int batch = batch_size();
    ranks_.world_barrier();
    begin_ = reported_ = monotonic_ns();
    const std::int64_t end = begin_ + task_.task.burn.duration_s * kSecondNs;
    for (int s = 0; s < device_.streams(); ++s) enqueue(s, batch);
    while (monotonic_ns() < end) {
      for (int s = 0; s < device_.streams(); ++s) {
        enqueue(s, batch);
        device_.wait_for_older(s);
        // Of two enqueues the older is done.
        done_ += batch;
        report_if_due(end);
      }
    }
    device_.finish();
    done_ = total_queued();
    report();
    if (task_.local_rank == 0) {
      emitter_.emit(record::Window{"burn", begin_, monotonic_ns()});
    }
    ranks_.leave();  // a mismatch ends the task
    fail_on_mismatch(device_.mismatches());
  }

 private:
  /// Also runs every kernel once, and heats the device.
  int batch_size() {
    device_.enqueue(0, 1);
    device_.finish();
    const std::int64_t begin = monotonic_ns();
    device_.enqueue(0, 1);
    device_.finish();
    const std::int64_t one = std::max<std::int64_t>(1, monotonic_ns() - begin);
    return static_cast<int>(std::clamp<std::int64_t>(kBatchNs / one / device_.streams(), 1, kMostPerBatch));
  }

  void enqueue(int stream, int count) {
    device_.enqueue(stream, count);
    queued_[static_cast<std::size_t>(stream)] += count;
  }

  std::int64_t total_queued() const {
    std::int64_t sum = 0;
    for (const std::int64_t count : queued_) sum += count;
    return sum;
  }

  /// The rest of less than half a second is part of the last record: what is still queued when a span begins
  /// would count much in a short one.
  void report_if_due(std::int64_t end) {
    const std::int64_t now = monotonic_ns();
    if (now - reported_ >= kSecondNs && end - now >= kSecondNs / 2) report();
  }

  void report() {
    const std::int64_t now = monotonic_ns();
    const std::int64_t iterations = done_ - reported_done_;
    const double span = seconds(now - reported_);
    record::Burn burn;
    burn.gpu = task_.gpu;
    burn.second = seconds(now - begin_);
    burn.span_s = span;
    burn.tflops = device_.flops_per_product() * static_cast<double>(iterations) / span * 1e-12;
    burn.iterations = iterations;
    burn.mismatches = device_.mismatches().count;
    burn.memory_bytes = device_.memory_bytes();
    emitter_.emit(burn);
    reported_ = now;
    reported_done_ = done_;
  }

  void fail_on_mismatch(const Mismatches& seen) const {
    if (seen.count == 0) return;
    const std::string where = task_.gpu >= 0 ? "GPU " + std::to_string(task_.gpu) : "the CPU";
    throw EngineError(where + " of " + task_.node + " (rank " + std::to_string(task_.rank) +
                          ") does not compute the same twice: " + std::to_string(seen.count) +
                          " words of repeated results differ; the first: result " +
                          std::to_string(seen.result) + ", word " + std::to_string(seen.offset) +
                          ", expected " + hex(seen.expected) + ", found " + hex(seen.found),
                      "burn_mismatch",
                      "take it out of service: silent data corruption of the chip or its memory (dmesg for "
                      "Xid messages, nvidia-smi "
                      "-q for ECC errors), or overclocking");
  }

  const plan::RankTask& task_;
  BurnDevice& device_;
  rank::NodeRanks& ranks_;
  const Emitter& emitter_;
  std::vector<std::int64_t> queued_;  ///< products, by stream
  std::int64_t begin_ = 0, reported_ = 0;
  std::int64_t done_ = 0, reported_done_ = 0;
};

}  // namespace

void run_burn(const plan::RankTask& task, BurnDevice& device, rank::NodeRanks& ranks,
              const Emitter& emitter) {
  BurnRun(task, device, ranks, emitter).run();
}

}  // namespace sxb::engine::gpu
