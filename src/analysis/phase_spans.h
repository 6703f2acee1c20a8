// Forward, backward and optimizer as intervals of time, and which of them a GPU's sample describes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/dataset.h"

namespace sxb::analysis {

/// The parts of a step that follow each other, with waits for communication between and inside them.
enum class Phase { kForward, kBackward, kOptimizer };
inline constexpr std::size_t kPhases = 3;

/// Share of the time a sample describes that must lie in one phase; below it the sample counts for none.
inline constexpr double kPhaseOverlap = 0.9;

/// A mean in the making.
struct Tally {
  double sum = 0;
  std::size_t count = 0;
  void add(double value) {
    sum += value;
    ++count;
  }
  void add(const Tally& other) {
    sum += other.sum;
    count += other.count;
  }
};

/// What the samples that describe one phase say; each figure has its own number of samples.
struct PhaseActivity {
  Tally sm_active_pct, tensor_active_pct, dram_active_pct, power_w;
  void add(const PhaseActivity& other);
};
using PhaseActivities = std::array<PhaseActivity, kPhases>;

/// The phases of the measured steps as one GPU ran them, on the monotonic clock of its node.
class PhaseSpans {
 public:
  /// Starts from the `step` records of rank 0, which hold the length of each phase without its waits, and not
  /// where the waits lie. So a phase counts from its latest possible begin to its earliest possible end: each
  /// border is uncertain by all the time of the step that is in no phase.
  ///
  /// Three things make the spans this GPU's:
  /// - Another node has another clock: the `window` records, which name the same steps on every node,
  ///   give the offset. Where their lengths differ by more than a tenth of a step, nothing is attributed.
  /// - Another rank has other borders: they move by the difference of the two ranks' medians (`phases`).
  /// - With gradient accumulation forward and backward alternate within the step, and the records hold
  ///   only their sums: then only the optimizer, which comes last, has a place.
  static PhaseSpans of(const TaskData& task, const std::string& node, int gpu);

  /// The phase that holds at least kPhaseOverlap of [begin_ns, end_ns].
  std::optional<Phase> phase_of(std::int64_t begin_ns, std::int64_t end_ns) const;

 private:
  struct Span {
    std::int64_t begin_ns, end_ns;
    Phase phase;
  };
  std::vector<Span> spans_;  ///< in order of time
};

}  // namespace sxb::analysis
