// Values of known distributions, the same on every machine: the standard fixes the numbers of mt19937_64
// but not those of its distributions.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

namespace sxb::stats {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : generator_(seed) {}
  /// In (0, 1).
  double uniform() { return (static_cast<double>(generator_() >> 11) + 0.5) * 0x1.0p-53; }
  /// Mean 0, deviation 1 (Box and Muller).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  /// Mean 1; a floor and a long upper tail, as times have. Median ln 2.
  double exponential() { return -std::log(uniform()); }

 private:
  std::mt19937_64 generator_;
};

/// Step times around 100 whose logarithm is autoregressive of first order, of standard deviation `noise`.
inline std::vector<double> autoregressive(Draw& draw, int count, double r, double noise) {
  std::vector<double> times;
  double state = draw.normal();
  for (int i = 0; i < count; ++i) {
    if (i > 0) state = r * state + std::sqrt(1 - r * r) * draw.normal();
    times.push_back(100 * std::exp(noise * state));
  }
  return times;
}

/// Phases whose lengths are geometric, as of a Markov chain of two states, in the second of which a step
/// takes longer.
struct Bursts {
  double fast_steps, slow_steps;  ///< mean lengths
  double slowdown, noise;
};
inline std::vector<double> bursty(Draw& draw, int count, const Bursts& like) {
  std::vector<double> times;
  bool slow = draw.uniform() < like.slow_steps / (like.fast_steps + like.slow_steps);
  for (int i = 0; i < count; ++i) {
    if (i > 0 && draw.uniform() < 1 / (slow ? like.slow_steps : like.fast_steps)) slow = !slow;
    times.push_back(100 * (slow ? 1 + like.slowdown : 1) * (1 + like.noise * draw.normal()));
  }
  return times;
}

}  // namespace sxb::stats
