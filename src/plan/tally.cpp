#include "plan/tally.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "record/kinds/checkpoint.h"
#include "record/kinds/collective.h"
#include "record/kinds/gpu.h"
#include "record/kinds/run.h"
#include "record/kinds/training.h"
#include "record/typed.h"

namespace sxb::plan {
namespace {

/// As many as are told of what is missing.
constexpr std::size_t kTold = 3;

/// "a, b, c and 5 more".
std::string first_of(const std::vector<std::string>& names) {
  const std::vector<std::string> told(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(kTold, names.size())));
  return join(told, ", ") + (names.size() > kTold ? fmt::format(" and {} more", names.size() - kTold) : "");
}

/// The ranks of each group, as they run together.
std::map<int, int> group_sizes(const CollectiveSweep& sweep, const std::vector<RankPlace>& places) {
  std::map<int, int> sizes;
  for (const RankPlace& place : places) ++sizes[split_color(sweep.split, place).value()];
  return sizes;
}

}  // namespace

Tally::Tally(const Task& task, std::vector<RankPlace> places) : task_(task), places_(std::move(places)) {}

void Tally::add(const record::Record& record) {
  if (record.kind == record::kind::kDevice) devices_.insert(record.rank);
  if (record.kind == record::kind::kRank) ranks_.insert(record.rank);
  if (record.kind == record::kind::kBurn) burns_.insert(record.rank);
  if (record.kind == record::kind::kTraining) training_ = true;
  if (record.kind == record::kind::kLocate) located_ = true;
  if (record.kind == record::Resumed::kKind) {
    resumed_ = std::max(resumed_, record::read<record::Resumed>(record).step.value_or(0));
  }
  if (record.kind == record::kind::kStep) {
    if (const auto step = record::read<record::Step>(record).step) steps_.insert(*step);
  }
  if (record.kind == record::kind::kCollective) {
    const auto row = record::read<record::Collective>(record);
    ++sizes_[{fmt::format("{} {} root {}", row.dtype, row.redop, row.root.value_or(-1)),
              row.group.value_or(0)}];
  }
  if (record.kind == record::kind::kGpuBench && record.rank >= 0 &&
      static_cast<std::size_t>(record.rank) < places_.size()) {
    const int node = places_[static_cast<std::size_t>(record.rank)].node_rank;
    tests_.insert({node, record::read<record::GpuBench>(record).group});
  }
  if (record.kind == record::kind::kFinding) {
    const auto finding = record::read<record::Finding>(record);
    if (finding.code == "pair_skipped") ++skipped_pairs_;
    if (finding.code == "sweep_range_cut") range_cut_ = true;
  }
}

std::vector<std::string> Tally::missing() const {
  std::vector<std::string> out;
  want_of_every_rank(devices_, "has not told its device", out);
  switch (task_.phase) {
    case Phase::kCheck:  // that all have met is the check
    case Phase::kReport:
      break;
    case Phase::kSft:
      want_steps(out);
      want_of_every_rank(ranks_, "has sent no totals of its own", out);
      if (!training_) out.emplace_back("the totals of the training");
      break;
    case Phase::kNccl:
      want_sizes(out);
      break;
    case Phase::kGpu:
      want_tests(out);
      break;
    case Phase::kBurn:
      want_of_every_rank(burns_, "has sent no figure of the burn", out);
      break;
    case Phase::kLocate:
      if (!located_) out.emplace_back("the end of the search");
      break;
  }
  return out;
}

void Tally::want_of_every_rank(const std::set<int>& seen, const char* what,
                               std::vector<std::string>& out) const {
  std::vector<std::string> silent;
  for (const RankPlace& place : places_) {
    if (!seen.contains(place.rank)) silent.push_back(std::to_string(place.rank));
  }
  if (!silent.empty()) out.push_back(fmt::format("rank {} {}", first_of(silent), what));
}

void Tally::want_steps(std::vector<std::string>& out) const {
  const std::int64_t planned = task_.model.training.steps;
  std::vector<std::string> gaps;
  std::int64_t next = std::min(resumed_, planned) + 1;  // the first that has not been seen
  const auto gap_before = [&](std::int64_t step) {
    if (step > next)
      gaps.push_back(step == next + 1 ? std::to_string(next) : fmt::format("{} to {}", next, step - 1));
    next = step + 1;
  };
  for (const std::int64_t step : steps_) {
    if (step >= next && step <= planned) gap_before(step);
  }
  gap_before(planned + 1);
  if (!gaps.empty()) out.push_back(fmt::format("step {} of {}", first_of(gaps), planned));
}

void Tally::want_sizes(std::vector<std::string>& out) const {
  const CollectiveSweep& sweep = task_.sweep;
  const std::map<int, int> groups = group_sizes(sweep, places_);
  const auto sizes = static_cast<std::int64_t>(sizes_of(sweep).size());
  for (const auto& [series, count] : sizes_) {
    // Each is measured over the same sizes; what did not fit the memory was cut off with a finding.
    if (count == sizes || (range_cut_ && count == sizes_.begin()->second && count < sizes)) continue;
    out.push_back(fmt::format("{} ({}, group {}): {} of {} sizes came", sweep.collective, series.first,
                              series.second, count, sizes));
  }
  std::size_t pairs = sweep.dtype == "all" ? dtype_names().size() : 1;
  if (sweep.redop == "all" && has_redop(sweep.collective)) pairs *= redop_names().size();
  std::size_t roots = 1;
  if (has_root(sweep.collective) && sweep.root < 0) {
    const auto smallest = std::min_element(groups.begin(), groups.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
    roots = static_cast<std::size_t>(smallest->second);
  }
  const std::size_t planned =
      (pairs - std::min<std::size_t>(pairs, static_cast<std::size_t>(skipped_pairs_))) * roots *
      groups.size();
  if (sizes_.size() < planned) {
    out.push_back(fmt::format("{}: {} of {} series of sizes came, of types, operators, roots and groups",
                              sweep.collective, sizes_.size(), planned));
  }
  if (sizes_.empty() && planned == 0) out.push_back(sweep.collective + ": nothing could run");
}

void Tally::want_tests(std::vector<std::string>& out) const {
  std::set<std::string> wanted(task_.gpu.tests.begin(), task_.gpu.tests.end());
  if (wanted.empty()) {
    for (const GpuTest& test : gpu_tests()) wanted.insert(test.name);
  }
  std::set<int> nodes;
  for (const RankPlace& place : places_) nodes.insert(place.node_rank);
  for (const int node : nodes) {
    std::vector<std::string> absent;
    for (const std::string& test : wanted) {
      if (!tests_.contains({node, test})) absent.push_back(test);
    }
    if (!absent.empty())
      out.push_back(fmt::format("node {} (from 0): no figure of {}", node, first_of(absent)));
  }
}

}  // namespace sxb::plan
