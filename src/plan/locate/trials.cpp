// Whether what is suspect is slow again, beside others and by more than noise.
#include <algorithm>
#include <cmath>
#include <map>

#include "plan/locate/trial_groups.h"
#include "stats/outliers.h"
#include "stats/polish.h"
#include "stats/stats.h"

namespace sxb::plan {
namespace {

constexpr stats::OutlierRule kRule;

const double kLeastGap = -std::log(1 - kRule.effect);

/// Standard error of the difference of two medians of logarithms, of `a` and `b` values.
double error_of_gap(double noise, std::size_t a, std::size_t b) {
  return stats::kMedianError * std::max(noise, kRule.spread_floor) *
         std::sqrt(1 / static_cast<double>(a) + 1 / static_cast<double>(b));
}

bool is_test(const ProbeResult& result, std::size_t nodes) {
  return result.stage == LocateStage::kConfirm && result.nodes.size() == nodes;
}

bool touches(const ProbeResult& result, int node) {
  return std::find(result.nodes.begin(), result.nodes.end(), node) != result.nodes.end();
}

/// Of one rail, or the median over all that answered; 0 if the probe failed there.
std::optional<double> figure(const ProbeResult& test, int rail) {
  std::vector<double> values;
  for (std::size_t i = 0; i < test.busbw_gBps.size(); ++i) {
    if (test.busbw_gBps[i] && (rail < 0 || index(rail) == i)) values.push_back(*test.busbw_gBps[i]);
  }
  if (!values.empty()) return stats::median(values);
  return test.failure.empty() ? std::nullopt : std::optional(0.0);
}

void add(std::vector<double>& values, const std::optional<double>& value) {
  if (value) values.push_back(*value);
}

/// Of those that answered.
std::vector<double> logs_of(const std::vector<double>& values) {
  std::vector<double> logs;
  for (const double value : values) {
    if (value > 0) logs.push_back(std::log(value));
  }
  return logs;
}

/// Sums of squares about the means of groups, for a standard deviation pooled over them.
struct Pooled {
  double squares = 0;
  std::size_t freedom = 0;

  void add(const std::vector<double>& group) {
    if (group.size() < 2) return;
    const double mean = stats::mean(group);
    for (const double value : group) squares += (value - mean) * (value - mean);
    freedom += group.size() - 1;
  }
  std::optional<double> deviation() const {
    return freedom == 0 ? std::nullopt : std::optional(std::sqrt(squares / static_cast<double>(freedom)));
  }
};

class Judge {
 public:
  Judge(const std::vector<int>& ranks, const std::vector<Suspect>& suspects,
        const std::vector<ProbeResult>& results)
      : ranks_(ranks),
        suspects_(suspects),
        results_(results),
        suspected_(suspects),
        noise_(noise_of_pairs(results, true).value_or(0)) {}

  Trial judge(const Suspect& suspect) const {
    switch (suspect.fault) {
      case Fault::kGpu:
        return of_gpu(suspect);
      case Fault::kNodeLocal:
        return of_inside(suspect);
      case Fault::kRail:
        return of_rail(suspect);
      case Fault::kNode:
      case Fault::kNodeRail:
        return of_node(suspect, -1);
      case Fault::kLink:
        return of_link(suspect);
    }
    return {};
  }

 private:
  static Trial begin(const Suspect& suspect) {
    Trial trial;
    trial.suspect = suspect;
    trial.share = suspect.share;
    return trial;
  }

  /// `noise`: what is known of it besides the tests themselves.
  static Trial decided(Trial trial, double noise) {
    const std::vector<double> own = logs_of(trial.values), others = logs_of(trial.others);
    if (!trial.values.empty() && 2 * own.size() <= trial.values.size()) {
      trial.share = 0;
      trial.standing = Standing::kConfirmed;
      return trial;
    }
    if (own.empty() || others.empty()) return trial;
    Pooled tests;
    tests.add(own);
    tests.add(others);
    const double gap = stats::median(others) - stats::median(own);
    const double error =
        error_of_gap(std::max(noise, tests.deviation().value_or(0)), own.size(), others.size());
    const double least = std::max(kLeastGap, kRule.sigmas * error);
    trial.share = std::exp(-gap);
    trial.named_below = std::exp(-least);
    trial.standing = gap >= least       ? Standing::kConfirmed
                     : gap >= kLeastGap ? Standing::kInconclusive
                                        : Standing::kNotRepeated;
    return trial;
  }

  bool is_suspect(Fault fault, int node, int rail) const {
    return std::any_of(suspects_.begin(), suspects_.end(), [&](const Suspect& suspect) {
      return suspect.fault == fault && suspect.node == node && suspect.rail == rail;
    });
  }

  Trial of_gpu(const Suspect& suspect) const {
    Trial trial = begin(suspect);
    for (const ProbeResult& test : results_) {
      if (!is_test(test, 1)) continue;
      for (int local = 0; index(local) < test.tflops.size(); ++local) {
        const int node = test.nodes.front();
        if (node == suspect.node && local == suspect.rail) {
          add(trial.values, test.tflops[index(local)]);
        } else if (!is_suspect(Fault::kGpu, node, local)) {
          add(trial.others, test.tflops[index(local)]);
        }
      }
    }
    return decided(std::move(trial), 0);
  }

