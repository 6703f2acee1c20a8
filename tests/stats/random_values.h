// Values of known distributions, the same on every machine: the standard fixes the numbers of mt19937_64
// but not those of its distributions.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

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

}  // namespace sxb::stats
