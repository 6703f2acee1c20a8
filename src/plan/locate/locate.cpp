// The rounds of a search.
#include "plan/locate/locate.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "base/units.h"
#include "plan/locate/trial_groups.h"

namespace sxb::plan {
namespace {

constexpr config::EnumName<LocateStage> kStages[] = {
    {LocateStage::kNode, "node"},     {LocateStage::kRail, "rail"},      {LocateStage::kPair, "pair"},
    {LocateStage::kSample, "sample"}, {LocateStage::kRepeat, "repeat"},  {LocateStage::kBisect, "bisect"},
    {LocateStage::kCross, "cross"},   {LocateStage::kConfirm, "confirm"}};

constexpr std::int64_t kMaxBytes = std::int64_t{1} << 40;
constexpr int kMaxRounds = 1000, kMaxAllPairs = 1 << 20;
constexpr double kMaxProbe_s = 3600, kMaxTimeout_s = 86400;
/// Matchings of a sample: each node then has three partners, so that two bad ones among them do not spoil it.
constexpr int kSamples = 3;
/// Pairs that are probed a second time, at least: fewer say little about how much a figure varies.
constexpr int kRepeatedPairs = 6;

/// The rounds that need no result, by their number; none from the first that does. One by one, because all
/// pairs of thousands of nodes are gigabytes.
std::optional<ProbeRound> opening(const Locate& config, int nodes, int number) {
  if (number == 0) return ProbeRound{LocateStage::kNode, 0, each_alone(nodes)};
  --number;
  if (nodes > 2 && number-- == 0) return ProbeRound{LocateStage::kRail, 0, {{node_range(0, nodes)}}};
  const int circle = circle_rounds(nodes);
  if (circle == 0) return std::nullopt;
  const bool all = nodes <= config.all_pairs;
  const int found = all ? circle : kSamples;
  const int stride = all ? 1 : circle / kSamples;
  if (number < found)
    return ProbeRound{all ? LocateStage::kPair : LocateStage::kSample, 0,
                      circle_round(nodes, number * stride)};
  number -= found;
  const int pairs = nodes / 2;
  if (number < std::min(circle, (kRepeatedPairs + pairs - 1) / pairs))
    return ProbeRound{LocateStage::kRepeat, 0, circle_round(nodes, number)};
  return std::nullopt;
}

int count_rounds(const std::vector<ProbeResult>& results) {
  return results.empty() ? 0 : results.back().round + 1;
}

int count_rounds(const std::vector<ProbeResult>& results, LocateStage stage) {
  std::vector<int> numbers;
  for (const ProbeResult& result : results) {
    if (result.stage == stage && (numbers.empty() || numbers.back() != result.round))
      numbers.push_back(result.round);
  }
  return static_cast<int>(numbers.size());
}

}  // namespace

std::string to_string(LocateStage stage) { return config::enum_name(kStages, stage); }

Result<LocateStage> parse_locate_stage(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& entry : kStages) {
    if (name == entry.name) return entry.value;
    known.emplace_back(entry.name);
  }
  return Error{"\"" + name + "\" is not a stage of locate", "", suggest(name, known)};
}

Json to_json(const Locate& locate) {
  return {{"size_bytes", locate.size_bytes},
          {"rounds", locate.rounds},
          {"all_pairs", locate.all_pairs},
          {"probe_s", locate.probe_s},
          {"timeout_s", locate.timeout_s}};
}

void read_locate(config::ObjectReader reader, Locate& locate) {
  reader.integer("size_bytes", locate.size_bytes, 4, kMaxBytes);
  reader.integer("rounds", locate.rounds, 1, kMaxRounds);
  reader.integer("all_pairs", locate.all_pairs, 2, kMaxAllPairs);
  reader.number("probe_s", locate.probe_s, 0.01, kMaxProbe_s);
  reader.number("timeout_s", locate.timeout_s, 0.1, kMaxTimeout_s);
  reader.finish();
}