  Trial of_inside(const Suspect& suspect) const {
    Trial trial = begin(suspect);
    for (const ProbeResult& test : results_) {
      if (!is_test(test, 1)) continue;
      const int node = test.nodes.front();
      if (node == suspect.node) {
        add(trial.values, figure(test, -1));
      } else if (ranks_[index(node)] == ranks_[index(suspect.node)] &&
                 !is_suspect(Fault::kNodeLocal, node, -1)) {
        add(trial.others, figure(test, -1));
      }
    }
    return decided(std::move(trial), 0);
  }

  /// One rail of the ring of all nodes, against the others in the same test.
  Trial of_rail(const Suspect& suspect) const {
    Trial trial = begin(suspect);
    for (const ProbeResult& test : results_) {
      if (!is_test(test, ranks_.size())) continue;
      add(trial.values, figure(test, suspect.rail));
      for (int rail = 0; index(rail) < test.busbw_gBps.size(); ++rail) {
        if (!is_suspect(Fault::kRail, -1, rail)) add(trial.others, figure(test, rail));
      }
    }
    return decided(std::move(trial), noise_);
  }

  /// With all partners but `except`, against pairs above suspicion.
  Trial of_node(const Suspect& suspect, int except) const {
    Trial trial = begin(suspect);
    for (const ProbeResult& test : results_) {
      if (!is_test(test, 2)) continue;
      const int a = test.nodes[0], b = test.nodes[1];
      if (!touches(test, suspect.node)) {
        if (suspected_.clears(a, b)) add(trial.others, figure(test, suspect.rail));
        continue;
      }
      const int partner = a == suspect.node ? b : a;
      if (partner == except || suspected_.is_node(partner) || suspected_.is_link(a, b)) continue;
      if (const auto value = figure(test, suspect.rail)) {
        trial.values.push_back(*value);
        trial.partners.push_back(partner);
      }
    }
    return decided(std::move(trial), noise_);
  }

  /// An end of a link, as a suspect of its own.
  Trial of_end(const Suspect& link, int node, int other) const {
    Suspect end = link;
    end.fault = link.rail < 0 ? Fault::kNode : Fault::kNodeRail;
    end.node = node;
    end.peer = -1;
    return of_node(end, other);
  }

  /// Held against what the link's slower end reaches with others: where that is slow as well, it is the end.
  Trial of_link(const Suspect& suspect) const {
    std::vector<Trial> ends = {of_end(suspect, suspect.node, suspect.peer),
                               of_end(suspect, suspect.peer, suspect.node)};
    for (const Trial& end : ends) {
      if (end.standing != Standing::kConfirmed || suspected_.is_node(end.suspect.node)) continue;
      Trial trial = end;
      trial.ends = std::move(ends);
      return trial;
    }
    Trial trial = begin(suspect);
    const bool slow_end = suspected_.is_node(suspect.node) || suspected_.is_node(suspect.peer);
    for (const ProbeResult& test : results_) {
      if (!is_test(test, 2)) continue;
      const int a = test.nodes[0], b = test.nodes[1];
      if (a == suspect.node && b == suspect.peer) {
        add(trial.values, figure(test, suspect.rail));
      } else if (!slow_end && suspected_.clears(a, b)) {
        add(trial.others, figure(test, suspect.rail));
      }
    }
    if (slow_end) trial.others = slower_of(ends).values;
    trial.ends = std::move(ends);
    return decided(std::move(trial), noise_);
  }

  const Trial& slower_of(const std::vector<Trial>& ends) const {
    const bool first = suspected_.is_node(ends[0].suspect.node);
    const bool second = suspected_.is_node(ends[1].suspect.node);
    if (first != second) return ends[first ? 0 : 1];
    return ends[0].share <= ends[1].share ? ends[0] : ends[1];
  }

  const std::vector<int>& ranks_;
  const std::vector<Suspect>& suspects_;
  const std::vector<ProbeResult>& results_;
  Suspected suspected_;
  double noise_;
};

bool same(const Suspect& a, const Suspect& b) {
  return a.fault == b.fault && a.node == b.node && a.peer == b.peer && a.rail == b.rail;
}

}  // namespace

std::optional<double> noise_of_pairs(const std::vector<ProbeResult>& results, bool tests) {
  std::map<std::pair<std::vector<int>, std::size_t>, std::vector<double>> repeats;  // by pair and rail
  for (const ProbeResult& result : results) {
    if (result.nodes.size() != 2 || (result.stage == LocateStage::kConfirm && !tests)) continue;
    for (std::size_t rail = 0; rail < result.busbw_gBps.size(); ++rail) {
      if (result.busbw_gBps[rail])
        repeats[{result.nodes, rail}].push_back(std::log(*result.busbw_gBps[rail]));
    }
  }
  Pooled all;
  for (const auto& [place, logs] : repeats) all.add(logs);
  return all.deviation();
}

double confirmed_share(double noise, int tests) {
  const double error = error_of_gap(noise, index(tests), index(tests));
  return std::exp(-std::max(kLeastGap, (kRule.sigmas + stats::kNearlyAlways) * error));
}

std::vector<Trial> judge_suspects(const std::vector<int>& ranks, const std::vector<Suspect>& suspects,
                                  const std::vector<ProbeResult>& results) {
  const Judge judge(ranks, suspects, results);
  std::vector<Trial> trials;
  for (const Suspect& suspect : suspects) {
    Trial trial = judge.judge(suspect);
    const bool known = std::any_of(trials.begin(), trials.end(),
                                   [&](const Trial& other) { return same(trial.suspect, other.suspect); });
    if (!known) trials.push_back(std::move(trial));
  }
  return trials;
}

}  // namespace sxb::plan
