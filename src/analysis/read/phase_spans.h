// Forward, backward and optimizer as intervals of time, and which of them a GPU's sample describes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/read/dataset.h"

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
  /// The phase that holds at least kPhaseOverlap of [begin_ns, end_ns]. `near` is for the next call: one
  /// with a later time searches from there.
  std::optional<Phase> phase_of(std::int64_t begin_ns, std::int64_t end_ns, std::size_t& near) const;

 private:
  friend class TaskPhases;
  struct Span {
    std::int64_t begin_ns, end_ns;
    Phase phase;
  };
  std::vector<Span> spans_;  ///< in order of time
};

/// What the records of one task say of its phases. They are read once: a thousand nodes have eight thousand
/// GPUs to ask for.
class TaskPhases {
 public:
  explicit TaskPhases(const TaskData& task);

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
  PhaseSpans of(const std::string& node, int gpu) const;

 private:
  using PhaseMs = std::array<double, kPhases>;
  struct Interval {
    std::int64_t begin_ns = 0, end_ns = 0;
    double length_ns() const { return static_cast<double>(end_ns - begin_ns); }
  };
  struct Step {
    Interval interval;
    PhaseMs ms{};
    std::string node;
    std::optional<Interval> window;  ///< of its node
  };
  std::optional<Interval> window_of(const std::string& node) const;
  std::optional<PhaseMs> medians_of(int rank) const;
  PhaseMs difference_to_rank0(const std::string& node, int gpu) const;

  std::vector<Step> steps_;  ///< measured, with all phases
  std::map<std::string, std::optional<Interval>> windows_;
  std::map<std::pair<std::string, std::int64_t>, int> ranks_;  ///< by node and GPU
  std::map<int, std::optional<PhaseMs>> medians_;              ///< by rank
  bool alternating_ = false;
};

}  // namespace sxb::analysis
