// How many independent values a series is worth whose neighbours are alike.
#pragma once

#include <span>

namespace sxb::stats {

/// n / tau, where tau is the sum of all autocorrelations: the variance of a mean of dependent values is tau
/// times that of as many independent ones. At most n, for values in the order in which they were measured; n
/// where all are equal.
///
/// Tau is the larger of two estimates, because what each misses makes an interval too narrow. First-order
/// dependence below independent noise: 1 + 2 r1 / (1 - q), q = r2 / r1, not below r1. The autocorrelations of
/// a short series are too small: they are corrected by (1 + 3 r) / n (Marriott & Pope 1954, Kendall 1954),
/// and three quarters of a standard error are added. And the initial monotone sequence (Geyer 1992,
/// "Practical Markov chain Monte Carlo"), sums of two neighbouring autocorrelations while positive and
/// falling, which sees slow phases of any form.
double independent_count(std::span<const double> series);

}  // namespace sxb::stats
