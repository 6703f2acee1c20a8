// Latency and bandwidth of a sweep: t(S) = alpha + S/B, with the ramp between the two regimes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sxb::analysis {

/// The ramp of a fit is stated per this: sqrt(1 MiB).
inline constexpr double kRampUnit = 1024;

/// One size of a sweep.
struct SweepPoint {
  double size_bytes = 0;
  double time_us = 0;
};

/// t(S) = alpha + ramp·sqrt(S) + S/B. A collective over p steps that cuts S into the best number of chunks
/// takes (sqrt(p·a) + sqrt(S/B))^2, which has a term in sqrt(S): without it the sizes between latency and
/// bandwidth would pull alpha up and B down (measured on 4 x H200: B 10 to 20 % too low).
struct LatencyBandwidth {
  double alpha_us = 0;        ///< time of an empty message
  double algbw_gBps = 0;      ///< B: the asymptote of size / time
  double ramp_us = 0;         ///< of sqrt(1 MiB); 0 = the plain model
  double scatter = 0;         ///< 1.4826 MAD of measured / fitted time, as a fraction
  std::vector<bool> outlier;  ///< per point: had no weight in the fit
  double time_us(double size_bytes) const;
};

/// Least squares of relative errors, with Tukey's biweight: a size that is far off pulls nothing.
/// Coefficients are not negative. nullopt: fewer than five sizes, a span below a factor of 64, a size or time
/// that is not above zero, or no positive bandwidth.
std::optional<LatencyBandwidth> fit_sweep(std::span<const SweepPoint> points);

}  // namespace sxb::analysis
