#include "analysis/nccl/sweep_verdicts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "stats/stability.h"

namespace sxb::analysis {
namespace {

/// What is known of the algorithm; of several sizes the largest counts.
AlgorithmFacts algorithm_of(const record::Run& run, const NcclGroup& group) {
  AlgorithmFacts facts;
  if (!group.rows.empty()) {
    facts.recorded = group.rows.back().algorithm;
    facts.path = group.rows.back().path;
    facts.registration = group.rows.back().registration;
  }
  facts.env = run.nccl_env;
  return facts;
}

/// Every row against the limit; one check, of the row that comes nearest.
void guard_busbw(NcclGroup& group) {
  if (!group.limit) return;
  double largest = 0;
  for (SweepRow& row : group.rows) {
    for (const Bandwidth* bandwidth : {&row.out_of_place, &row.in_place}) {
      const double busbw = bandwidth->busbw_gBps.value_or(0);
      row.implausible = row.implausible || busbw > group.limit->busbw_gBps;
      largest = std::max(largest, busbw);
    }
  }
  if (largest <= 0) return;
  group.checks.push_back({group.label(), "busbw", largest, "GB/s", group.limit->busbw_gBps,
                          group.limit->resource, fmt::format("{:.1f} GB/s busbw", largest),
                          group.limit->arithmetic});
}

/// What a host sends, where the algorithm is known to be the ring that carries busbw over every host
/// boundary.
void guard_wire(const Network& network, const std::string& algorithm, NcclGroup& group) {
  if (!group.wire_gbps || !group.line_gbps || algorithm != "Ring") return;
  std::optional<double> each;
  bool equal = true;
  for (const Network::Nic& nic : network.nics) {
    equal = equal && (!each || each == nic.line_rate_gbps);
    each = nic.line_rate_gbps;
  }
  const std::string line = equal && each ? fmt::format("{} x {:g} Gbit/s = {:g} Gbit/s", network.nics.size(),
                                                       *each, *group.line_gbps)
                                         : fmt::format("{:g} Gbit/s of its NICs", *group.line_gbps);
  group.checks.push_back({group.label(), "wire_gbps", *group.wire_gbps, "Gbit/s", *group.line_gbps,
                          "network line rate", fmt::format("{:.1f} Gbit/s per host", *group.wire_gbps),
                          line});
  if (*group.wire_gbps <= *group.line_gbps) return;
  for (SweepRow& row : group.rows) {
    for (const Bandwidth* bandwidth : {&row.out_of_place, &row.in_place})
      row.implausible = row.implausible || bandwidth->busbw_gBps.value_or(0) * 8 > *group.line_gbps;
  }
}

/// Bytes that every host sends at the largest size.
void add_wire(const AlgorithmFacts& facts, double line_gbps, NcclGroup& group) {
  // The groups of a split share the NICs: what one of them sends is not what its host sends.
  if (group.rows.empty() || group.groups > 1) return;
  if (group.topology.hosts < 2 || group.collective != "all_reduce") return;
  const Bandwidth& largest = group.rows.back().out_of_place;
  if (!largest.algbw_gBps || !largest.busbw_gBps) return;
  const auto named = facts.env.find("NCCL_ALGO");
  const bool ring = facts.recorded == "RING" ||
                    (facts.recorded.empty() && named != facts.env.end() && named->second == "Ring");
  group.wire_gbps =
      8 * all_reduce_wire_gBps(*largest.algbw_gBps, *largest.busbw_gBps, group.topology.hosts, ring);
  if (line_gbps > 0) group.line_gbps = line_gbps;
}

std::optional<LatencyBandwidth> fit_rows(const NcclGroup& group) {
  std::vector<SweepPoint> points;
  for (const SweepRow& row : group.rows) {
    // A collective that cuts 8 B into parts per rank may transfer nothing at all.
    if (row.size_bytes > 0 && row.out_of_place.time_us)
      points.push_back({static_cast<double>(row.size_bytes), *row.out_of_place.time_us});
  }
  return fit_sweep(points);
}

/// Of short iterations one that an interrupt hit makes any CV; what counts is how far they lie apart: sigma
/// of a normal sample with this p50 and p95, which are 1.645 sigma apart.
std::optional<double> robust_cv_pct(const Bandwidth& bandwidth) {
  if (!bandwidth.p50_us || !bandwidth.p95_us || *bandwidth.p50_us <= 0) return std::nullopt;
  return 100 * (*bandwidth.p95_us - *bandwidth.p50_us) / (1.645 * *bandwidth.p50_us);
}

/// Why a size varies too much to be judged; "" if it does not.
std::string unstable(const SweepRow& row, const config::Thresholds& limits) {
  const bool large = static_cast<double>(row.size_bytes) >= limits.judged_from_bytes;
  const double most = large ? limits.cv_pct : limits.small_cv_pct;
  const std::optional<double> cv = large ? row.out_of_place.cv_pct : robust_cv_pct(row.out_of_place);
  if (cv.value_or(0) > most) {
    return fmt::format("the iterations vary by {:.1f} % ({}), above {:g} %", *cv,
                       large ? "CV" : "by p50 and p95", most);
  }
  if (large && row.out_of_place.rank_spread_pct.value_or(0) > limits.rank_spread_pct) {
    return fmt::format("the ranks differ by {:.1f} %, above {:g} %", *row.out_of_place.rank_spread_pct,
                       limits.rank_spread_pct);
  }
  if (large && stats::unstable({row.out_of_place.repeat_spread, std::nullopt}))
    return fmt::format("the repeats differ by {:.1f} %", *row.out_of_place.repeat_spread * 100);
  return "";
}

Mark by_share(double share, double pass, double warn) {
  return share >= pass ? Mark::kPass : share >= warn ? Mark::kWarn : Mark::kFail;
}

void judge_row(const NcclGroup& group, const config::Thresholds& limits, SweepRow& row) {
  const auto set = [&](Mark mark, std::string why) {
    row.mark = mark;
    row.why = mark == Mark::kPass ? "" : std::move(why);
  };
  if (group.expected.value)
    row.expected_us = group.expected.value->time_us(static_cast<double>(row.size_bytes));
  if (row.implausible)
    return set(Mark::kImplausible, "above the physical limit, see the speed-of-light check");
  if (!group.expected.value) return set(Mark::kNotJudged, group.expected.unknown);
  if (!row.out_of_place.time_us || row.size_bytes <= 0)
    return set(Mark::kNotJudged, "nothing was transferred");
  if (std::string why = unstable(row, limits); !why.empty()) return set(Mark::kUnstable, std::move(why));
  const Expectation& expected = *group.expected.value;
  const double size = static_cast<double>(row.size_bytes);
  const double time = *row.out_of_place.time_us;
  if (size < limits.judged_from_bytes) {
    if (!group.fit) return set(Mark::kNotJudged, "too few sizes for a fit of latency and bandwidth");
    const double share = group.fit->time_us(size) / time;
    return set(by_share(share, limits.small_pass, limits.small_warn),
               fmt::format("{:.1f} times the time that the other sizes lead to", 1 / share));
  }
  const double share = *row.expected_us / time;
  Mark mark = by_share(share, expected.pass, expected.warn);
  // Which algorithm ran is not known: FAIL only below what the slowest of them reaches.
  if (mark == Mark::kFail && expected.slowest().time_us(size) / time >= expected.warn) mark = Mark::kWarn;
  set(mark, fmt::format("{:.0f} % of the expected {:.1f} GB/s", share * 100, expected.busbw_at(size)));
}

int weight(Mark mark) {
  switch (mark) {
    case Mark::kImplausible:
      return 5;
    case Mark::kFail:
      return 4;
    case Mark::kUnstable:
      return 3;
    case Mark::kWarn:
      return 2;
    case Mark::kPass:
      return 1;
    case Mark::kNotMeasured:
    case Mark::kNotJudged:
      return 0;
  }
  return 0;
}

/// The worst of the sizes. Small ones are held against the sweep itself, not against the machine: WARN at
/// most.
Mark worst(const NcclGroup& group, const config::Thresholds& limits) {
  Mark out = Mark::kNotJudged;
  for (const SweepRow& row : group.rows) {
    Mark mark = row.mark;
    const bool small = static_cast<double>(row.size_bytes) < limits.judged_from_bytes;
    if (small && (mark == Mark::kFail || mark == Mark::kUnstable)) mark = Mark::kWarn;
    if (weight(mark) > weight(out)) out = mark;
  }
  return out;
}

/// Seconds that the largest size ran, both placements.
double seconds_of_largest(const TaskData& task) {
  const record::Collective& row = task.last<record::Collective>();
  double us = 0;
  for (const auto* placement : {&row.out_of_place, &row.in_place})
    us += *placement ? (*placement)->time_us.value_or(0) : 0;
  return us * row.iterations.value_or(0) * 1e-6;
}

/// The NICs' counters during the sweep, and what the formula says for its highest busbw.
void add_nics(const Dataset& dataset, const TaskData& task, const Network& network, const Hardware& hardware,
              NcclGroup& group) {
  constexpr double kShortest = 1;  // shorter, and half a second may include other sizes
  constexpr std::size_t kNoGpuRows = 1;
  if (group.group > 0) return;  // the NICs are those of all groups: shown once
  if (group.topology.hosts < 2 || group.topology.nics < 1 || seconds_of_largest(task) < kShortest) return;
  group.nics = nic_rates(load_samples(dataset.folder, task, kNoGpuRows), line_rates(network),
                         hardware.paths.thresholds.nic_lag_share);
  if (auto check = guard_nics(group.label(), group.nics)) group.checks.push_back(std::move(*check));
  double highest = 0;
  for (const SweepRow& row : group.rows) {
    for (const Bandwidth* bandwidth : {&row.out_of_place, &row.in_place})
      highest = std::max(highest, bandwidth->busbw_gBps.value_or(0));
  }
  if (group.expected.value && highest > 0) {
    group.nic_formula_gBps =
        nic_wire_gBps(group.collective, group.expected.value->algorithm, group.topology, highest);
  }
}

}  // namespace

std::optional<double> SweepRow::of_expected() const {
  if (!expected_us || !out_of_place.time_us || *out_of_place.time_us <= 0) return std::nullopt;
  return *expected_us / *out_of_place.time_us;
}

void judge_sweep(const Dataset& dataset, const TaskData& task, const Hardware& hardware, NcclGroup& group) {
  const Network network = network_of(dataset.asked.cluster);
  const double line = network.line_rate_gbps();
  const bool infiniband = network.fabric == "infiniband";
  const AlgorithmFacts facts = algorithm_of(dataset.asked, group);
  group.topology = topology_of(network, task, group.group_ranks, hardware);
  group.limit = busbw_limit(group.collective, {group.topology.ranks, group.topology.hosts, line / 8,
                                               group.topology.nvlink_gBps, infiniband});
  group.expected = expect_collective(group.collective, group.topology, facts, hardware.paths);
  add_wire(facts, line, group);
  guard_busbw(group);
  guard_wire(network, facts.recorded == "RING" ? "Ring" : "", group);
  add_nics(dataset, task, network, hardware, group);
  group.fit = fit_rows(group);
  for (SweepRow& row : group.rows) judge_row(group, hardware.paths.thresholds, row);
  group.mark = worst(group, hardware.paths.thresholds);
  if (group.rows.empty() || !group.expected.value) return;
  if (const auto busbw = group.rows.back().out_of_place.busbw_gBps)
    group.bound = describe_bound(group.collective, *group.expected.value, group.topology, *busbw);
}

}  // namespace sxb::analysis