Status validate_locate(const Locate& locate) {
  Errors errors;
  constexpr std::int64_t kElement = 4;  // FP32
  if (locate.size_bytes < kElement) {
    errors.push_back({"a probe needs at least one element", "--size", "write e.g. --size 128M"});
  } else if (locate.size_bytes % kElement != 0) {
    const std::int64_t below = locate.size_bytes / kElement * kElement;
    errors.push_back({fmt::format("{} bytes are no whole number of float elements of {} bytes",
                                  locate.size_bytes, kElement),
                      "--size", fmt::format("use --size {} or {}", below, below + kElement)});
  } else if (locate.size_bytes > kMaxBytes) {
    errors.push_back({fmt::format("a probe of {} is larger than {}", format_bytes(locate.size_bytes),
                                  format_bytes(kMaxBytes)),
                      "--size", "write e.g. --size 128M"});
  }
  if (locate.rounds < 1) errors.push_back({"no confirmation", "--rounds", "use --rounds 1 or more"});
  if (locate.all_pairs < 2)
    errors.push_back({"there is no pair among fewer than two nodes", "--all-pairs", "use --all-pairs 32"});
  if (locate.probe_s < 0.01)
    errors.push_back({"no time for a probe", "--probe-seconds", "use --probe-seconds 2"});
  if (locate.timeout_s < 0.1) errors.push_back({"no time for an answer", "--timeout", "use --timeout 30"});
  const auto at_most = [&](const char* flag, double value, double most) {
    if (value <= most) return;
    errors.push_back(
        {fmt::format("{} is above {}", value, most), flag, fmt::format("use {} {} or less", flag, most)});
  };
  at_most("--rounds", locate.rounds, kMaxRounds);
  at_most("--all-pairs", locate.all_pairs, kMaxAllPairs);
  at_most("--probe-seconds", locate.probe_s, kMaxProbe_s);
  at_most("--timeout", locate.timeout_s, kMaxTimeout_s);
  if (!errors.empty()) return errors;
  return ok_status();
}

namespace {

/// The next test of the suspects. Where the asked-for repeats do not tell, there are more.
std::vector<Probe> next_tests(const Locate& config, const std::vector<int>& ranks,
                              const std::vector<ProbeResult>& results) {
  const std::vector<Suspect> suspects = find_suspects(ranks, results, config.rounds).suspects;
  auto rounds = confirmations(config.rounds, ranks.size(), suspects);
  const auto next = static_cast<std::size_t>(count_rounds(results, LocateStage::kConfirm));
  if (!rounds.empty() && next >= rounds.size()) {
    const std::vector<Trial> trials = judge_suspects(ranks, suspects, results);
    const bool open = std::any_of(trials.begin(), trials.end(), [](const Trial& trial) {
      return trial.standing == Standing::kInconclusive;
    });
    if (open || next > rounds.size())
      rounds = confirmations(kLongerTrial * config.rounds, ranks.size(), suspects);
  }
  return next < rounds.size() ? rounds[next] : std::vector<Probe>{};
}

}  // namespace

ProbeRound next_round(const Locate& config, const std::vector<int>& ranks,
                      const std::vector<ProbeResult>& results) {
  const int nodes = static_cast<int>(ranks.size());
  const int done = count_rounds(results);
  ProbeRound round;
  if (const auto first = opening(config, nodes, done)) {
    round = *first;
  } else {
    const bool confirming = count_rounds(results, LocateStage::kConfirm) > 0;
    if (nodes > config.all_pairs && !confirming) {
      round = {LocateStage::kBisect, 0, halves_of_slow(results)};
      if (round.probes.empty())
        round = {LocateStage::kCross, 0, across_halves(results, count_rounds(results, LocateStage::kCross))};
    }
    if (round.probes.empty()) round = {LocateStage::kConfirm, 0, next_tests(config, ranks, results)};
  }
  round.number = done;
  return round;
}

}  // namespace sxb::plan
