#include "engine/bench/sweep/sweep_figures.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sxb::engine::bench {
namespace {

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::size_t percentile_index(std::size_t count, std::size_t percent) {
  return std::min(count - 1, (count * percent + 99) / 100 - 1);
}

/// Slowest rank and how far the ranks are apart, by the mean of each rank's iterations.
void add_spread(const std::vector<std::vector<double>>& iterations, const std::vector<int>& members,
                record::Placement& placement) {
  std::vector<double> means;
  for (const auto& times : iterations) means.push_back(mean(times));
  const auto [low, high] = std::minmax_element(means.begin(), means.end());
  placement.slowest_rank = members[static_cast<std::size_t>(high - means.begin())];
  placement.rank_spread_pct = *high > 0 ? 100 * (*high - *low) / *high : 0;
}

std::int64_t wrong_of(const PlacementFigures& figures, Fault RankFigures::*which) {
  std::int64_t wrong = 0;
  for (const RankFigures& rank : figures.ranks) wrong += (rank.*which).count;
  return wrong;
}

std::vector<double> at_slowest_rank(const std::vector<std::vector<double>>& iterations) {
  std::vector<double> slowest = iterations.front();
  for (const auto& rank : iterations) {
    for (std::size_t i = 0; i < slowest.size(); ++i) slowest[i] = std::max(slowest[i], rank[i]);
  }
  return slowest;
}

/// Without those that are left out; the last one stays in any case.
std::vector<std::vector<double>> counted(const PlacementFigures& figures) {
  std::vector<std::vector<double>> rest = figures.iterations;
  for (auto& times : rest) {
    const std::size_t skip = std::min(times.size() - 1, figures.skip);
    times.erase(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(skip));
  }
  return rest;
}

}  // namespace

double combine_times(const std::vector<double>& times, int average) {
  switch (average) {
    case 0:
      return times.front();
    case 1:
      return mean(times);
    case 2:
      return *std::min_element(times.begin(), times.end());
    default:
      return *std::max_element(times.begin(), times.end());
  }
}

record::Iterations iteration_statistics(const std::vector<std::vector<double>>& iterations) {
  std::vector<double> slowest = at_slowest_rank(iterations);
  std::sort(slowest.begin(), slowest.end());
  const std::size_t n = slowest.size();
  const double average = mean(slowest);
  double squares = 0;
  for (const double value : slowest) squares += (value - average) * (value - average);
  const double deviation = std::sqrt(squares / static_cast<double>(n));
  record::Iterations statistics;
  statistics.count = static_cast<std::int64_t>(n);
  statistics.min_us = slowest.front();
  statistics.p50_us = slowest[n / 2];
  statistics.p95_us = slowest[percentile_index(n, 95)];
  statistics.p99_us = slowest[percentile_index(n, 99)];
  statistics.max_us = slowest.back();
  statistics.mean_us = average;
  statistics.cv_pct = average > 0 ? 100 * deviation / average : 0;
  return statistics;
}

record::Placement placement_record(const Case& c, const PlacementFigures& figures,
                                   const std::vector<int>& members, int average, bool every_time) {
  const int ranks = static_cast<int>(members.size());
  std::vector<double> times;
  for (const RankFigures& rank : figures.ranks) times.push_back(rank.time_us);
  const double time_us = combine_times(times, average);
  record::Placement placement;
  placement.time_us = time_us;
  // One rank transfers nothing: size / time would be a bandwidth that no wire has (in place, terabytes).
  if (ranks > 1 && time_us > 0) {
    // 1 B/us = 1e-3 GB/s
    const double algbw = static_cast<double>(c.size()) / time_us * 1e-3 * c.collective->alg_factor(ranks);
    placement.algbw_gBps = algbw;
    placement.busbw_gBps = algbw * c.collective->kind().bus_factor(ranks);
  }
  if (figures.ranks.front().checked) {
    placement.wrong = wrong_of(figures, &RankFigures::fresh);
    placement.wrong_timed = wrong_of(figures, &RankFigures::timed);
  }
  const std::vector<std::vector<double>> iterations = counted(figures);
  placement.per_iteration = iteration_statistics(iterations);
  add_spread(iterations, members, placement);
  if (every_time) {
    placement.times_us = at_slowest_rank(figures.iterations);
    if (ranks > 1) placement.rank_times_us = figures.iterations;
  }
  return placement;
}

std::optional<record::FirstWrong> first_wrong(const Case& c, const PlacementFigures& figures,
                                              const std::vector<int>& members) {
  for (const auto which : {&RankFigures::timed, &RankFigures::fresh}) {
    for (std::size_t i = 0; i < figures.ranks.size(); ++i) {
      const Fault& fault = figures.ranks[i].*which;
      if (fault.count == 0) continue;
      return record::FirstWrong{members[i],
                                fault.offset,
                                element_text(c.dtype, fault.expected),
                                element_text(c.dtype, fault.found),
                                kPlacementNames[c.in_place ? 1 : 0],
                                which == &RankFigures::timed ? "timed" : "check"};
    }
  }
  return std::nullopt;
}

std::string to_text(const record::FirstWrong& wrong) {
  const std::string placement = wrong.placement == kPlacementNames[1] ? "in place" : "out of place";
  const std::string when = wrong.when == "timed" ? "after the timed iterations" : "in the check after them";
  return "rank " + std::to_string(wrong.rank.value_or(-1)) + " has at element " +
         std::to_string(wrong.offset.value_or(-1)) + " " + wrong.found + " instead of " + wrong.expected +
         ", " + placement + ", " + when;
}

}  // namespace sxb::engine::bench
