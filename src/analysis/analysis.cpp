#include "analysis/analysis.h"

#include <algorithm>
#include <iterator>

#include "analysis/verdict/findings.h"
#include "analysis/verdict/verdicts.h"

namespace sxb::analysis {
namespace {

template <typename T>
void append(std::vector<T>& all, std::vector<T> more) {
  std::move(more.begin(), more.end(), std::back_inserter(all));
}

bool has_device(const Dataset& dataset, bool cuda) {
  return std::any_of(dataset.tasks.begin(), dataset.tasks.end(), [&](const TaskData& task) {
    const auto& devices = task.of<record::Device>();
    return std::any_of(devices.begin(), devices.end(),
                       [&](const auto& entry) { return (entry.data.device == "cuda") == cuda; });
  });
}

std::vector<Verdict> judge(const Analysis& measured, const std::vector<Check>& checks) {
  std::vector<Verdict> verdicts;
  // What the cluster config asks for.
  append(verdicts, judge_goals(measured.dataset->asked.cluster, measured.sft, measured.nccl));
  // What holds for every sweep, goal or not: right data, and what its topology lets expect.
  append(verdicts, judge_sweeps(measured.nccl));
  // No figure beyond physics; one that is there meets no goal.
  append(verdicts, judge_plausibility(checks));
  void_implausible(measured.sft, measured.nccl, verdicts);
  // Slow nodes, rails and links that a search named.
  append(verdicts, judge_searches(measured.searches));
  // Wrong data, slow devices and growth of memory in micro-benchmarks and burns.
  append(verdicts, judge_devices(measured.gpu, measured.burns));
  return verdicts;
}

std::vector<Finding> find(const Analysis& measured, const std::vector<Check>& checks) {
  std::vector<Finding> findings;
  // Figures that must not be quoted, and the ports behind a slow sweep.
  append(findings, implausible_findings(checks));
  append(findings, nic_findings(measured.nccl));
  // What head, agents and ranks have reported themselves.
  append(findings, recorded_findings(*measured.dataset));
  // What the figures of the training tasks show, and what is missing beside them.
  append(findings, training_findings(measured.sft));
  append(findings, journal_findings(*measured.dataset));
  append(findings, missing_source_findings(measured.sft));
  // Devices that braked or did not settle.
  append(findings, device_findings(measured.gpu, measured.burns));
  sort_by_severity(findings);
  return findings;
}

}  // namespace

bool Analysis::goals_met() const {
  return std::none_of(verdicts.begin(), verdicts.end(),
                      [](const Verdict& verdict) { return verdict.missed(); });
}

std::vector<Check> Analysis::checks() const {
  std::vector<Check> out = gpu_checks;
  for (const NcclGroup& group : nccl) append(out, group.checks);
  for (const SftGroup& group : sft) append(out, group.checks);
  return out;
}

Analysis analyze(const Dataset& dataset, const Hardware& hardware) {
  Analysis analysis;
  analysis.dataset = &dataset;
  // Which kinds of device ran: what a report can state at all.
  analysis.cuda = has_device(dataset, true);
  analysis.cpu = has_device(dataset, false);
  // Fine-tuning: repeats joined, phases of a step, scaling, each group held against its devices' peak.
  analysis.sft = group_sft(dataset, hardware);
  // Sweeps of collectives: rows joined per size, each held against its limit and its topology's model.
  analysis.nccl = group_nccl(dataset, hardware);
  // Searches for slow parts: suspects, and whether their tests bear them out.
  analysis.searches = read_searches(dataset);
  // Micro-benchmarks and burns: every device beside its fleet.
  analysis.gpu = group_gpu(dataset);
  analysis.burns = group_burns(dataset);
  // Their figures against the speed of light; those of training and sweeps carry theirs already.
  analysis.gpu_checks = guard_gpus(dataset, hardware);
  // PASS or FAIL of each goal, and what a reader must know beside it.
  const std::vector<Check> checks = analysis.checks();
  analysis.verdicts = judge(analysis, checks);
  analysis.findings = find(analysis, checks);
  return analysis;
}

}  // namespace sxb::analysis
