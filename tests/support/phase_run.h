// A made-up run whose GPUs behave in a known way in each phase: what the report must find out again.
// Step = forward 330 ms, backward 570 ms with its waits, optimizer 100 ms; steps follow each other without a
// gap.
#pragma once

#include <cstdint>
#include <filesystem>

namespace sxb::testing {

struct PhaseSpec {
  int nodes = 1;                      ///< two GPUs each
  int steps = 12;                     ///< measured ones, after one of warm-up
  std::int64_t forward_extra_ms = 0;  ///< rank 1: forward longer and backward shorter by this
  std::int64_t exposed_ms = 5;        ///< waits, all in backward
  std::int64_t clock_offset_ns = 0;   ///< of the second node's clock
  std::int64_t window_extra_ns = 0;   ///< by which the second node's window is too long
  std::int64_t first_sample_ns = 0;   ///< shifts the grid of the samples, 100 ms apart
  bool times = true;                  ///< false: a journal from before phase times
  bool gpm = true, power_instant = true;
  int accumulation = 1;
};

/// Per phase: SM 90, 95, 60 %; tensor 70, 80, 0 %; DRAM 20, 30, 90 %; power 600, 700, 400 W. A GPM figure is
/// the mean over the 100 ms before the sample, so one that crosses a border is a mixture.
void make_phase_run(const std::filesystem::path& folder, const PhaseSpec& spec);

}  // namespace sxb::testing
